"""The tab Horse → Zebra in a browser, with the network that comes with Pastiche."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_run import FakeRun, quick_examples
from test_browser import browser, expect, open_page, too_wide  # noqa: F401  (fixtures)

import app
from nst.encoders import load_encoder
from nst.stylize import Estimate
from nst.ui import forecast, optimize, serving, translate


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    run = FakeRun(seconds=0.02, num_steps=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("served")))
        patch.setattr(forecast.stylize, "estimate", lambda shape, **given: Estimate(8.0, 300_000_000))
        quick_examples(patch)
        tabs = [("Optimize", lambda: optimize.create_tab(run, load_encoder)), ("Horse → Zebra", translate.create_tab)]
        page = app.build_app(tabs)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **serving.options())
        yield url
        page.close()


def test_the_first_press_translates_offline_and_a_link_comes_back(open_page, address, browser):  # noqa: F811
    page: Any = open_page()
    page.get_by_role("tab", name="Horse → Zebra").click()
    expect(page.locator("#translate-content img")).to_be_visible()
    page.locator("#translate-paint").click()
    expect(page.locator("#translate-status strong")).to_have_text("Finished")
    page.locator("#translate-also").click()
    expect(page.locator("#translate-snapshots .grid-container > *")).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#translate-download").click()
    assert download.value.suggested_filename == "pastiche-chelsea.png"
    page.locator("#translate-copy-link").click()
    expect(page.locator("#translate-copy-link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    fresh = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    fresh.goto(address + "?" + link.partition("?")[2])
    expect(fresh.locator("#translate-direction input:checked")).to_have_value("horse2zebra")
    assert too_wide(fresh) <= 0
    fresh.context.close()
