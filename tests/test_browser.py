"""The app in a browser: headless Chromium against a server on this machine, with a run that mostly pretends."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_run import FakeRun, quick_examples
from gradio import routes
from gradio.state_holder import SessionState
from PIL import Image

import app
from nst.encoders import load_encoder
from nst.images import encode, read_recipe
from nst.server import sessions
from nst.stylize import Estimate, style_transfer
from nst.tasks.recipe import make_recipe
from nst.ui import forecast
from nst.ui.app import launch_options
from nst.ui.optimize import create_tab

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
if not CHROMIUM:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
LONG = 1000
"""Steps of a run that no busy machine ends before it is stopped."""

REAL = 1
"""The seed with which the server really paints."""

BROKEN_OFF = re.compile("AbortError|Connection errored out|Failed to fetch|Load failed|net::ERR_|NetworkError")

PATIENCE = 90_000  # milliseconds; machines that run tests are busy

NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, [role=slider]')]
    .filter(e => e.offsetParent !== null)
    .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.labels?.length ||
                   e.getAttribute('aria-labelledby')))
    .map(e => e.outerHTML.slice(0, 200))"""
"""Finds what a screen reader has no name for."""

OpenPage = Callable[..., Any]


@contextmanager
def serving_page(folder: Path, tabs: Sequence[tuple[str, Callable[[], object]]] | None = None) -> Iterator[str]:
    """The app with these tabs, or all, at the address that is yielded; its files lie in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(forecast.stylize, "estimate", lambda shape, **given: Estimate(8.0, 300_000_000))
        patch.setattr(SessionState, "__init__", SessionState.__init__)
        patch.setattr(routes, "StateHolder", routes.StateHolder)
        sessions.look_after()  # as where it is served; else gradio describes every component for each page that opens
        quick_examples(patch)
        page = app.build_app(tabs)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
        yield url
        page.close()


def beside_optimize(title: str, lay_out: Callable[[], object]) -> Any:
    """A fixture: the address of the app with this tab, beside the first one, whose runs pretend."""

    @pytest.fixture(scope="module")
    def address(tmp_path_factory) -> Iterator[str]:
        run = FakeRun(seconds=0.02, num_steps=20)
        tabs = [("Optimize", lambda: create_tab(run, load_encoder)), (title, lay_out)]
        with serving_page(tmp_path_factory.mktemp("served"), tabs) as url:
            yield url

    return address


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server whose runs pretend, unless the seed is `REAL`."""
    fake = FakeRun(seconds=0.04, num_steps=LONG)

    def run(*pictures: Any, **settings: Any) -> Any:
        return (style_transfer if settings.get("seed") == REAL else fake)(*pictures, **settings)

    with serving_page(tmp_path_factory.mktemp("served"), [("Optimize", lambda: create_tab(run, load_encoder))]) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as chromium:
        started = chromium.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, address) -> Iterator[OpenPage]:
    """Opens the app for a new visitor; whatever a page complains of, or asks of other servers, fails the test."""
    complaints: list[str] = []
    contexts = []

    def left(frame: Any) -> None:
        """A page that is left breaks off what it was waiting for: no fault of the app's."""
        if frame.parent_frame is None:
            complaints[:] = [said for said in complaints if not BROKEN_OFF.search(said)]

    def open_one(
        query: str = "",
        width: int = 1280,
        height: int = 900,
        ready: tuple[str, ...] = ("#content", "#style"),
        **options: Any,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            permissions=["clipboard-read", "clipboard-write"],
            accept_downloads=True,
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("framenavigated", left)
        page.on("request", lambda asked: complaints.append(asked.url) if _is_foreign(asked.url, address) else None)
        page.goto(address + query)
        for picture in ready:
            expect(page.locator(f"{picture} img")).to_be_visible()
        return page

    yield open_one
    heard = [*complaints]
    for context in contexts:
        context.close()
    assert not heard


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address.rstrip("/"), "data:", "blob:"))


def status(page: Any) -> Any:
    return page.locator("#status strong")


def to_share(page: Any, prefix: str = "") -> None:
    """Opens a tab's sheet of ways to share, if it is not open."""
    if not page.locator(f"#{prefix}sheet").is_visible():
        page.locator(f"#{prefix}share").click()


def too_wide(page: Any) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_the_first_press_paints(open_page, tmp_path):
    page = open_page(f"?size=64&num_steps=6&seed={REAL}")
    assert page.title() == "Pastiche"
    expect(page.get_by_role("heading", name="Pastiche")).to_be_visible()
    expect(page.locator("#estimate")).to_contain_text("About 8 s")
    page.get_by_role("button", name="Paint").click()
    expect(status(page)).to_have_text("Finished")
    expect(page.locator("#curves polyline")).to_have_count(3)
    expect(page.locator("#snapshots img").first).to_be_visible()
    expect(page.locator("#compare img").first).to_be_visible()
    to_share(page)
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "result.png")
    assert download.value.suggested_filename == "pastiche-coffee-night.png"
    assert max(Image.open(tmp_path / "result.png").size) == 64
    recipe = read_recipe(tmp_path / "result.png")
    assert recipe and recipe["settings"]["num_steps"] == 6 and recipe["models"]


def test_stop_keeps_the_picture_and_continue_goes_on(open_page):
    page = open_page("?size=128")
    page.locator("#paint").click()
    expect(status(page)).to_contain_text("Painting, ")
    expect(page.locator("#preview img")).to_be_visible()
    page.locator("#stop").click()
    expect(status(page)).to_have_text("Stopped")
    expect(page.locator("#compare .after")).to_be_visible()
    expect(page.locator("#download")).to_be_enabled()
    expect(status(page)).to_have_text("Stopped")
    before = int(re.findall(rf"After (\d+) of {LONG}", page.inner_text("#status"))[0])
    page.locator("#continue").click()
    expect(page.locator("#status")).to_contain_text(f"of {before + LONG:d}")
    page.locator("#stop").click()
    expect(status(page)).to_have_text("Stopped")
    after = int(re.findall(r"After (\d+) of", page.inner_text("#status"))[0])
    assert before < after < before + LONG


def test_a_copied_link_opens_with_the_same_settings(open_page):
    page = open_page()
    page.locator("#style-examples button[data-name=waves]").click()
    expect(page.locator("#style-examples button[data-name=waves]")).to_have_attribute("aria-pressed", "true")
    page.locator("#strength input[type=number]").fill("72")
    page.locator("#preset").get_by_text("Best").click()
    page.get_by_role("button", name="Research settings").click()
    page.locator("#num_steps input").fill("33")
    page.locator("#num_steps input").press("Tab")
    to_share(page)
    page.locator("#copy-link").click()
    expect(page.locator("#copy-link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert page.evaluate("location.href") == link and "style=waves" in link
    expect(page.locator("#copy-link")).to_have_text("Copy link")

    fresh = open_page("?" + link.partition("?")[2])
    expect(fresh.locator("#strength input[type=number]")).to_have_value("72")
    expect(fresh.locator("#preset input:checked")).to_have_value("best")
    expect(fresh.locator("#style-examples button[aria-pressed=true]")).to_have_attribute("data-name", "waves")
    fresh.get_by_role("button", name="Research settings").click()
    expect(fresh.locator("#num_steps input")).to_have_value("33")


def _pastiche(path: Path, **settings: Any) -> Path:
    picture = Image.linear_gradient("L").convert("RGB").resize((64, 48))
    path.write_bytes(encode(picture, recipe=make_recipe(settings, style="waves")))
    return path


def test_a_dropped_result_restores_its_settings(open_page, tmp_path):
    page = open_page()
    made = _pastiche(tmp_path / "made.png", strength=12, preset="draft", tv_weight=0.25)
    page.locator("#content input[type=file]").set_input_files(made)
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("settings")
    expect(page.locator("#strength input[type=number]")).to_have_value("12")
    expect(page.locator("#preset input:checked")).to_have_value("draft")
    page.get_by_role("button", name="Research settings").click()
    expect(page.locator("#tv_weight input")).to_have_value("0.25")
    page.get_by_role("button", name="Reset all settings").click()
    expect(page.locator("#preset input:checked")).to_have_value("good")
    page.get_by_test_id("Restore from a Pastiche picture-upload-button").set_input_files(made)
    expect(page.locator("#preset input:checked")).to_have_value("draft")
    expect(page.locator("#style-examples button[aria-pressed=true]")).to_have_attribute("data-name", "waves")


def test_a_file_that_is_no_picture_is_refused_kindly(open_page, tmp_path):
    page = open_page()
    (tmp_path / "notes.png").write_text("hello")
    page.locator("#content input[type=file]").set_input_files(tmp_path / "notes.png")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("not a picture of a known kind")
    expect(page.locator("#content img")).to_have_attribute("src", re.compile("coffee"))
    page.locator("#content").get_by_role("button", name="Remove Image").click()
    page.locator("#paint").click()
    expect(page.get_by_text("Choose a photo first")).to_be_visible()
    expect(page.locator("#paint")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [
        pytest.param(390, 844, "light", id="phone"),
        pytest.param(820, 1180, "dark", id="tablet", marks=pytest.mark.slow),
    ],
)
def test_narrow_pages_do_not_scroll_sideways(open_page, width, height, scheme):
    page = open_page("?size=64&num_steps=5", width, height, color_scheme=scheme, has_touch=True)
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    assert too_wide(page) <= 0
    page.locator("#paint").click()
    expect(status(page)).to_have_text("Finished")
    page.wait_for_function("document.querySelector('#compare').getBoundingClientRect().top < innerHeight * 0.6")
    assert too_wide(page) <= 0
    page.get_by_role("button", name="Research settings").click()
    expect(page.locator("#num_steps input")).to_be_visible()
    assert too_wide(page) <= 0


def test_everything_has_a_name(open_page):
    page = open_page()
    page.get_by_role("button", name="Research settings").click()
    assert not page.evaluate(NAMELESS)
    assert not page.locator("img:not([alt])").count()
