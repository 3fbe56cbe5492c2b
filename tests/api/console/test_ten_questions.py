"""Ten questions of operators: each is answered in a real browser, by at most three clicks from the overview."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from tests.api.console.conftest import PLAIN, Browser, Console
from tests.batches import filled
from tests.installations import archived, installed
from tests.samples import sample_body

MOST_CLICKS = 3
HAIFA, ELSEWHERE, PAID = "lease-haifa", "lease-eilat", "lease-paid"


YESTERDAY = (datetime.now(ZoneInfo("Asia/Jerusalem")) - timedelta(days=1)).date()


def lease(reference: str, branch: str, status: str) -> bytes:
    """Return a lease whose payment was tried yesterday."""
    document = json.loads(sample_body(reference))
    document["sessions"][0]["submitted_at"] = f"{YESTERDAY}T12:00:00"
    document["payments"][0]["type"] = "charge"
    document["sessions"][0]["template"]["id"] = "lease"
    document["sessions"][0]["labels"] = {"branch": branch}
    document["payments"][0]["status"] = status
    return json.dumps(document).encode()


@pytest.fixture(scope="module")
def leases(troubled: Console) -> Console:
    """The console with three leases, one of them of the Haifa branch and with a failed payment."""
    with installed(troubled.folder, **troubled.settings):
        archived(HAIFA, lease(HAIFA, "חיפה", "failure"))
        archived(ELSEWHERE, lease(ELSEWHERE, "אילת", "failure"))
        archived(PAID, lease(PAID, "חיפה", "success"))
    return troubled


class Walk:
    """A way through the console from its overview, on which each click counts, and a form that is sent by a key too."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.open("/console/")
        self._browser = browser
        self.clicks = 0

    def search(self, text: str) -> "Walk":
        self.page.fill("#search", text)
        with self.page.expect_navigation():
            self.page.press("#search", "Enter")
        self.clicks += 1
        return self

    def click(self, selector: str) -> "Walk":
        self._browser.follow(self.page.locator(selector).first)
        self.clicks += 1
        return self

    def press(self, selector: str) -> "Walk":
        """Click what leads to no other page."""
        self.page.locator(selector).first.click()
        self.clicks += 1
        return self

    def to(self, reference: str) -> "Walk":
        return self.search(reference).click(f"tr[data-reference='{reference}'] a")

    def text(self, selector: str = "main") -> str:
        assert self.clicks <= MOST_CLICKS
        return self.page.locator(selector).first.inner_text()


@pytest.fixture
def walk(leases: Console, browser: Browser) -> Walk:
    assert leases
    return Walk(browser)


def test_was_it_charged_held_or_verified(walk: Walk) -> None:
    assert "Verified" in walk.to(PLAIN).text("#payments")


def test_which_charged_payments_are_not_settled(walk: Walk) -> None:
    walk.click(".console-actions a[href*='standing=charged']")
    assert walk.page.locator(f"main a[href$='{PAID}']").is_visible()
    assert not walk.page.locator(f"main a[href$='{HAIFA}']").is_visible()

    walk.page.locator(".triage-filters summary").click()
    walk.page.fill("[name=currency]", "ILS")
    walk.page.press("[name=currency]", "Enter")
    walk.page.locator("#results a[href*='.csv'][href*='currency=ILS']").wait_for()
    chart = walk.page.locator("section[aria-labelledby=amounts-ILS-title] .chart-canvas:has(canvas)")
    chart.press("ArrowLeft")
    with walk.page.expect_navigation():
        chart.press("Enter")  # as a click on its point does
    assert f"paid_from={YESTERDAY}&paid_to={YESTERDAY}" in walk.page.url


def test_who_was_told(walk: Walk) -> None:
    told = walk.to(filled(4)["reference"]).text("#messages")

    assert "http://127.0.0.1:9/hook" in told
    assert "Delivered" in told


def test_prove_that_nothing_was_altered(walk: Walk) -> None:
    """The overview says when the store was checked and anchored; each exported archive has a program that checks it."""
    walk.page.wait_for_selector("#parts details")
    checked = walk.press("#parts summary").text("#parts")
    assert "Last check of the store" in checked
    assert "Last anchor" in checked
    assert "Last comparison with an anchor" in checked

    proof = walk.search(PLAIN).click(f"tr[data-reference='{PLAIN}'] a").text("#verdict")
    assert "Unchanged since it was signed" in proof
    assert "its last version is not covered yet" in walk.text("#summary")
