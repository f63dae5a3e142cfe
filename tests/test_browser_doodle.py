"""The tab Doodle in a browser: painting for real on a small picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageColor
from test_browser import browser, expect, open_page, serving_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst import styles
from nst.images import read_recipe
from nst.ui import doodle

QUERY = "?task=doodle&size=64&num_steps=3"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with serving_page(tmp_path_factory.mktemp("served"), [("Doodle", doodle.create_tab)]) as url:
        yield url


def drawn(page: Any) -> Any:
    """Waits until the canvas is laid out."""
    expect(page.locator("#doodle-map img")).to_be_visible()
    expect(page.locator("#doodle-palette button")).to_have_count(len(styles.meanings("night")))
    page.locator("#doodle-canvas canvas").first.scroll_into_view_if_needed()
    expect(page.locator("#doodle-canvas").get_by_role("button", name="Undo")).to_be_enabled()
    return page.locator("#doodle-canvas canvas").first


@pytest.mark.slow
def test_what_is_drawn_is_painted(open_page, tmp_path: Path):  # noqa: F811
    page = open_page(QUERY, height=1400, ready=("#doodle-style",))
    canvas = drawn(page)
    page.locator("#doodle-begin").get_by_text("Empty", exact=True).click()
    page.locator("#doodle-palette button", has_text="Trees").click()
    shade = ", ".join(map(str, ImageColor.getrgb(styles.meanings("night")["Trees"])))
    brush = page.locator("#doodle-canvas").get_by_role("button", name="Color", exact=True)
    expect(brush).to_have_css("color", f"rgb({shade})")
    page.wait_for_timeout(500)
    box = canvas.bounding_box()
    for y in (0.4, 0.45, 0.5, 0.55, 0.6):
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + y * box["height"], steps=8)
        page.mouse.up()
        page.wait_for_timeout(150)
    page.locator("#doodle-paint").click()
    expect(page.locator("#doodle-status strong")).to_have_text("Finished")
    expect(page.locator("#doodle-compare .before")).to_be_visible()
    to_share(page, "doodle-")
    with page.expect_download() as download:
        page.locator("#doodle-download").click()
    download.value.save_as(tmp_path / "result.png")
    made = Image.open(tmp_path / "result.png")
    assert made.size == (64, 51) and read_recipe(tmp_path / "result.png")["task"] == "doodle"
    address = page.locator("#doodle-compare .before").evaluate("image => image.src")
    (tmp_path / "before.jpg").write_bytes(page.request.get(address).body())
    before = Image.open(tmp_path / "before.jpg").convert("RGB")
    middle, corner = (before.getpixel((x, y)) for x, y in ((32, 25), (3, 3)))
    near = [sum(abs(a - b) for a, b in zip(middle, ImageColor.getrgb(c), strict=True)) for c in COLORS]
    assert near[0] == min(near), "a tree stands in the middle"
    assert sum(abs(a - b) for a, b in zip(corner, ImageColor.getrgb(COLORS[1]), strict=True)) < 40


COLORS = [styles.meanings("night")[word] for word in ("Trees", "Sky", "Hills", "River", "Stars")]


@pytest.mark.slow
def test_a_phone_shows_it_whole(open_page):  # noqa: F811
    page = open_page(QUERY, width=390, height=844, ready=("#doodle-style",), has_touch=True)
    drawn(page)
    assert too_wide(page) <= 0
    page.get_by_role("button", name="A doodle from a file").click()
    expect(page.locator("#doodle-content")).to_be_visible()
    assert too_wide(page) <= 0
