"""Opens pages in a real browser: Debian's Chromium, driven by Playwright.

Its headless shell takes half of the processor for a page, and a quarter while a page is just open.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import LONGEST_S

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="CHROMIUM IS NOT INSTALLED, PAGES ARE NOT TESTED: apt-get install chromium-headless-shell"
)
# Chromium has no sandbox as root. It reaches nothing but this machine, and the other options keep it from calling home.
_ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=LONGEST_S * 1000)


@contextmanager
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            opened = browser.new_page(viewport={"width": 1360, "height": 860})
            opened.set_default_timeout(LONGEST_S * 1000)
            yield opened
        finally:
            browser.close()


def enter_prefect(browser: Page, url: str, login: str) -> None:
    """Give Prefect's UI the login for which it asks once."""
    browser.goto(f"{url}/runs")
    browser.locator("input[type=password]").fill(login)
    browser.keyboard.press("Enter")
    browser.wait_for_url(f"{url}/runs")
