"""Every tab in a browser, as axe sees it: nothing that keeps people out, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_browser import browser, expect, open_page, serving_page  # noqa: F401  (fixtures)
from test_browser_sharing import findings  # skips where axe is not installed

TABS = {
    "Optimize": ["content"],
    "Fast styles": ["fast-content"],
    "Mix": ["mix-content"],
    "Color": ["color-content"],
    "Explore": ["survey-content", ("Texture", "texture-style"), ("Inversion", "invert-content"), ("Doodle", "doodle")],
    "Faces": ["faces-count", ("Mix two", "mix-faces-first"), ("Morph", "morph-faces"), ("Project", "project-content")],
    "Horse → Zebra": ["translate-content"],
    "Measure": ["measure-result"],
    "Gallery": ["gallery"],
}
"""What stands in each tab, and in the tabs within it."""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with serving_page(tmp_path_factory.mktemp("served")) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_every_tab(open_page, scheme):  # noqa: F811
    page: Any = open_page(color_scheme=scheme)
    found = {}
    assert page.locator("#tabs > .tab-wrapper [role=tab]:visible").all_inner_texts() == list(TABS)
    for title, (first, *inner) in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        for name, element in [("", first), *inner]:
            if name:
                page.get_by_role("tab", name=name, exact=True).click()
            expect(page.locator(f"#{element}")).to_be_visible()
            page.wait_for_load_state("networkidle")
            for more in page.locator(".more-box > button:visible").all():
                more.click()
            found[title, name] = findings(page)
    assert not {tab: told for tab, told in found.items() if told}
