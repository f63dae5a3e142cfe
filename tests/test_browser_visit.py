"""A visit in a browser: nothing is lost by a click, a reload or another tab; by thumb, by key and by mouse."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import FakeRun
from PIL import Image
from test_browser import (  # noqa: F401  (fixtures)
    LONG,
    browser,
    expect,
    open_page,
    serving_page,
    status,
    to_share,
    too_wide,
)

from nst import fast as networks
from nst.encoders import load_encoder
from nst.images import decode, encode, resize
from nst.optimize import Step
from nst.tasks.recipe import make_recipe
from nst.ui import fast, lab, mix, optimize, translate

SLOW = 0.5
"""Seconds that a fast style takes here."""


SMALL = """() => [...document.querySelectorAll('button, select, summary, input, a[href], [role=slider]')]
    .filter(one => one.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter(one => !one.closest('footer, .papers') && !one.matches('[type=file], .skip'))
    .map(one => one.matches('[type=radio], [type=checkbox]') ? one.closest('label') : one)
    .map(one => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5))
    .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)"""
"""What is too small for a thumb, but for links within a sentence."""


def paint_plainly(content: torch.Tensor, style: Any = (), **settings: Any) -> Iterator[Step]:
    """In place of a fast style: a plain picture, lighter with each style of the list."""
    time.sleep(SLOW)
    shade = networks.fast_styles().index(style[0]) / 16 if style and isinstance(style[0], str) else 1.0
    yield Step(1, 1, torch.full_like(resize(content, 64), shade), {})


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    fake = FakeRun(seconds=0.04, num_steps=LONG)
    tabs = [
        ("Optimize", lambda: optimize.create_tab(fake, load_encoder)),
        ("Fast styles", lambda: fast.create_tab(paint_plainly)),
        ("Mix", lambda: mix.create_tab(fake, load_encoder)),
        ("Horse → Zebra", lambda: translate.create_tab()),
        ("Lab", lambda: lab.create_tab(fake, load_encoder)),
    ]
    with serving_page(tmp_path_factory.mktemp("served"), tabs) as url:
        yield url


def phone(open_page: Any, query: str = "", **more: Any) -> Any:  # noqa: F811
    return open_page(query, width=390, height=844, has_touch=True, is_mobile=True, **more)


def to_tab(page: Any, title: str) -> None:
    page.get_by_role("tab", name=title, exact=True).click()


def toast(page: Any) -> Any:
    return page.locator("[data-testid=toast-body]").first


def photo(path: Path, recipe: dict[str, Any] | None = None) -> Path:
    path.write_bytes(encode(Image.linear_gradient("L").convert("RGB").resize((64, 48)), recipe=recipe))
    return path


def chosen(page: Any, row: str) -> Any:
    return page.locator(f"{row} button[aria-pressed=true]")


def finished(page: Any, name: str = "") -> None:
    expect(page.locator(f"#{name}status strong")).to_have_text("Finished")


# ---- the first ten seconds


def test_the_first_screen_is_a_result_that_one_can_drag(open_page):  # noqa: F811
    page = phone(open_page)
    frame = page.locator("#compare .frame")
    expect(page.locator("#compare figcaption")).to_contain_text("Painted by Pastiche")
    page.wait_for_function("[...document.querySelectorAll('#compare img')].every(one => one.naturalWidth >= 512)")
    box = frame.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    assert float(frame.evaluate("e => parseFloat(e.style.getPropertyValue('--split'))")) == pytest.approx(20, abs=4)
    for one in ("#compare", "#content", "#style-examples", "#paint"):
        box = page.locator(one).bounding_box()
        assert box["y"] >= 0 and box["y"] < 844 - 46, f"{one} is on the first screen of a phone"
    bottom = page.locator("#paint").bounding_box()
    page.mouse.wheel(0, 900)
    page.wait_for_function("scrollY > 200")
    assert page.locator("#paint").bounding_box() == bottom, "Paint stays where the thumb is"
    assert too_wide(page) <= 0


def test_the_hint_goes_with_the_first_press_anywhere(open_page):  # noqa: F811
    page = open_page()
    expect(page.locator("#hint aside")).to_be_visible()
    to_tab(page, "Mix")
    expect(page.locator("#hint aside")).to_be_hidden()
    to_tab(page, "Optimize")
    expect(page.locator("#hint aside")).to_be_hidden()


def test_the_open_tab_is_in_sight_however_the_phone_is_turned(open_page):  # noqa: F811
    page = phone(open_page)
    to_tab(page, "Lab")
    for width in (844, 390):
        page.set_viewport_size({"width": width, "height": 1234 - width})
        page.wait_for_function(  # to a pixel: what is scrolled to its end may end within one
            """width => { const tab = document.querySelector('#tabs > .tab-wrapper [aria-selected=true]');
            const [inner, outer] = [tab, tab.parentElement].map(one => one.getBoundingClientRect());
            return innerWidth === width && inner.left >= outer.left - 1 && inner.right <= outer.right + 1; }""",
            arg=width,
        )


def test_what_can_be_pressed_on_a_phone_is_large_enough(open_page):  # noqa: F811
    page = phone(open_page)
    for title, name in (("Optimize", ""), ("Fast styles", "fast-"), ("Mix", "mix-")):
        to_tab(page, title)
        expect(page.locator(f"#{name}content img")).to_be_visible()
        small = page.evaluate(SMALL)
        assert not small, "\n".join(small)


def test_nothing_stands_behind_the_bar_at_the_end_of_a_phone_s_page(open_page):  # noqa: F811
    page = phone(open_page)
    for title in ("Optimize", "Lab", "Measure"):
        to_tab(page, title)
        page.wait_for_function(
            """() => { scrollTo(0, document.documentElement.scrollHeight);
            const bar = [...document.querySelectorAll('.toolbar')].find(one => one.checkVisibility());
            const [end, top] = [document.querySelector('footer'), bar].map(one => one.getBoundingClientRect());
            return end.bottom <= top.top; }"""
        )


def test_the_thumbs_of_sliders_are_whole_on_a_phone(open_page):  # noqa: F811
    page = phone(open_page, "?strength=100")
    edges = page.evaluate(
        """() => [...document.querySelectorAll('input[type=range]')].filter(one => one.offsetParent)
        .filter(one => !one.closest('.frame')).map(one => {
            const [inner, outer] = [one, one.closest('.block')].map(e => e.getBoundingClientRect());
            return [inner.left - outer.left, outer.right - inner.right];
        })"""
    )
    assert edges and min(min(pair) for pair in edges) >= 8, edges


# ---- clicks


def test_the_last_click_on_a_style_wins(open_page, tmp_path):  # noqa: F811
    page = open_page()
    to_tab(page, "Fast styles")
    expect(page.locator("#fast-content img")).to_be_visible()
    for wait, name in ((0, "mosaic"), (1.5, "ink"), (0.3, "waves"), (0.3, "great_wave")):
        page.wait_for_timeout(1000 * SLOW * wait)
        page.locator(f"#fast-styles button[data-name={name}]").click()
    expect(chosen(page, "#fast-styles")).to_have_attribute("data-name", "great_wave")
    page.wait_for_timeout(5000 * SLOW)  # in which those before it would have come to an end
    finished(page, "fast-")
    to_share(page, "fast-")
    with page.expect_download() as download:
        page.locator("#fast-download").click()
    assert download.value.suggested_filename.endswith("-great-wave.png")
    download.value.save_as(tmp_path / "made.png")
    shade = round(255 * networks.fast_styles().index("great_wave") / 16)
    assert abs(decode(tmp_path / "made.png").rgb.getpixel((5, 5))[0] - shade) <= 2
    shown = page.request.get(page.locator("#fast-compare .after").evaluate("image => image.src")).body()
    assert abs(decode(shown).rgb.getpixel((5, 5))[0] - shade) <= 6


def test_on_a_phone_a_tap_on_a_style_brings_the_picture_into_view(open_page):  # noqa: F811
    page = phone(open_page)
    to_tab(page, "Fast styles")
    expect(page.locator("#fast-content img")).to_be_visible()
    style = page.locator("#fast-styles button[data-name=ink]")
    style.evaluate("one => one.scrollIntoView()")
    page.wait_for_function("document.querySelector('#fast-compare').getBoundingClientRect().bottom < innerHeight / 3")
    style.tap()
    finished(page, "fast-")
    page.wait_for_function(
        """() => { const box = document.querySelector('#fast-compare .after')?.getBoundingClientRect();
        return box && box.top >= 0 && box.top < innerHeight / 2; }"""
    )


def test_no_press_is_lost_where_the_stream_closes_just_then(open_page):  # noqa: F811
    page, cut = open_page("?num_steps=5"), []

    def close_once(route: Any) -> None:
        if cut:
            return route.continue_()
        cut.append(True)
        body = 'data: {"msg": "close_stream", "event_id": null}\n\n'
        return route.fulfill(status=200, headers={"content-type": "text/event-stream"}, body=body)

    page.wait_for_timeout(1000)
    page.route("**/gradio_api/queue/data*", close_once)
    page.locator("#paint").click()
    finished(page)
    assert cut


def test_a_score_can_be_asked_for_once_there_is_something_to_score(open_page):  # noqa: F811
    page = open_page("?num_steps=5")
    expect(page.locator("#score")).to_be_disabled()
    page.locator("#paint").click()
    finished(page)
    expect(page.locator("#score")).to_be_enabled()


def test_the_forecast_gives_way_to_what_is_left(open_page):  # noqa: F811
    page = open_page()
    expect(page.locator("#estimate")).to_contain_text("About")
    page.locator("#paint").click()
    expect(page.locator("#status")).to_contain_text("left")
    expect(page.locator("#estimate")).to_be_hidden()
    page.locator("#stop").click()
    expect(page.locator("#estimate")).to_be_visible()


def test_a_small_result_is_as_large_as_there_is_room(open_page):  # noqa: F811
    page = open_page("?num_steps=5&size=64")
    page.locator("#paint").click()
    finished(page)
    expect(page.locator("#compare .after")).to_have_attribute("src", re.compile("after"))
    page.wait_for_function("document.querySelector('#compare .after').naturalWidth === 64")
    shown, before = (page.locator(f"#compare .{which}").bounding_box() for which in ("after", "before"))
    assert shown["width"] > 400 and shown["width"] / shown["height"] == pytest.approx(64 / 43, rel=0.01)
    assert shown == pytest.approx(before, abs=1)


def test_snapshots_open_large(open_page):  # noqa: F811
    page = open_page("?num_steps=20&size=512")
    page.locator("#paint").click()
    finished(page)
    page.locator("#snapshots button").first.click()
    shown = page.locator("dialog img")
    expect(shown).to_be_visible()
    assert shown.bounding_box()["width"] > 500 and shown.evaluate("image => image.naturalWidth") > 90
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


# ---- what is asked for


def test_continue_does_not_go_on_from_another_photo(open_page):  # noqa: F811
    page = open_page("?num_steps=5")
    page.locator("#paint").click()
    finished(page)
    page.locator("#content-examples button[data-name=chelsea]").click()
    expect(chosen(page, "#content-examples")).to_have_attribute("data-name", "chelsea")
    page.locator("#continue").click()
    expect(toast(page)).to_contain_text("The photo is another one now")


def test_a_link_says_what_it_leaves_out(open_page, tmp_path):  # noqa: F811
    page = open_page()
    page.locator("#content input[type=file]").set_input_files(photo(tmp_path / "mine.png"))
    expect(chosen(page, "#content-examples")).to_have_count(0)
    to_share(page)
    page.locator("#copy-link").click()
    expect(toast(page)).to_contain_text("Your own photo is not in this link")
    expect(page).to_have_url(re.compile("style=night"))


def test_a_picture_of_pastiche_dropped_as_photo_restores_everything(open_page, tmp_path):  # noqa: F811
    page = open_page()
    made = photo(tmp_path / "made.png", make_recipe({"strength": 12.0}, content="camera", style="waves"))
    page.locator("#content input[type=file]").set_input_files(made)
    expect(chosen(page, "#style-examples")).to_have_attribute("data-name", "waves")
    expect(chosen(page, "#content-examples")).to_have_attribute("data-name", "camera")
    expect(page.locator("#strength input[type=number]")).to_have_value("12")


def test_there_and_back_says_where_there_is_no_way_back(open_page):  # noqa: F811
    page = open_page()
    to_tab(page, "Horse → Zebra")
    expect(page.locator("#translate-content img")).to_be_visible()
    page.locator("#translate-direction").get_by_text("Horse → zebra", exact=True).click()
    page.locator("#translate-also").click()
    expect(toast(page)).to_contain_text("knows only the way there")


def test_numbers_out_of_bounds_are_told_and_not_bent(open_page):  # noqa: F811
    page = open_page()
    to_tab(page, "Lab")
    to_tab(page, "Texture")
    expect(page.locator("#texture-style img")).to_be_visible()
    for value in ("99999", ""):
        page.locator("#texture-width input").fill(value)
        page.locator("#texture-width input").press("Tab")
        page.locator("#texture-paint").click()
        expect(toast(page)).to_contain_text("Width: give a number from 16 to 16,384")
        page.locator("[data-testid=toast-close]").first.click()


# ---- tabs, reloads, and Back


def test_photo_and_style_go_from_tab_to_tab(open_page, tmp_path):  # noqa: F811
    page = open_page("?num_steps=5")
    page.locator("#content input[type=file]").set_input_files(photo(tmp_path / "mine.png"))
    page.locator("#style-examples button[data-name=ink]").click()
    expect(chosen(page, "#style-examples")).to_have_attribute("data-name", "ink")
    page.locator("#paint").click()
    finished(page)
    page.locator("#result .try-it button", has_text="Mix").click()
    expect(page.locator("#mix-content img")).to_have_attribute("src", page.locator("#content img").get_attribute("src"))
    expect(chosen(page, "#mix-style-examples")).to_have_attribute("data-name", "ink")
    to_tab(page, "Fast styles")
    expect(chosen(page, "#fast-styles")).to_have_attribute("data-name", "ink")
    page.locator("#fast-content-examples button[data-name=camera]").click()
    expect(chosen(page, "#fast-content-examples")).to_have_attribute("data-name", "camera")
    to_tab(page, "Optimize")
    expect(chosen(page, "#content-examples")).to_have_attribute("data-name", "camera")


def test_a_reload_while_painting_asks_and_brings_everything_back(open_page, tmp_path):  # noqa: F811
    page, asked = open_page(), []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("#content input[type=file]").set_input_files(photo(tmp_path / "mine.png"))
    page.locator("#style-examples button[data-name=ink]").click()
    expect(chosen(page, "#style-examples")).to_have_attribute("data-name", "ink")
    page.locator("#preset").get_by_text("Draft").click()
    page.locator("#paint").click()
    expect(page.locator("#preview img")).to_be_visible()
    mine = page.locator("#content img").get_attribute("src")
    page.reload()
    assert asked == ["beforeunload"]
    expect(page.locator("#content img")).to_have_attribute("src", mine)
    expect(chosen(page, "#style-examples")).to_have_attribute("data-name", "ink")
    expect(page.locator("#preset input:checked")).to_have_value("draft")
    expect(status(page)).to_have_text("Stopped")
    expect(page.locator("#compare .after")).to_have_attribute("src", re.compile("after"))
    page.locator("#continue").click()
    expect(status(page)).to_contain_text("Painting")
    page.locator("#stop").click()
    expect(status(page)).to_have_text("Stopped")

    to_tab(page, "Mix")
    expect(page.locator("#mix-content img")).to_have_attribute("src", mine)
    page.reload()
    expect(page.locator("#mix-content img")).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?style=waves&strength=33")
    expect(page.locator("#strength input[type=number]")).to_have_value("33")
    expect(page.locator("#content-examples button[aria-pressed=true]")).to_have_count(1)
    page.go_back()
    to_tab(page, "Optimize")
    expect(page.locator("#content img")).to_have_attribute("src", mine)
    expect(page.locator("#preset input:checked")).to_have_value("draft")


def test_another_visitor_sees_nothing_of_it(open_page, tmp_path):  # noqa: F811
    page = open_page()
    page.locator("#content input[type=file]").set_input_files(photo(tmp_path / "mine.png"))
    expect(chosen(page, "#content-examples")).to_have_count(0)
    other = open_page()
    other.evaluate("() => history.replaceState({pastiche: 'guessed-guessed-guessed-guessed'}, '')")
    other.reload()
    expect(chosen(other, "#content-examples")).to_have_attribute("data-name", "coffee")


# ---- by keys


def test_the_keys_reach_paint_soon_and_before_and_after(open_page):  # noqa: F811
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "paint"
    page.reload()
    expect(page.locator("#content img")).to_be_visible()
    places: list[str] = []
    while "paint" not in places and len(places) < 60:
        page.keyboard.press("Tab")
        places.append(page.evaluate("document.activeElement.closest('[id]')?.id || ''"))
        if "preset" in places[-1]:
            assert page.evaluate("document.activeElement.checked"), "Tab enters a choice at what is chosen"
    assert len(places) <= 40, places
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#compare input')"):
            break
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.locator("#compare .frame").evaluate("e => e.style.getPropertyValue('--split')") == "60%"


@pytest.mark.slow
def test_the_map_shows_pictures_that_can_be_told_apart(open_page):  # noqa: F811
    page = phone(open_page)
    to_tab(page, "Lab")
    to_tab(page, "Map")
    page.locator("#map-examples").click()
    inside = page.frame_locator("#map-page iframe")
    expect(inside.locator("#map button").first).to_be_visible()
    assert inside.locator("#map button").first.bounding_box()["width"] >= 44


@pytest.mark.slow
def test_everybody_can_use_it_while_it_paints_and_after(open_page):  # noqa: F811
    from test_browser_sharing import findings  # skips where axe is not installed

    page = phone(open_page)
    page.locator("#paint").tap()
    expect(page.locator("#preview img")).to_be_visible()
    assert not findings(page)
    page.locator("#stop").tap()
    expect(status(page)).to_have_text("Stopped")
    assert not findings(page)
    to_share(page)
    assert not findings(page)
    page.locator("#sheet .close").tap()
    page.locator("#snapshots button").first.tap()
    expect(page.locator("dialog")).to_be_visible()
    assert not findings(page)
