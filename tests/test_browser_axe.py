"""Every tab in a browser, as axe sees it: nothing that keeps people out, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_browser import browser, expect, open_page, serving_page, too_wide  # noqa: F401  (fixtures)
from test_browser_sharing import findings  # skips where axe is not installed
from test_browser_visit import SMALL

TABS = {
    "Optimize": {"": "#content img"},
    "Fast styles": {"": "#fast-content img"},
    "Mix": {"": "#mix-content img"},
    "Color": {"": "#color-content img"},
    "Doodle": {"": "#doodle-map img"},
    "Video": {"": "#video-style img"},
    "Faces": {
        "Sample": "#faces-count input",
        "Mix two": "#mix-faces-first input",
        "Morph": "#morph-faces",
        "Project": "#project-content img",
        "How it learned": "#faces-strip",
    },
    "Horse → Zebra": {"": "#translate-content img"},
    "Lab": {
        "What layers keep": "#layers-content img",
        "Texture": "#texture-style img",
        "Inversion": "#invert-content img",
        "Measure": "#measure-result img",
        "Map": "#map-examples",
    },
    "Gallery": {"": "#gallery"},
}
"""What stands in each tab, or in each tab within it."""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with serving_page(tmp_path_factory.mktemp("served")) as url:
        yield url


def each_tab(page: Any) -> Iterator[tuple[str, str]]:
    """Opens one tab after the other, and all that is closed in it."""
    assert page.locator("#tabs > .tab-wrapper [role=tab]:visible").all_inner_texts() == list(TABS)
    for title, inner in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        for name, element in inner.items():
            if name:
                page.get_by_role("tab", name=name, exact=True).click()
            expect(page.locator(element).first).to_be_visible()
            for more in page.locator(".more-box > button:visible").all():
                more.click()
            yield title, name


@pytest.mark.slow
def test_everybody_can_use_every_tab(open_page):  # noqa: F811
    page: Any = open_page()
    found = {tab: findings(page) for tab in each_tab(page)}
    assert not {tab: told for tab, told in found.items() if told}


@pytest.mark.slow
def test_every_tab_is_for_thumbs(open_page):  # noqa: F811
    page: Any = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    found = {}
    for tab in each_tab(page):
        if tab[0] == "Doodle":
            expect(page.locator("#doodle-canvas").get_by_role("button", name="Brush Size")).to_be_visible()
        found[tab] = page.evaluate(SMALL)
        assert too_wide(page) <= 0, tab
    assert not {tab: told for tab, told in found.items() if told}
