"""The tab Measure in a browser: a score, a map, and the score beneath another tab's result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_run import FakeRun
from test_browser import browser, expect, open_page, serving_page, too_wide  # noqa: F401  (fixtures)

from nst.encoders import load_encoder
from nst.ui import lab, optimize


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    run = FakeRun(num_steps=4)
    tabs = [("Optimize", lambda: optimize.create_tab(run, load_encoder)), ("Lab", lab.create_tab)]
    with serving_page(tmp_path_factory.mktemp("served"), tabs) as url:
        yield url


def test_a_score_a_map_and_the_score_of_a_result(open_page):  # noqa: F811
    page: Any = open_page("?size=64", width=390, height=844)
    page.locator("#paint").click()
    expect(page.locator("#status strong")).to_have_text("Finished")
    page.locator("#score").click()
    expect(page.locator("#verdict .total")).to_contain_text("of 100")
    page.get_by_role("tab", name="Lab").click()
    page.get_by_role("tab", name="Measure").click()
    expect(page.locator("#measure-result img")).to_be_visible()
    expect(page.locator("#measure-content img")).to_be_visible()
    page.locator("#measure").click()
    expect(page.locator("#measure-verdict .total")).to_contain_text("of 100")
    assert page.locator("#measure-verdict .measure").count() == 8 and too_wide(page) <= 0
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator("#map-examples").click()
    inside = page.frame_locator("#map-page iframe")
    expect(inside.locator("#map button").first).to_be_visible()
    assert inside.locator("#map button").count() > 20
    inside.get_by_label("By content").check()
    inside.locator("#map button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(inside.get_by_role("heading", name="Nearest in style")).to_be_visible()
    assert too_wide(page) <= 0
    with page.expect_download() as download:
        page.locator("#map-download").click()
    assert download.value.suggested_filename == "map.html"


@pytest.mark.slow
def test_everybody_can_measure_and_read_the_map(open_page):  # noqa: F811
    from test_browser_sharing import findings  # skips where axe is not installed

    page: Any = open_page("?size=64")
    page.get_by_role("tab", name="Lab").click()
    page.get_by_role("tab", name="Measure").click()
    expect(page.locator("#measure-result img")).to_be_visible()
    page.locator("#measure").click()
    expect(page.locator("#measure-verdict .total")).to_contain_text("of 100")
    page.locator("#measure-verdict summary").click()
    assert not findings(page)
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator("#map-examples").click()
    expect(page.frame_locator("#map-page iframe").locator("#map button").first).to_be_visible()
    assert not findings(page)
    inside = page.frames[-1]
    page.locator("#map-examples").focus()
    for _ in range(10):  # past the kinds, the search and the three buttons
        page.keyboard.press("Tab")
        if inside.evaluate("document.activeElement.closest('#map') !== null"):
            break
    page.keyboard.press("Enter")
    expect(inside.locator("#shown strong")).to_be_visible()
    assert not findings(inside)
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(inside.locator("#shown strong")).to_have_count(0)
    assert inside.evaluate("document.activeElement.closest('#map') !== null"), "one is back where one was"
