"""Sharing in a browser, from the press on Paint to a stranger's remix with the same pixels; and using it by keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_run import FakeRun
from PIL import Image
from test_browser import PATIENCE, browser, expect, open_page, serving_page, status, to_share, too_wide  # noqa: F401  (fixtures)

from nst.encoders import load_encoder
from nst.images import decode
from nst.server import limits
from nst.ui import gallery
from nst.ui.optimize import create_tab

axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

REAL = 1
"""The seed with which the server really paints."""

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server whose runs pretend, unless the seed is `REAL`; with a folder for results of its own."""
    real, fake = limits.limited(limits.stylize.style_transfer), FakeRun(seconds=0.02, num_steps=20)

    def run(*pictures: Any, **settings: Any) -> Any:
        return (real if settings.get("seed") == REAL else fake)(*pictures, **settings)

    tabs = [("Optimize", lambda: create_tab(run, load_encoder)), ("Gallery", gallery.create_tab)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASTICHE_RESULTS", str(tmp_path_factory.mktemp("results")))
        with serving_page(tmp_path_factory.mktemp("served"), tabs) as url:
            yield url


def photo(path: Path, seed: int) -> Path:
    Image.effect_noise((96, 72), 60 + seed).convert("RGB").save(path)
    return path


def paint(page: Any) -> None:
    page.locator("#paint").click()
    expect(status(page)).to_have_text("Finished")


def share(page: Any, *ticked: str) -> tuple[str, str]:
    """Share what was painted; the link, and the one that deletes."""
    to_share(page)
    for name in ticked:
        page.locator(f"#share-{name} input").check()
    page.locator("#share-create").click()
    expect(page.locator("#shared input").first).to_be_visible()
    link, gone = (field.input_value() for field in page.locator("#shared input").all())
    return link, gone


def download(page: Any, path: Path) -> Image.Image:
    to_share(page)
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(path)
    return decode(path).rgb


def follow(page: Any, address: str) -> str:
    """Where a link of ours leads on the server under test."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}".rstrip("?")


def test_a_stranger_s_remix_gives_the_same_pixels(browser, address, open_page, tmp_path):  # noqa: F811
    mine = open_page(f"?size=64&num_steps=8&seed={REAL}&strength=70")
    for i, kind in enumerate(("content", "style")):
        mine.locator(f"#{kind} input[type=file]").set_input_files(photo(tmp_path / f"{kind}.png", i))
        expect(mine.locator(f"#{kind} img")).to_have_attribute("src", re.compile(f"{kind}\\.png"))
    paint(mine)
    first = download(mine, tmp_path / "first.png")
    link, gone = share(mine, "before", "inputs")
    mine.locator("#shared button").click()
    expect(mine.locator("#shared button")).to_have_text("Copied")
    assert mine.evaluate("navigator.clipboard.readText()") == link

    complaints: list[str] = []
    stranger = browser.new_context(accept_downloads=True).new_page()
    stranger.set_default_timeout(PATIENCE)
    stranger.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    stranger.goto(link)
    expect(stranger.locator(".frame img").first).to_be_visible()
    stranger.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert "Style strength" in stranger.inner_text("dl") and "70" in stranger.inner_text("dl")
    assert not complaints, complaints

    stranger.get_by_role("link", name="Remix").click()
    expect(stranger.locator("#style img")).to_have_attribute("src", re.compile(r"style\.png"))
    expect(stranger.locator("#content img")).to_have_attribute("src", re.compile(r"content\.png"))
    expect(stranger.locator("#strength input[type=number]")).to_have_value("70")
    paint(stranger)
    again = download(stranger, tmp_path / "again.png")
    assert again.tobytes() == first.tobytes(), "the same settings, inputs and seed, on the same machine"

    mine.goto(gone)
    mine.get_by_role("button", name="Delete").click()
    expect(mine.get_by_role("heading", name="Deleted")).to_be_visible()
    for place in (gone, link):
        assert browser.new_context().request.get(place).status == 404, "once"


@pytest.mark.slow
def test_before_and_after_slide_by_key_and_finger(open_page, browser):  # noqa: F811
    page = open_page("?size=64&num_steps=3")
    paint(page)
    link, _ = share(page, "before")
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    phone.goto(link)
    assert too_wide(phone) <= 0
    split = phone.locator("#split")
    split.focus()
    for _ in range(10):
        phone.keyboard.press("ArrowRight")
    assert phone.evaluate("getComputedStyle(document.querySelector('.frame')).getPropertyValue('--split')") == "60%"
    box = phone.locator(".frame").bounding_box()
    phone.touchscreen.tap(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    assert phone.evaluate("+document.querySelector('#split').value") < 30


@pytest.mark.slow
def test_the_gallery_shows_it_and_remixes(open_page):  # noqa: F811
    page = open_page("?size=64&num_steps=3&strength=33")
    paint(page)
    link, _ = share(page, "public")
    page.get_by_role("tab", name="Gallery").click()
    card = page.locator("#gallery li").first
    expect(card.locator("img")).to_be_visible()
    assert page.evaluate("document.querySelector('#gallery img').src").startswith(link)
    card.get_by_role("link", name="Remix").click()
    expect(page.locator("#strength input[type=number]")).to_have_value("33")
    expect(page).to_have_url(re.compile(f"remix={link.rpartition('/')[2]}"))


@pytest.mark.slow
def test_the_hint_goes_away(open_page):  # noqa: F811
    page = open_page()
    expect(page.locator("#hint aside")).to_be_visible()
    page.locator("#hint button").click()
    expect(page.locator("#hint aside")).to_be_hidden()
    page.reload()
    expect(page.locator("#content img")).to_be_visible()
    expect(page.locator("#hint aside")).to_be_hidden()


SERIOUS = ("serious", "critical")
SETTLED = """() => !document.querySelector('.pending') && document.getAnimations().every(
    (one) => one.playState !== 'running' || one.effect.getComputedTiming().iterations === Infinity)"""


BY_COLOR = {"runOnly": ["color-contrast", "link-in-text-block"]}
"""The rules of axe's whose answer hangs on the colors."""

NIGHT = """() => matchMedia('(prefers-color-scheme: dark)').matches &&
    (document.body.classList.contains('dark') || !document.querySelector('gradio-app'))"""


def findings(page: Any) -> list[str]:
    """What axe finds, of a kind that keeps people out, in a page or frame by day; and in its colors by night."""
    found, whole = found_now(page), getattr(page, "page", page)
    whole.emulate_media(color_scheme="dark")
    page.wait_for_function(NIGHT)
    found += found_now(page, **BY_COLOR)
    whole.emulate_media(color_scheme="light")
    return found


def found_now(page: Any, **options: Any) -> list[str]:
    """The same in the light that there is, once nothing fades in any more."""
    page.wait_for_function(SETTLED)
    options |= {"resultTypes": ["violations"], "preload": False}
    results = axe_playwright.Axe().run(page, options=options).response
    return [
        f"{found['id']}: {node['html'][:160]} ({node['failureSummary'][:160]})"
        for found in results["violations"]
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]


@pytest.mark.slow
def test_everybody_can_use_the_page(open_page):  # noqa: F811
    page = open_page("?size=64&num_steps=3")
    page.get_by_role("button", name="Research settings").click()
    assert not findings(page)
    paint(page)
    link, gone = share(page, "before", "public")
    assert not findings(page)
    page.get_by_role("tab", name="Gallery").click()
    expect(page.locator("#gallery img").first).to_be_visible()
    assert not findings(page)
    for address in (link, gone):
        page.goto(address)
        assert not findings(page)


def test_the_keys_go_through_the_page_in_its_order(open_page):  # noqa: F811
    page = open_page()
    places = []
    for _ in range(60):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "() => { const here = document.activeElement; return here.closest('[id]')?.id || here.tagName; }"
        )
        places.append(place)
        if place == "paint":
            break
    order = [places.index(name) for name in ("content", "style", "strength", "preset", "size", "more", "paint")]
    assert order == sorted(order), places
