"""The tab Horse → Zebra in a browser, with the network that comes with Pastiche."""

from __future__ import annotations

from typing import Any

from test_browser import beside_optimize, browser, expect, open_page, to_share, too_wide  # noqa: F401  (fixtures)

from nst.ui import translate

address = beside_optimize("Horse → Zebra", translate.create_tab)


def test_the_first_press_translates_offline_and_a_link_comes_back(open_page, address, browser):  # noqa: F811
    page: Any = open_page()
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
