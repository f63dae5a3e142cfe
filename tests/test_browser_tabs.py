"""The tabs beside the first one in a browser, on one page that has them all, painting for real on small pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip
from PIL import Image, ImageChops, ImageColor, ImageStat
from test_browser import NAMELESS, browser, expect, open_page, serving_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst.images import decode, read_recipe
from nst.ui import mix

OpenPage = Callable[..., Any]

SMALL = {
    "mix": "task=mix&size=64&num_steps=4",
    "color": "task=colors&size=64&num_steps=4",
    "layers": "task=layers&size=64&num_steps=2",
    "texture": "task=texture&width=64&height=48&num_steps=4&seamless=true",
    "invert": "task=invert&size=64&num_steps=4&starts=2",
}
"""Links that open each tab with little to do."""

FIRST = {"mix": "content", "color": "content", "layers": "content", "texture": "style", "invert": "content"}
SHAPES = {"mix": (64, 43), "color": (192, 86), "layers": (320, 128), "texture": (64, 48), "invert": (128, 43)}
TITLES = {"mix": ["Mix"], "color": ["Color"], "layers": ["Lab", "What layers keep"]}
TITLES |= {"texture": ["Lab", "Texture"], "invert": ["Lab", "Inversion"]}

PLAYERS = "[...document.querySelectorAll('#video-players video')]"
PLAYS = "image => image.complete && image.naturalWidth > 0"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with serving_page(tmp_path_factory.mktemp("served")) as url:
        yield url


@pytest.fixture
def open_tab(open_page) -> OpenPage:  # noqa: F811
    """Opens a tab by its link."""

    def open_one(name: str, more: str = "", **options: Any) -> Any:
        return open_page(f"?{SMALL[name]}{more}", ready=(f"#{name}-{FIRST[name]}",), **options)

    return open_one


def some_slow(*names: str) -> list[Any]:
    """Cases that take seconds each and are much like the others."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


def finish(page: Any, name: str, button: str = "paint") -> None:
    page.locator(f"#{name}-{button}").click()
    expect(page.locator(f"#{name}-status strong")).to_have_text("Finished")


def result(page: Any, name: str, path: Path) -> Path:
    to_share(page, f"{name}-")
    with page.expect_download() as download:
        page.locator(f"#{name}-download").click()
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("name", ["mix", *some_slow("color", "layers", "texture", "invert")])
def test_a_link_opens_the_tab_on_a_phone_and_the_first_press_paints(open_tab, tmp_path, name):
    page = open_tab(name, width=390, height=844, has_touch=True)
    assert too_wide(page) <= 0
    chosen = page.locator("#tabs [role=tab][aria-selected=true]:visible").all_inner_texts()
    assert chosen[: len(TITLES[name])] == TITLES[name]
    expect(page.locator(f"#{name}-estimate")).to_contain_text("About")
    finish(page, name)
    shown = {"color": "snapshots", "layers": "snapshots", "invert": "snapshots", "texture": "preview"}.get(
        name, "compare"
    )
    expect(page.locator(f"#{name}-{shown} img").first).to_be_visible()
    made = result(page, name, tmp_path / "result.png")
    assert Image.open(made).size == SHAPES[name]
    assert read_recipe(made)["settings"]["num_steps"] in (2, 4)
    to_share(page, f"{name}-")
    page.locator(f"#{name}-copy-link").click()
    expect(page.locator(f"#{name}-copy-link")).to_have_text("Link copied")
    asked = dict(pair.split("=") for pair in SMALL[name].split("&"))
    for name in ("task", "num_steps"):
        expect(page).to_have_url(re.compile(f"{name}={asked[name]}"))
    assert too_wide(page) <= 0


@pytest.mark.slow
def test_on_a_tablet_each_tab_is_filled_in_when_first_looked_at_and_everything_has_a_name(open_page):  # noqa: F811
    page = open_page(width=820, height=1180, has_touch=True)
    for name, titles in TITLES.items():
        page.get_by_role("tab", name=titles[-1] if name != "layers" else "Lab", exact=True).click()
        expect(page.locator(f"#{name}-{FIRST[name]} img")).to_be_visible()
        page.locator(f"#{name}-more > button").click()
        expect(page.locator(f"#{name}-seed input")).to_be_visible()
        assert too_wide(page) <= 0 and not page.evaluate(NAMELESS)
    page.get_by_role("tab", name="Mix", exact=True).click()
    expect(page.locator("#mix-style-2 img")).to_be_visible()
    page.locator("#mix-sharing").get_by_text("In painted regions").click()
    expect(page.locator("#mix-palette button")).to_have_count(5)
    assert too_wide(page) <= 0


@pytest.mark.parametrize("name", ["mix", *some_slow("color", "layers")])
def test_stop_keeps_the_picture(open_tab, name):
    page = open_tab(name)
    page.get_by_role("button", name="Research settings").click()
    field = page.locator(f"#{name}-num_steps input")
    field.fill("4000")
    field.press("Tab")
    page.locator(f"#{name}-paint").click()
    expect(page.locator(f"#{name}-status strong")).to_contain_text("Painting, ")
    page.locator(f"#{name}-stop").click()
    expect(page.locator(f"#{name}-status strong")).to_have_text("Stopped")
    to_share(page, f"{name}-")
    expect(page.locator(f"#{name}-download")).to_be_enabled()
    assert page.locator(f"#{name}-continue").is_visible() == (name == "mix")


@pytest.mark.slow
def test_a_path_gives_a_film(open_tab, tmp_path):
    page = open_tab("mix", "&pictures=3")
    finish(page, "mix", "also")
    expect(page.locator("#mix-snapshots img")).to_have_count(3)
    to_share(page, "mix-")
    with page.expect_download() as download:
        page.locator("#mix-film").click()
    download.value.save_as(tmp_path / "film.gif")
    film = Image.open(tmp_path / "film.gif")
    assert film.size == (64, 43) and film.n_frames == 4


def stroke(page: Any, y: float, left: float, right: float) -> None:
    """Draw a line on the canvas, in shares of its width and height."""
    box = page.locator("#mix-canvas canvas").first.bounding_box()
    page.mouse.move(box["x"] + left * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    for i in range(1, 13):
        page.mouse.move(box["x"] + (left + (right - left) * i / 12) * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(20)
    page.mouse.up()
    page.wait_for_timeout(200)


@pytest.mark.slow
def test_what_is_painted_over_is_left_untouched(open_tab, tmp_path):
    page = open_tab("mix", height=1400)
    page.locator("#mix-sharing").get_by_text("In painted regions").click()
    page.locator("#mix-paint").click()
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("No region is painted yet")
    page.locator("#mix-canvas canvas").first.scroll_into_view_if_needed()
    expect(page.locator("#mix-canvas").get_by_role("button", name="Undo")).to_be_enabled()  # the photo is laid out
    page.locator("#mix-palette button", has_text="Left untouched").click()
    shade = ", ".join(map(str, ImageColor.getrgb(mix.COLORS[-1])))
    brush = page.locator("#mix-canvas").get_by_role("button", name="Color", exact=True)
    expect(brush).to_have_css("color", f"rgb({shade})")
    page.wait_for_timeout(500)
    for y in (0.45, 0.5, 0.55):
        stroke(page, y, 0.3, 0.7)
    finish(page, "mix")
    made = decode(result(page, "mix", tmp_path / "result.png")).rgb
    photo = shown_photo(page).resize(made.size, Image.Resampling.LANCZOS)
    assert difference(made, photo, (28, 19, 36, 24)) < 4 < difference(made, photo, (0, 0, 12, 8))


def shown_photo(page: Any) -> Image.Image:
    """What stands in the tab's input."""
    address = page.locator("#mix-content img").get_attribute("src")
    return decode(page.request.get(address).body()).rgb


def difference(one: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Mean absolute difference within a box, of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.crop(box), other.crop(box))).mean) / 3


@pytest.mark.slow
def test_a_style_is_added_and_restored_with_its_weight(open_tab):
    page = open_tab("mix")
    expect(page.locator("#mix-style-2 img")).to_be_visible()
    page.locator("#mix-add").click()
    expect(page.locator("#mix-style-3")).to_be_visible()
    page.locator("#mix-style-3-examples button[data-name=meadow]").click()
    expect(page.locator("#mix-style-3 img")).to_be_visible()
    page.locator("#mix-weight-3 input[type=number]").fill("80")
    page.locator("#mix-weight-3 input[type=number]").press("Tab")
    to_share(page, "mix-")
    page.locator("#mix-copy-link").click()
    expect(page.locator("#mix-copy-link")).to_have_text("Link copied")
    query = page.url.partition("?")[2]
    assert "meadow" in query
    page.goto(page.url.partition("?")[0] + "?" + query)
    expect(page.locator("#mix-style-3-examples button[aria-pressed=true]")).to_have_attribute("data-name", "meadow")
    expect(page.locator("#mix-weight-3 input[type=number]")).to_have_value("80")


# ---- horses, clips and faces, with the networks that come with Pastiche


def test_a_photo_is_translated_offline_and_a_link_comes_back(open_page, address, browser):  # noqa: F811
    page = open_page()
    page.get_by_role("tab", name="Horse → Zebra").click()
    expect(page.locator("#translate-content img")).to_be_visible()
    expect(page.locator("#translate-direction input:checked")).to_have_value("photo2vangogh")  # no horse is here
    page.locator("#translate-direction").get_by_text("Horse → zebra", exact=True).click()
    page.locator("#translate-paint").click()
    expect(page.locator("#translate-status strong")).to_have_text("Finished")
    page.locator("#translate-also").click()
    expect(page.locator("#translate-snapshots li")).to_have_count(2)
    to_share(page, "translate-")
    with page.expect_download() as download:
        page.locator("#translate-download").click()
    assert download.value.suggested_filename == "pastiche-coffee.png"
    page.locator("#translate-copy-link").click()
    expect(page.locator("#translate-copy-link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    fresh = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    fresh.goto(address + "?" + link.partition("?")[2])
    expect(fresh.locator("#translate-direction input:checked")).to_have_value("horse2zebra")
    assert too_wide(fresh) <= 0
    fresh.context.close()


def test_a_clip_is_painted_and_plays_beside_itself(open_page, tmp_path):  # noqa: F811
    page = open_page("?task=video&consistency=55", ready=("#video-style",))
    expect(page.locator("#video-paint")).to_be_visible()
    expect(page.locator("#video-consistency input[type=number]")).to_have_value("55")
    expect(page.locator("#video-content video")).to_be_visible()
    page.get_by_role("button", name="Clear").first.click()
    page.locator("#video-content input[type=file]").set_input_files(make_clip(tmp_path / "own.mp4", sound="aac"))
    expect(page.locator("#video-content video")).to_be_visible()
    page.locator("#video-paint").click()
    expect(page.locator("#video-status strong")).to_have_text("Finished")
    expect(page.locator("#video-players video")).to_have_count(2)
    page.wait_for_function(f"{PLAYERS}.every(one => one.readyState == 4)")
    assert page.evaluate(f"{PLAYERS}.map(one => one.videoWidth)") == [64, 64]
    assert page.evaluate(f"{PLAYERS}[0].duration") == pytest.approx(1, abs=0.1)
    page.evaluate(f"{PLAYERS}[0].play()")
    page.wait_for_function(f"{PLAYERS}.every(one => one.currentTime > 0.2)")


@pytest.mark.slow
def test_faces_are_sampled_and_a_film_of_them_plays(open_page):  # noqa: F811
    page = open_page("?task=faces&count=4", ready=())
    expect(page.locator("#faces-count input")).to_have_value("4")
    page.locator("#faces-paint").click()
    expect(page.locator("#faces-status strong")).to_have_text("Finished")
    cells = page.locator("#faces-snapshots [data-number]")
    expect(cells).to_have_count(4)
    page.locator("#faces-snapshots .larger").nth(1).click()
    assert page.locator("dialog img").bounding_box()["width"] > 500
    page.keyboard.press("Escape")
    cells.nth(1).click()
    page.locator("#faces-alike").click()
    expect(page.locator("#faces-like input")).to_have_value("1")
    expect(page.locator("#faces-status strong")).to_have_text("Finished")
    page.get_by_role("tab", name="Morph").click()
    page.locator("#morph-paint").click()
    expect(page.locator("#morph-status strong")).to_have_text("Finished")
    expect(page.locator("#morph-preview img")).to_have_attribute("src", re.compile(r"\.webp"))
    page.wait_for_function(f"({PLAYS})(document.querySelector('#morph-preview img'))")
    to_share(page, "morph-")
    with page.expect_download() as download:
        page.locator("#morph-film").click()
    assert download.value.suggested_filename == "pastiche-morph.webp"
    page.set_viewport_size({"width": 390, "height": 800})
    assert not too_wide(page)


def test_a_link_opens_the_inner_tab_of_faces(open_page):  # noqa: F811
    page = open_page("?task=mix_faces&first=3&second=9", ready=())
    expect(page.locator("#mix-faces-second input")).to_have_value("9")
    page.locator("#mix-faces-paint").click()
    expect(page.locator("#mix-faces-snapshots li")).to_have_count(8)
