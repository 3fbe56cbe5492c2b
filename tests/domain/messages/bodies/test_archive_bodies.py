"""Bodies of messages about one archive: ids, links, numbers and codes, and no personal data."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.messages.bodies.archive_bodies import (
    about,
    archive_attention,
    archive_changed,
    archive_completed,
    archive_failed,
    process_missing,
)
from domain.messages.bodies.body import MOST_REPORTED
from domain.payments.sentences import sentence
from models.archive.archive import ArchiveRow, Change, Difference, DifferenceKind, Values
from models.completeness.processes import MissingProcessRow, Why
from models.payments import Discrepancy, DiscrepancyCode
from models.runs.cause import Cause, FailedReceipt
from models.runs.receipt import VersionRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://cellar.example/api/archives/x"
ARCHIVE = ArchiveRow(
    reference="תהליך 1", state="completed", received_at=NOON, template_id="t-1", process_number=100, source="sales"
)


def version(number: int, receipt_id: str) -> VersionRow:
    return VersionRow(receipt_id=receipt_id, reference="תהליך 1", version=number, received_at=NOON, skeleton=b"")


ABOUT = about(ARCHIVE, version(2, "ab" * 32), URL)
TOLD = {
    "reference": "תהליך 1",
    "receipt_id": "ab" * 32,
    "version": 2,
    "source": "sales",
    "template_id": "t-1",
    "process_number": 100,
    "url": URL,
}


def test_completion_names_the_archive_and_its_open_discrepancies() -> None:
    body = archive_completed(
        ABOUT,
        at=NOON,
        has_warnings=False,
        discrepancies=[Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, "t", "21.00 ILS", "25.00 ILS")],
        discrepancies_in_all=1,
        signed_document="changed",
    )

    assert body.isascii()
    assert json.loads(body) == {
        "type": "archive.completed",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": TOLD
        | {
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
        },
    }


def test_value_of_a_payment_field_never_appears() -> None:
    typed = "Dana Levi, 054-1234567"

    body = completed_with([Discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, typed, "a payment", "none")])

    assert json.loads(body)["data"]["discrepancies"][0]["transaction_id"] is None


def test_equal_input_gives_equal_bytes() -> None:
    assert completed_with([]) == completed_with([])


@pytest.mark.parametrize(("warnings", "found", "attention"), [(False, 0, False), (True, 0, True), (False, 1, True)])
def test_warnings_or_open_discrepancies_need_attention(warnings: bool, found: int, attention: bool) -> None:
    assert data_of(warnings, found)["attention"] is attention


def test_at_most_the_first_discrepancies_are_listed_and_all_are_counted() -> None:
    data = data_of(False, MOST_REPORTED + 1)

    assert (len(data["discrepancies"]), data["discrepancies_in_all"]) == (MOST_REPORTED, MOST_REPORTED + 1)


def test_change_is_told_in_numbers_without_a_value() -> None:
    typed = {"value": Values("Dana", "Dina")}
    body = archive_changed(
        ABOUT,
        at=NOON,
        before=version(1, "cd" * 32),
        differences=[
            Difference(DifferenceKind.FIELD, "full name", Change.CHANGED, typed, ()),
            Difference(DifferenceKind.FIELD, "phone", Change.CHANGED, typed, ()),
            Difference(DifferenceKind.PAYMENT, "t", Change.ADDED, {}, ()),
        ],
        warnings_by_code={"WRONG_TYPE": 2},
        discrepancies_by_code={},
    )

    assert json.loads(body) == {
        "type": "archive.changed",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": TOLD
        | {
            "before_version": 1,
            "before_receipt_id": "cd" * 32,
            "changes": {
                "field": {"added": 0, "removed": 0, "changed": 2},
                "payment": {"added": 1, "removed": 0, "changed": 0},
            },
            "warnings_by_code": {"WRONG_TYPE": 2},
            "discrepancies_by_code": {},
        },
    }


def test_attention_counts_warnings_and_discrepancies_by_code() -> None:
    body = archive_attention(
        ABOUT,
        at=NOON,
        warnings_by_code={"SIGNED_DOCUMENT_BROKEN": 1},
        discrepancies_by_code={"AMOUNT_MISMATCH": 3},
        signed_document="broken",
    )

    assert json.loads(body)["data"] == TOLD | {
        "warnings_by_code": {"SIGNED_DOCUMENT_BROKEN": 1},
        "discrepancies_by_code": {"AMOUNT_MISMATCH": 3},
        "signed_document": "broken",
    }


def test_failure_names_its_cause_and_its_run() -> None:
    cause = Cause("NOT_READ_BACK", "reconcile-payments", "Conflict", "run the archive again")

    body = archive_failed(ARCHIVE, FailedReceipt("תהליך 1", "ab" * 32, NOON, cause, 2, "f-1"), url=URL)

    assert json.loads(body)["data"] == {
        "reference": "תהליך 1",
        "receipt_id": "ab" * 32,
        "source": "sales",
        "process_number": 100,
        "code": "NOT_READ_BACK",
        "task": "reconcile-payments",
        "sentence": "run the archive again",
        "flow_run_id": "f-1",
        "attempt": 2,
        "url": URL,
    }


@pytest.mark.parametrize(("before", "hours_left"), [(24.0, 24), (1.99, 1), (0.5, 0), (-3.0, 0)])
def test_missing_process_has_whole_hours_left(before: float, hours_left: int) -> None:
    missing = MissingProcessRow(
        missing_id="m-1",
        source="sales",
        process_number=100,
        transaction_number=30,
        why=Why.SUBMITTED,
        since=NOON - timedelta(days=1),
        deadline_at=NOON + timedelta(hours=before),
        opened_at=NOON,
    )

    data = json.loads(process_missing(missing, url="https://cellar.example/api/missing", at=NOON))["data"]

    assert data == {
        "missing_id": "m-1",
        "reference": None,
        "process_number": 100,
        "transaction_number": 30,
        "source": "sales",
        "why": "submitted",
        "since": "2025-12-31T12:00:00+00:00",
        "deadline_at": missing.deadline_at.isoformat(),
        "hours_left": hours_left,
        "url": "https://cellar.example/api/missing",
    }


def completed_with(discrepancies: Sequence[Discrepancy], has_warnings: bool = False) -> bytes:
    return archive_completed(
        ABOUT,
        at=NOON,
        has_warnings=has_warnings,
        discrepancies=discrepancies,
        discrepancies_in_all=len(discrepancies),
        signed_document=None,
    )


def data_of(has_warnings: bool, found: int) -> dict[str, Any]:
    discrepancies = [Discrepancy(DiscrepancyCode.BAD_AMOUNT, str(each), "e", "f") for each in range(found)]
    data: dict[str, Any] = json.loads(completed_with(discrepancies, has_warnings))["data"]
    return data
