"""Tasks and questions of people at the keyboard alone: each takes at most ten keys from the overview."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlmodel import col, delete

from adapters.settings.settings import settings
from adapters.tables.open_conditions import open_numbers
from adapters.tables.runs import refused
from models.archive.archive import State
from models.discrepancies import HOLD_CODES, Discrepancy, DiscrepancyCode
from models.messages.notification import NotificationRow
from models.runs.receipt import RefusedDelivery
from models.store.condition import DerivedCode
from services.payments.discrepancies import reconcile_many
from tests.api.console.conftest import CONTRACT, PERSON, Browser, Console
from tests.api.console.test_intake import FIRST, office  # noqa: F401  # a fixture
from tests.api.console.test_troubles import of_api
from tests.api.console.troubles import message, put
from tests.batches import fill, filled
from tests.installations import archived, installed
from tests.payments import booked, payment
from tests.records import change, digest
from tests.samples import sample_body
from tests.settlements import imported

MOST_KEYS = 10
NOW = datetime.now(UTC)


class Hands:
    """A person at the keyboard, on the page that has just been opened. Every key counts."""

    def __init__(self, browser: Browser, language: str) -> None:
        self.page: Page = browser.open("/console/", language)
        self.keys = 0

    def press(self, *keys: str) -> "Hands":
        for each in keys:
            (self.page.keyboard.press if each.isascii() else self.page.keyboard.type)(each)
            self.keys += 1
        assert self.keys <= MOST_KEYS
        return self

    def follow(self, *keys: str) -> "Hands":
        """Press keys, the last of which leads to another page."""
        self.press(*keys[:-1])
        with self.page.expect_navigation():
            self.press(keys[-1])
        return self

    def to(self, row: Locator) -> "Hands":
        """Go down to a row."""
        row.wait_for()
        while not row.evaluate("row => row.contains(document.activeElement)"):
            self.press("j")
        return self


@pytest.fixture
def hands(troubled: Console, browser: Browser) -> Iterator[Hands]:
    """The hands of a person who reads Hebrew, and pages without any fault afterwards."""
    with installed(troubled.folder, **troubled.settings):
        yield Hands(browser, "he")
    assert browser.violations() == []
    assert browser.overflow_px() == 0


def refused_body(number: int) -> RefusedDelivery:
    its_id, at = digest(f"task {number}"), datetime.now(UTC)
    said, values = "at byte 7: it ends", {"byte": 7, "reason": "it ends"}
    delivery_id = f"{at:%Y%m%dT%H%M%S.%fZ}-{its_id[:8]}"
    return RefusedDelivery(delivery_id, its_id, at, 9, "TRUNCATED", "", said, values=values)


def test_dismiss_seventy_refused_bodies_and_take_it_back(hands: Hands) -> None:
    refused.record([refused_body(number) for number in range(70)])
    hands.follow("g", "r").to(hands.page.locator("tr", has_text="TRUNCATED")).follow("x", "1")

    assert "TRUNCATED" not in open_numbers(DerivedCode.DELIVERY_REFUSED)
    assert "70" in hands.page.locator(".alert-success").inner_text()

    hands.keys = 0
    hands.follow("u")
    assert open_numbers(DerivedCode.DELIVERY_REFUSED)["TRUNCATED"] == 70
    hands.to(hands.page.locator("tr.triage-group", has_text="TRUNCATED")).follow("x", "3")


def test_explain_twenty_alike_discrepancies(hands: Hands) -> None:
    names = [filled(number, State.COMPLETED, reference=f"held-{number}") for number in range(20)]
    fill(names)
    held = Discrepancy(DiscrepancyCode.AGING_HOLD, "t", "charged or released within 7 days", "held since 2026-01-01")
    reconcile_many({each["reference"]: [held] for each in names}, HOLD_CODES, NOW)

    hands.follow("g", "d").to(hands.page.locator("tr", has_text="AGING_HOLD")).follow("x", "1")

    assert "20" in hands.page.locator(".alert-success").inner_text()
    assert "AGING_HOLD" not in open_numbers(DerivedCode.DISCREPANCY_OPEN)


def test_run_all_archives_again_that_failed_for_a_cause(troubled: Console, hands: Hands) -> None:
    fill([filled(number, cause="DATABASE_AWAY", reference=f"away-{number}") for number in range(3)])
    hands.follow("g", "f").to(hands.page.locator("tr", has_text="DATABASE_AWAY")).follow("Tab", "Enter")
    hands.follow("Tab", "Tab", "Tab", "Enter")

    assert of_api(troubled, f"/api/bulk-reruns/{hands.page.url.rpartition('/')[2]}")["state"] == "running"


def test_open_the_signed_document_of_the_newest_archive_and_find_who_signed(hands: Hands) -> None:
    archived("newest", sample_body("newest"))
    hands.follow("g", "a").follow("j", "Enter")

    hands.page.locator(".pdf-page canvas").wait_for()
    assert hands.page.url.endswith("/newest")
    assert "client" in hands.page.locator("#signatures").inner_text()


def test_send_a_dead_message_again(troubled: Console, hands: Hands) -> None:
    put([message("task", "dead", 1, reference="given-up")])
    hands.follow("g", "e").press("j").follow("Tab", "Enter")
    hands.to(hands.page.locator("tr", has_text="given-up")).follow("x", "s")

    redelivery = of_api(troubled, f"/api/redeliveries/{hands.page.url.rpartition('/')[2]}")
    assert [each["subject"] for each in redelivery["items"]] == ["msg_task"]
    change(
        delete(NotificationRow).where(col(NotificationRow.message_id) == "msg_task")
    )  # without a worker it stays dead


def test_accept_a_delivery_that_is_set_aside(hands: Hands) -> None:
    archived("aside", sample_body("aside"))
    archived("aside", sample_body("aside", data=[]), source="elsewhere")
    row = hands.page.locator("tr", has=hands.page.locator("[data-copy=aside]"))
    hands.follow("g", "r").to(row).follow("x", "s")

    assert "1" in hands.page.locator(".alert-success").inner_text()


ASKED = {
    "en": (
        "sealed by \u2068דנה כהן\u2069",
        "yest",
        "not s",
        "settl",
        "another amount",
        "ago",
        "not confirmed since",
        "on Cellosign's list",
    ),
    "he": (
        "בחותם של \u2068דנה כהן\u2069",
        "אתמול",
        "וטרם",
        "דוחות",
        "סכום אחר",
        "לפני",
        "לא אישר מאז",
        "ברשימה של Cellosign",
    ),
}


@pytest.mark.usefixtures("office", "troubled")
@pytest.mark.parametrize("language", ["en", "he"])
def test_ten_questions_are_answered_by_ten_keys(browser: Browser, language: str) -> None:
    now, name = datetime.now(UTC), "answers"
    now, name = datetime.now(UTC), "answers"
    day = (now.astimezone(settings().payment_terms.zone) - timedelta(days=1)).date()
    amounts = {"EUR": 123_400, "USD": 5_600}
    its = [payment(name, each, number, currency=each) for number, each in enumerate(amounts)]
    booked(name, *(each | {"paid_on": day, "amount_minor": amounts[each["currency"]]} for each in its))
    imported(FIRST)
    signed, yesterday, unsettled, reports, unmatched, ago, since, listed = ASKED[language]

    for steps, selector, answer in (
        ([("Control+k", *yesterday, "Enter")], "#sums", r"1,234\.00[\s\S]*56\.00"),
        ([("Control+k", *unsettled, "Enter")], "#results", r"1,234\.00[\s\S]*56\.00"),
        ([("g", "y"), ("Control+k", *reports, "Enter")], "#unmatched", unmatched),
        ([("g", "s"), ("j", "Enter")], "main .facts", ago),
        ([("g", "e"), ("j", "Enter")], "main .facts", since),
        ([("g", "v")], "#failed", r"\d"),
        ([("g", "m")], "main", listed),
        ([("Control+k", *CONTRACT[:5], "Enter")], ".standing", re.escape(signed)),
    ):
        hands = Hands(browser, language)
        for keys in steps:
            hands.follow(*keys)
        expect(hands.page.locator(selector).first).to_contain_text(re.compile(answer))
    assert PERSON in hands.page.locator("#access").inner_text()  # who opened it, on the same page
    hands.page.locator(".pdf-page[data-drawn]").first.wait_for()
    hands.page.locator("#field-1 a").click()  # what the form says at a place of the document
    hands.page.locator(".pdf-box.lit").wait_for()
