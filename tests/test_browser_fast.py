"""The tab Fast styles in a browser, with the network that comes with Pastiche."""

from __future__ import annotations

from typing import Any

import pytest
from test_browser import beside_optimize, browser, expect, open_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst.fast import fast_styles
from nst.ui import fast

address = beside_optimize("Fast styles", fast.create_tab)


def status(page: Any) -> Any:
    return page.locator("#fast-status strong")


def style(page: Any, name: str) -> Any:
    return page.locator(f"#fast-styles button[data-name={name}]")


@pytest.fixture
def tab(open_page) -> Any:  # noqa: F811
    page = open_page()
    page.get_by_role("tab", name="Fast styles").click()
    expect(page.locator(".gallery-of-styles button")).to_have_count(len(fast_styles()))
    expect(page.locator("#fast-content img")).to_be_visible()
    return page


def downloaded(page: Any) -> str:
    to_share(page, "fast-")
    with page.expect_download() as download:
        page.locator("#fast-download").click()
    page.wait_for_timeout(100)
    return download.value.suggested_filename


def test_the_first_press_paints_and_so_does_a_click_on_a_style(tab):
    tab.locator("#fast-paint").click()
    expect(status(tab)).to_have_text("Finished")
    first = tab.locator("#fast-compare .after").get_attribute("src")
    style(tab, "mosaic").click()
    expect(style(tab, "mosaic")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#fast-compare .after")).not_to_have_attribute("src", first)
    names = (downloaded(tab) for _ in range(50))  # what is seen comes before what can be downloaded
    assert any(name.endswith("-mosaic.png") for name in names)


def test_two_styles_blend_on_the_pad_by_mouse_and_by_key(tab):
    tab.get_by_label("Blend up to four styles").check()
    style(tab, "waves").click()
    expect(tab.locator("#fast-styles button[aria-pressed=true]")).to_have_count(2)
    pad = tab.locator("#fast-pad .pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    tab.mouse.up()
    expect(status(tab)).to_have_text("Finished")
    before = float(pad.locator("b").evaluate("mark => parseFloat(mark.style.left)"))
    assert before == pytest.approx(90, abs=2)
    pad.press("ArrowLeft")
    assert pad.locator("b").evaluate("mark => parseFloat(mark.style.left)") == pytest.approx(before - 10, abs=1)


@pytest.mark.slow
def test_all_styles_at_once_and_refined(tab):
    tab.locator("#fast-every").click()
    expect(tab.locator("#fast-snapshots li")).to_have_count(len(fast_styles()))
    tab.locator("#fast-refine").click()
    expect(tab.locator("[data-testid=toast-body]")).to_contain_text("Paint a picture first")
    style(tab, "glass").click()
    expect(tab.locator("#fast-snapshots")).to_be_hidden()
    expect(status(tab)).to_have_text("Finished")
    tab.locator("#fast-refine").click()
    expect(tab.locator("#status strong")).to_have_text("Ready to refine")
    tab.locator("#continue").click()
    expect(tab.locator("#status strong")).to_have_text("Finished")


def test_a_link_opens_the_tab_with_its_style(tab, address, browser):  # noqa: F811
    style(tab, "ink").click()
    expect(style(tab, "ink")).to_have_attribute("aria-pressed", "true")
    to_share(tab, "fast-")
    tab.locator("#fast-copy-link").click()
    expect(tab.locator("#fast-copy-link")).to_have_text("Link copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    fresh = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    fresh.goto(address + "?" + link.partition("?")[2])
    expect(style(fresh, "ink")).to_have_attribute("aria-pressed", "true")
    assert too_wide(fresh) <= 0
    fresh.context.close()
