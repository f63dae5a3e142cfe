"""The tab Faces in a browser, with the network that comes with Pastiche."""

from __future__ import annotations

import re
from typing import Any

import pytest
from test_browser import beside_optimize, browser, expect, open_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst.ui import faces

PLAYS = "image => image.complete && image.naturalWidth > 0"


address = beside_optimize("Faces", faces.create_tab)


@pytest.mark.slow
def test_faces_are_sampled_and_a_film_of_them_plays(open_page):  # noqa: F811
    page: Any = open_page("?task=faces&count=4", ready=())
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


def test_a_link_opens_the_inner_tab_that_it_is_for(open_page):  # noqa: F811
    page: Any = open_page("?task=mix_faces&first=3&second=9", ready=())
    expect(page.locator("#mix-faces-second input")).to_have_value("9")
    page.locator("#mix-faces-paint").click()
    expect(page.locator("#mix-faces-snapshots li")).to_have_count(8)
