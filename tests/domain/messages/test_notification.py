"""Messages to downstream: each keeps its id forever, and none has personal data."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.messages.notification import (
    MOST_REPORTED,
    archive_completed,
    documents_judged_worse,
    message_id_of,
    payments_discrepancies,
    store_damaged,
    store_unverified,
)
from domain.payments.sentences import sentence
from models.archive.judgement import Change
from models.payments.discrepancy import Discrepancy, DiscrepancyCode
from models.views.payments import ListedDiscrepancy

DOCUMENT = Path(__file__).parents[3] / "docs" / "notifications.md"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

NEWEST = ListedDiscrepancy(
    reference=None,
    discrepancy_id="d",
    code="MISSING_IN_ARCHIVE",
    transaction_id=None,
    expected="a payment",
    found="21.00 ILS",
    sentence="…",
    state="open",
    opened_at=NOON,
    explanation=None,
    closed_at=None,
)


def test_message_id_never_changes() -> None:
    """Receivers store these ids, so no release may compute them in another way."""
    assert message_id_of("ab" * 32, "https://erp.example/hook") == "msg_56145031949ff64e91f16a84743d2392"


def test_message_id_differs_by_receipt_and_by_endpoint() -> None:
    ids = {
        message_id_of(receipt, url)
        for receipt in ("a" * 64, "b" * 64)
        for url in ("https://a.example", "https://b.example")
    }

    assert len(ids) == 4


def test_completion_message_names_the_archive_and_its_url() -> None:
    body = archive_completed(
        reference="תהליך 1",
        receipt_id="ab" * 32,
        version=2,
        planned_at=NOON,
        has_warnings=False,
        discrepancies=[Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, "t", "21.00 ILS", "25.00 ILS")],
        discrepancies_in_all=1,
        signed_document="changed",
        url="https://cellar.example/api/archives/x",
    )

    assert body.isascii()
    assert json.loads(body) == {
        "type": "archive.completed",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": {
            "reference": "תהליך 1",
            "receipt_id": "ab" * 32,
            "version": 2,
            "attention": True,
            "discrepancies": [
                {
                    "code": "AMOUNT_MISMATCH",
                    "transaction_id": "t",
                    "expected": "21.00 ILS",
                    "found": "25.00 ILS",
                    "sentence": sentence(DiscrepancyCode.AMOUNT_MISMATCH, "21.00 ILS", "25.00 ILS"),
                }
            ],
            "discrepancies_in_all": 1,
            "signed_document": "changed",
            "url": "https://cellar.example/api/archives/x",
        },
    }


def test_discrepancies_message_lists_open_discrepancies() -> None:
    body = payments_discrepancies([NEWEST], {"MISSING_IN_ARCHIVE": 2, "REFUNDED": 3}, url="u", at=NOON)

    assert json.loads(body) == {
        "type": "payments.discrepancies",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": {
            "discrepancies": [
                {
                    "reference": None,
                    "discrepancy_id": "d",
                    "code": "MISSING_IN_ARCHIVE",
                    "transaction_id": None,
                    "expected": "a payment",
                    "found": "21.00 ILS",
                    "sentence": "…",
                    "opened_at": "2026-01-01T12:00:00Z",
                }
            ],
            "discrepancies_in_all": 5,
            "by_code": {"MISSING_IN_ARCHIVE": 2, "REFUNDED": 3},
            "url": "u",
        },
    }


def test_values_of_payment_fields_never_appear_in_messages() -> None:
    typed = "Dana Levi, 054-1234567"
    found = Discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, typed, "a payment", "none")
    listed = NEWEST.model_copy(update={"code": found.code, "transaction_id": typed})

    for message in (archive_completed_with([found]), payments_discrepancies([listed], {}, url="u", at=NOON)):
        assert json.loads(message)["data"]["discrepancies"][0]["transaction_id"] is None


def test_every_message_and_every_member_is_documented() -> None:
    messages = (
        archive_completed_with([Discrepancy(DiscrepancyCode.BAD_AMOUNT, None, "e", "f")]),
        payments_discrepancies([NEWEST], {}, url="u", at=NOON),
        documents_judged_worse([Change("process-1", 1, "sound", "broken", True)], 0, url="u", at=NOON),
        store_damaged(1, NOON),
        store_unverified(NOON),
    )
    document = DOCUMENT.read_text()

    for each in map(json.loads, messages):
        (inner,) = each["data"].get("discrepancies") or each["data"].get("documents", [{}])
        assert f"## {each['type']}\n" in document
        assert [name for name in (*each["data"], *inner) if f"`{name}`" not in document] == []


def test_equal_input_gives_equal_bytes() -> None:
    assert archive_completed_with([]) == archive_completed_with([])


@pytest.mark.parametrize(("warnings", "found", "attention"), [(False, 0, False), (True, 0, True), (False, 1, True)])
def test_warnings_or_open_discrepancies_need_attention(warnings: bool, found: int, attention: bool) -> None:
    assert data_of(warnings, found)["attention"] is attention


def test_message_lists_at_most_the_first_discrepancies_and_counts_all() -> None:
    data = data_of(False, MOST_REPORTED + 1)

    assert (len(data["discrepancies"]), data["discrepancies_in_all"]) == (MOST_REPORTED, MOST_REPORTED + 1)


def archive_completed_with(discrepancies: Sequence[Discrepancy]) -> bytes:
    return archive_completed(
        reference="r",
        receipt_id="a",
        version=1,
        planned_at=NOON,
        has_warnings=False,
        discrepancies=discrepancies,
        discrepancies_in_all=len(discrepancies),
        signed_document=None,
        url="u",
    )


def data_of(has_warnings: bool, found: int) -> dict[str, Any]:
    body = archive_completed(
        reference="r",
        receipt_id="a",
        version=1,
        planned_at=NOON,
        has_warnings=has_warnings,
        discrepancies=[Discrepancy(DiscrepancyCode.BAD_AMOUNT, str(each), "e", "f") for each in range(found)],
        discrepancies_in_all=found,
        signed_document=None,
        url="u",
    )
    data: dict[str, Any] = json.loads(body)["data"]
    return data
