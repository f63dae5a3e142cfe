"""The tab Fast styles in a browser, with the network that comes with Pastiche."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_browser import beside_optimize, browser, expect, open_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst import taught
from nst.fast import fast_styles
from nst.optimize import Step
from nst.server import limits
from nst.teach import teach
from nst.ui import fast


def learn(*pictures: Any, **settings: Any) -> Iterator[Step]:
    """Learns for two steps, of small crops: what is tested is not how well."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"SIDE": 64, "CROPS": 2, "STYLE_SIZE": 64}.items():
            patch.setattr(f"nst.teach.{name}", value)
        yield from teach(*pictures, **settings, num_steps=2)


address = beside_optimize("Fast styles", lambda: fast.create_tab(learn=limits.limited(learn, "teach")))


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


def test_a_style_is_taught_used_saved_removed_and_loaded_on_a_narrow_page(open_page, tmp_path):  # noqa: F811
    page = open_page(width=390, height=844)
    page.get_by_role("tab", name="Fast styles").click()
    expect(page.locator("#fast-content img")).to_be_visible()
    page.get_by_role("button", name="Teach a new style").click()
    page.locator("#fast-teach-style-examples button[data-name=marbling]").click()
    expect(page.locator("#fast-teach-style img")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("My Marble")
    page.locator("#fast-teach-start").click()
    told = page.locator("#fast-teach-status strong")
    expect(told).to_have_text("Learned my_marble", timeout=180_000)
    expect(page.locator("#fast-teach-preview img")).to_be_visible()
    mine = style(page, "my_marble")
    expect(mine).to_have_attribute("aria-pressed", "true")
    expect(mine.locator("img")).to_have_count(1)
    expect(status(page)).to_have_text("Finished")  # it paints at once
    assert too_wide(page) <= 0
    page.screenshot(path=tmp_path / "taught.png", full_page=True)
    with page.expect_download() as download:
        page.locator("#fast-teach-save").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert taught.load(file).name == "my_marble"
    page.locator("#fast-teach-remove").click()
    expect(mine).to_have_count(0)
    with page.expect_file_chooser() as chooser:
        page.locator("#fast-teach-load").click()
    chooser.value.set_files(file)
    expect(mine).to_have_attribute("aria-pressed", "true")
    page.locator("#fast-teach-remove").click()
    expect(mine).to_have_count(0)
