"""Booking: every payment has exactly one standing and one day, in any order, and rows hold no secrets."""

import json
import random
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.rows import discrepancy_rows, rows_of
from domain.payments.booking import booked
from domain.payments.reconciliation import reconcile
from models.discrepancies import DiscrepancyRow
from models.payments import PaymentRow, Standing
from tests.domain.payloads import TERMS, changed, fingerprint, read
from tests.samples import sample_document

JERUSALEM = ZoneInfo("Asia/Jerusalem")
SECRETS = ("card_id", "session_cd", "auth_number", "cguid")


@pytest.mark.parametrize(
    ("session", "paid", "paid_on"),
    [
        ({}, {}, date(2022, 12, 22)),  # 22:29 UTC is after midnight in Jerusalem
        ({"submitted_at": "2022-11-30T12:00:00"}, {}, date(2022, 11, 30)),
        ({"submitted_at": None}, {}, date(2022, 12, 22)),  # the day of the event
        ({"submitted_at": "2022-11-30T12:00:00", "id": None}, {"session_id": None}, date(2022, 12, 22)),
    ],
)
def test_payment_day_is_the_session_submission_day_in_the_configured_zone(
    session: dict[str, Any], paid: dict[str, Any], paid_on: date
) -> None:
    document = sample_document()
    document["sessions"][0] |= session
    document["payments"][0] |= paid

    (payment,) = booked(read(document), replace(TERMS, zone=JERUSALEM))

    assert payment.paid_on == paid_on


def test_payment_without_any_known_time_has_no_day() -> None:
    document = changed("sessions.0.submitted_at", None)
    document["event"]["timestamp"] = None

    (payment,) = booked(read(document), TERMS)

    assert payment.paid_on is None


def test_payment_row_has_the_values_of_the_deciding_attempt() -> None:
    document = sample_document()
    (sent,) = document["payments"]
    failed = {"status": "failure", "amount": 1, "provider_transaction_result": {"card_no": "1111"}}
    document["payments"] = [sent | failed, sent | {"type": "charge"}, sent | failed]

    (row,) = rows_of(read(document), TERMS, fingerprint)[PaymentRow]

    values = (row["standing"], row["status"], row["amount_minor"], row["card_last4"], row["attempts"])
    assert values == ("charged", "success", 2100, "4580", 3)


words = st.sampled_from(["success", "failure", "failed", "pending", None])
types = st.sampled_from(["charge", "verify_credit_card", "hold", "refund", None])
amounts = st.sampled_from([2100, "2100", 2100.0, -5, 0, 21.5, "x", None, 1 << 70]) | st.integers(1, 10**6)
secret_texts = st.builds("SECRET{}".format, st.integers(0, 9))
numbers = st.sampled_from(["3", "0", "", None, 2, "x"])


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw entries of `payments`, several of them at one transaction."""
    return [
        {
            "status": draw(words),
            "type": draw(types),
            "transaction_id": draw(st.sampled_from(["a", "b", "c", None])),
            "session_id": draw(st.sampled_from(["wSYqmI4xsE", "x", None])),
            "amount": draw(amounts),
            "provider_transaction_result": {
                "currency": draw(st.sampled_from(["ILS", "JPY", "NIS", None])),
                "total": draw(amounts),
                "numberOfPayments": draw(numbers),
                "firstPayment": draw(numbers),
                "periodicalPayment": draw(numbers),
                "card_mask": "458045******4580",
                "card_no": draw(st.sampled_from(["xxxxxxxxxxxx4580", "xxxxxxxxxxxx4581", "4580458045804580"])),
                "card_expiration": draw(st.sampled_from(["0724", "0122", "9999", ""])),
                **{name: draw(secret_texts | st.sampled_from(["", None])) for name in SECRETS},
            },
        }
        for _ in range(draw(st.integers(0, 6)))
    ]


def with_payments(sent: list[dict[str, Any]]) -> dict[str, Any]:
    return changed("payments", sent) | {"attachments": [], "signed_document": None}


@given(entries())
def test_each_attempt_is_in_one_payment_all_ids_differ_and_nothing_shows_a_secret(sent: list[dict[str, Any]]) -> None:
    archive = read(with_payments(sent))
    found = reconcile(archive, TERMS)
    rows = {**rows_of(archive, TERMS, fingerprint), **discrepancy_rows(archive.reference, found)}

    payments = rows[PaymentRow]
    named = {each["transaction_id"] for each in sent} - {None}
    assert len(payments) == len(named) + sum(each["transaction_id"] is None for each in sent)
    assert sum(row["attempts"] for row in payments) == len(sent)
    assert {row["standing"] for row in payments} <= set(Standing) - {Standing.SETTLED}
    for table, key in ((PaymentRow, "payment_id"), (DiscrepancyRow, "discrepancy_id")):
        assert len({row[key] for row in rows[table]}) == len(rows[table])
    shown = repr([archive, booked(archive, TERMS), found, rows])
    assert [each for each in ("SECRET", "458045804580") if each in shown] == []


@given(entries(), st.integers())
def test_order_of_transactions_changes_only_positions(sent: list[dict[str, Any]], seed: int) -> None:
    """Entries without a transaction keep their order among themselves, like attempts at one transaction."""
    transactions = [each["transaction_id"] for each in sent]
    random.Random(seed).shuffle(transactions)
    waiting = {name: [each for each in sent if each["transaction_id"] == name] for name in transactions}
    other = [waiting[name].pop(0) for name in transactions]

    assert _everything(sent) == _everything(other)


def _everything(sent: list[dict[str, Any]]) -> list[str]:
    archive = read(with_payments(sent))
    rows = rows_of(archive, TERMS, fingerprint)[PaymentRow]
    found = discrepancy_rows(archive.reference, reconcile(archive, TERMS))[DiscrepancyRow]
    everything = [*rows, *found]
    return sorted(json.dumps({**row, "position": None}, default=str, sort_keys=True) for row in everything)
