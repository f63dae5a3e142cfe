"""The tab Video in a browser: a link opens it, a clip goes in, and what comes out plays beside it."""

from __future__ import annotations

from typing import Any

import pytest
from clips import make_clip
from test_browser import beside_optimize, browser, expect, open_page  # noqa: F401  (fixtures)

from nst.ui import video

PLAYERS = "[...document.querySelectorAll('#video-players video')]"


address = beside_optimize("Video", video.create_tab)


def test_a_clip_is_painted_and_plays_beside_itself(open_page, address, tmp_path):  # noqa: F811
    page: Any = open_page("?task=video&consistency=55", ready=("#video-style",))
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
