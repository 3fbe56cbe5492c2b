"""Ten tasks of people at the keyboard alone, in both languages: each takes at most ten keys from the overview."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlmodel import col, delete

from adapters.database.transactions import insert_rows, writing
from adapters.tables.open_conditions import open_numbers
from adapters.tables.runs import refused
from models.archive.archive import State
from models.discrepancies import HOLD_CODES, Discrepancy, DiscrepancyCode
from models.messages.notification import NotificationRow
from models.runs.receipt import RefusedDelivery
from models.store.condition import DerivedCode
from models.templates import TemplateWords
from services import derived, templates
from services.payments.discrepancies import reconcile_many
from tests.api.console.conftest import PERSON, Browser, Console
from tests.api.console.test_troubles import of_api
from tests.api.console.troubles import ENDPOINT
from tests.batches import fill, filled
from tests.installations import archived, installed
from tests.samples import sample_body

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


@pytest.fixture(params=["en", "he"])
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def hands(troubled: Console, browser: Browser, language: str) -> Iterator[Hands]:
    """The hands of a person, after `data` of the test has been made, and pages without any fault afterwards."""
    with installed(troubled.folder, **troubled.settings):
        yield Hands(browser, language)
    assert browser.violations() == []
    assert browser.overflow_px() == 0


def refused_bodies(name: str, number: int) -> list[RefusedDelivery]:
    ids = [hashlib.sha256(f"{name} {each}".encode()).hexdigest() for each in range(number)]
    at = datetime.now(UTC)
    values = {"byte": 7, "reason": "it ends"}
    return [
        RefusedDelivery(
            f"{at:%Y%m%dT%H%M%S.%fZ}-{each[:8]}", each, at, 9, "TRUNCATED", "", "at byte 7: it ends", values=values
        )
        for each in ids
    ]


def test_dismiss_seventy_refused_bodies_and_take_it_back(hands: Hands, language: str) -> None:
    refused.record(refused_bodies(language, 70))
    hands.follow("g", "r").to(hands.page.locator("tr", has_text="TRUNCATED")).follow("x", "1")

    assert "TRUNCATED" not in open_numbers(DerivedCode.DELIVERY_REFUSED)
    assert "70" in hands.page.locator(".alert-success").inner_text()

    hands.keys = 0
    hands.follow("u")
    assert open_numbers(DerivedCode.DELIVERY_REFUSED)["TRUNCATED"] == 70
    hands.to(hands.page.locator("tr.triage-group", has_text="TRUNCATED")).follow("x", "3")


def test_explain_twenty_alike_discrepancies(hands: Hands, language: str) -> None:
    names = [filled(number, State.COMPLETED, reference=f"held-{language}-{number}") for number in range(20)]
    fill(names)
    held = Discrepancy(DiscrepancyCode.AGING_HOLD, "t", "charged or released within 7 days", "held since 2026-01-01")
    reconcile_many({each["reference"]: [held] for each in names}, HOLD_CODES, NOW)

    hands.follow("g", "d").to(hands.page.locator("tr", has_text="AGING_HOLD")).follow("x", "1")

    assert "20" in hands.page.locator(".alert-success").inner_text()
    assert "AGING_HOLD" not in open_numbers(DerivedCode.DISCREPANCY_OPEN)


def test_find_an_archive_by_a_part_of_a_telephone_number(hands: Hands, language: str) -> None:
    number, name = {"en": "0521112233", "he": "0534445566"}[language], f"phone-{language}"
    document = json.loads(sample_body(name))
    document["sessions"][0]["labels"] = {"phone": number}
    archived(name, json.dumps(document).encode())
    hands.follow("g", "a").press("/", *number[3:9])

    expect(hands.page.locator("tr[data-reference]")).to_have_count(1, timeout=60_000)
    assert hands.page.locator("tr[data-reference]").get_attribute("data-reference") == name


def test_name_a_template(hands: Hands) -> None:
    hands.follow("g", "t").follow("j", "Enter").press("w", *"Loan").follow("Enter")

    assert "Loan" in hands.page.locator("h1").inner_text()


def test_run_all_archives_again_that_failed_for_a_cause(troubled: Console, hands: Hands, language: str) -> None:
    fill([filled(number, cause="DATABASE_AWAY", reference=f"away-{language}-{number}") for number in range(3)])
    hands.follow("g", "f").to(hands.page.locator("tr", has_text="DATABASE_AWAY")).follow("Tab", "Enter")
    hands.follow("Tab", "Tab", "Tab", "Enter")

    assert of_api(troubled, f"/api/bulk-reruns/{hands.page.url.rpartition('/')[2]}")["state"] == "running"


def test_open_the_signed_document_of_the_newest_archive(hands: Hands, language: str) -> None:
    archived(f"newest-{language}", sample_body(f"newest-{language}"))
    hands.follow("g", "a").follow("j", "Enter")

    hands.page.locator(".pdf-page canvas").wait_for()
    assert hands.page.url.endswith(f"newest-{language}")


def test_send_a_dead_message_again(troubled: Console, hands: Hands, language: str) -> None:
    message: dict[str, Any] = {"receipt_id": language, "endpoint": "http://127.0.0.1:9/hook", "attempts": 3}
    message |= {"endpoint_name": ENDPOINT, "event": "archive.failed", "state": "dead", "reference": f"dead-{language}"}
    with writing() as session:
        late = NOW - timedelta(hours=1)
        insert_rows(session, NotificationRow, [{"message_id": f"msg_{language}", "planned_at": late} | message])
    hands.follow("g", "e").press("j").follow("Tab", "Enter")
    hands.to(hands.page.locator("tr", has_text=f"dead-{language}")).follow("x", "s")

    redelivery = of_api(troubled, f"/api/redeliveries/{hands.page.url.rpartition('/')[2]}")
    assert [each["subject"] for each in redelivery["items"]] == [f"msg_{language}"]
    with writing() as session:  # without a worker it stays dead
        session.execute(delete(NotificationRow).where(col(NotificationRow.message_id) == f"msg_{language}"))


def test_accept_a_delivery_that_is_set_aside(hands: Hands, language: str) -> None:
    archived(f"aside-{language}", sample_body(f"aside-{language}"))
    archived(f"aside-{language}", sample_body(f"aside-{language}", data=[]), source="elsewhere")
    row = hands.page.locator("tr", has=hands.page.locator(f"[data-copy='aside-{language}']"))
    hands.follow("g", "r").to(row).follow("x", "s")

    assert "1" in hands.page.locator(".alert-success").inner_text()


def test_find_who_signed(hands: Hands, language: str) -> None:
    archived(f"signed-{language}", sample_body(f"signed-{language}"))
    hands.follow("g", "a").follow("j", "Enter")

    assert "client" in hands.page.locator("#signatures").inner_text()


def test_leases_of_haifa_with_a_failed_payment_by_two_clicks(troubled: Console, hands: Hands, language: str) -> None:
    template = f"lease-{language}"
    templates.name({template: TemplateWords(facets=["label:branch"])}, PERSON, NOW)
    for reference, branch, status in (("a", "חיפה", "failure"), ("b", "אילת", "failure"), ("c", "חיפה", "success")):
        document = json.loads(sample_body(f"{template}-{reference}"))
        document["sessions"][0] |= {"template": {"id": template}, "labels": {"branch": branch}}
        document["payments"][0]["status"] = status
        archived(f"{template}-{reference}", json.dumps(document).encode())
    while derived.fill():
        pass
    hands.follow("g", "a")
    haifa = hands.page.locator(f"#facets a[href*='{quote('חיפה')}']")
    hands.page.locator("#facets a[href*='template=']").first.wait_for()
    while not haifa.count():  # a receiver knows new facets of a template within 5 s
        hands.page.reload()
        hands.page.locator("#facets a[href*='template=']").first.wait_for()
    for facet in (quote("חיפה"), "standing=failed"):
        with hands.page.expect_navigation():
            hands.page.locator(f"#facets a[href*='{facet}']").click()

    found = hands.page.locator("tr[data-reference]").evaluate_all("rows => rows.map(row => row.dataset.reference)")
    assert [each for each in found if each.startswith(template)] == [f"{template}-a"]
