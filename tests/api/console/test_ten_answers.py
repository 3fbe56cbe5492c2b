"""Ten questions of a bank, each answered from the overview by ten keys at most, in both languages."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from adapters.settings.settings import settings
from tests.api.console.conftest import CONTRACT, PERSON, Browser
from tests.api.console.test_intake import FIRST, office  # noqa: F401  # a fixture
from tests.api.console.test_ten_tasks import Hands
from tests.payments import booked, payment
from tests.settlements import imported

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
