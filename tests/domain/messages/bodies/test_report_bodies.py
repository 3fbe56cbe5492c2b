"""Bodies of messages about many archives, the store and endpoints."""

import json
from datetime import UTC, datetime

from domain.messages.bodies.report_bodies import (
    delivery_refused,
    documents_judged_worse,
    endpoint_test,
    payments_discrepancies,
    store_damaged,
    store_unverified,
)
from models.archive.verdict import Change
from models.payments import DiscrepancyCode
from models.runs.receipt import RefusedDelivery
from models.views.archives.payments import ListedDiscrepancy

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


def test_open_discrepancies_are_listed_and_counted_by_code() -> None:
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


def test_value_of_a_payment_field_never_appears() -> None:
    typed = "Dana Levi, 054-1234567"
    listed = NEWEST.model_copy(update={"code": DiscrepancyCode.FIELD_WITHOUT_PAYMENT, "transaction_id": typed})

    body = payments_discrepancies([listed], {}, url="u", at=NOON)

    assert json.loads(body)["data"]["discrepancies"][0]["transaction_id"] is None


def test_refused_deliveries_are_listed_and_counted_by_code() -> None:
    refused = RefusedDelivery("d", "ab" * 32, NOON, 1, "TRUNCATED", "", "the body ends", "r-1", 4711)

    body = delivery_refused([refused], {"TRUNCATED": 7}, first_at=NOON, url="u", at=NOON)

    assert json.loads(body)["data"] == {
        "deliveries": [
            {
                "receipt_id": "ab" * 32,
                "reference": "r-1",
                "process_number": 4711,
                "code": "TRUNCATED",
                "where": "",
                "detail": "the body ends",
                "received_at": "2026-01-01T12:00:00+00:00",
                "source": "default",
            }
        ],
        "deliveries_in_all": 7,
        "by_code": {"TRUNCATED": 7},
        "first_at": "2026-01-01T12:00:00+00:00",
        "last_at": "2026-01-01T12:00:00+00:00",
        "url": "u",
    }


def test_documents_that_are_judged_worse_are_listed() -> None:
    body = documents_judged_worse([Change("process-1", 1, "sound", "broken", True)], 2, url="u", at=NOON)

    assert json.loads(body)["data"] == {
        "documents": [{"reference": "process-1", "version": 1, "before": "sound", "now": "broken"}],
        "documents_in_all": 1,
        "contradictions": 2,
        "url": "u",
    }


def test_messages_without_a_list_are_short() -> None:
    assert json.loads(store_damaged(3, NOON))["data"] == {"findings": 3}
    assert json.loads(store_unverified(NOON))["data"] == {}
    assert json.loads(endpoint_test("erp", NOON)) == {
        "type": "endpoint.test",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "data": {"endpoint": "erp"},
    }
