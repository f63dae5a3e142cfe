"""Somebody who has never seen the app, on a phone and without a keyboard: from the first drag to a stranger's remix."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from test_browser import PATIENCE, browser, expect, open_page, serving_page, to_share, too_wide  # noqa: F401  (fixtures)
from test_browser_visit import SMALL


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASTICHE_RESULTS", str(tmp_path_factory.mktemp("results")))
        with serving_page(tmp_path_factory.mktemp("served")) as url:
            yield url


IN_VIEW = """() => { const box = document.querySelector('#fast-compare .after')?.getBoundingClientRect();
    return box && box.top >= 0 && box.bottom <= innerHeight && box.width > 200; }"""


@pytest.mark.slow
def test_a_newcomer_gets_to_a_picture_worth_sharing_by_thumb_alone(open_page, browser):  # noqa: F811
    page: Any = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    frame = page.locator("#compare .frame")
    box = frame.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    assert float(frame.evaluate("e => parseFloat(e.style.getPropertyValue('--split'))")) > 70

    page.get_by_role("tab", name="Fast styles").tap()
    expect(page.locator("#fast-content img")).to_be_visible()
    page.locator("#fast-styles button[data-name=great_wave]").tap()
    expect(page.locator("#fast-status strong")).to_have_text("Finished")
    answered = time.monotonic()
    page.wait_for_function(IN_VIEW)
    print(f"In view {time.monotonic() - answered:.1f} s after the answer")
    first = page.locator("#fast-compare .after").get_attribute("src")

    page.locator("#fast-content-examples button[data-name=chelsea]").tap()
    expect(page.locator("#fast-content-examples button[data-name=chelsea]")).to_have_attribute("aria-pressed", "true")
    page.locator("#fast-styles button[data-name=ink]").tap()
    expect(page.locator("#fast-compare .after")).not_to_have_attribute("src", first)
    expect(page.locator("#fast-compare .before")).to_be_visible()
    page.wait_for_function("() => document.querySelector('#fast-download a, #fast-download')")
    expect(page.locator("#fast-status strong")).to_have_text("Finished")

    to_share(page, "fast-")
    assert too_wide(page) <= 0
    page.locator("#fast-share-before input").check()
    page.locator("#fast-share-create").tap()
    link = page.locator("#fast-shared input").first.input_value()
    assert re.search(r"/r/[\w-]+$", link)
    assert page.evaluate(SMALL) == []
    close, sheet, choice = (
        page.locator(f"#fast-{one}").bounding_box() for one in ("sheet .close", "sheet", "share-public")
    )
    assert close["x"] > sheet["x"] + sheet["width"] / 2, "where one looks for it"
    assert choice["height"] >= 43.5, "all choices are whole, however full the sheet is"

    stranger = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    stranger.set_default_timeout(PATIENCE)
    stranger.goto(link)
    expect(stranger.locator(".frame img").first).to_be_visible()
    assert too_wide(stranger) <= 0
    stranger.get_by_role("link", name="Remix").tap()
    expect(stranger.locator("#fast-compare .after")).to_have_attribute("src", re.compile(r"^r/.+\.webp$"))
    expect(stranger.locator("#fast-compare .before")).to_be_visible()
    expect(stranger.locator("#fast-styles button[data-name=ink]")).to_have_attribute("aria-pressed", "true")
    stranger.locator("#fast-paint").tap()
    expect(stranger.locator("#fast-status strong")).to_have_text("Finished")
    stranger.context.close()


@pytest.mark.slow
def test_the_page_is_light(browser, address):  # noqa: F811
    """Under a megabyte and in 60 requests, once all tabs are there; the player of clips comes with its tab.

    And gradio watches none of its long lists, which would take a third of the time until *Paint* can be pressed.
    """
    page: Any = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    session, seen = page.context.new_cdp_session(page), dict[str, float]()
    session.send("Network.enable")

    def asked(said: dict[str, Any]) -> None:
        if said["request"]["url"].startswith("http"):  # pictures within the page are none
            seen.setdefault(said["requestId"], 0)

    def came(said: dict[str, Any]) -> None:
        if said["requestId"] in seen:
            seen[said["requestId"]] = said["encodedDataLength"]

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.loadingFinished", came)
    page.goto(address)
    expect(page.locator("#content img")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(3000)
    assert sum(seen.values()) < 1_000_000 and len(seen) <= 60, (sum(seen.values()), len(seen))
    plain = "(name) => Object.getPrototypeOf(gradio_config[name]) === Array.prototype"
    assert not any(page.evaluate(plain, name) for name in ("components", "dependencies"))
