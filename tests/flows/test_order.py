"""Whatever arrives first, archives and settlement reports come to the same end."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as drawn_by
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlmodel import SQLModel

from adapters.database import reading, writing
from adapters.settings import Settings, settings
from models.ledger import LEDGER
from models.payment import PaymentRow
from tests.adapters.settlements import everything, imported, line, report, rows
from tests.installations import archived
from tests.samples import sample_body, sample_document

REFUNDED = [{"cguid": "c3"}, {"auth": "5", "card": "4580"}]
PAID = {"paid": "2022-12-21", "settled": "2022-12-23"}


def sent(reference: str, year: int, *payments: dict[str, Any]) -> tuple[str, bytes]:
    """An archive whose event was in a year."""
    event = {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}
    return reference, sample_body(reference, event=event, payments=list(payments))


def payment(transaction_id: str, result: dict[str, str], **members: Any) -> dict[str, Any]:
    """A charge of 21.00 ILS."""
    made: dict[str, Any] = sample_document()["payments"][0]
    result = made["provider_transaction_result"] | result
    return made | {"type": "charge", "transaction_id": transaction_id, "provider_transaction_result": result} | members


FIRST = payment("1", {"cguid": "c1", "auth_number": "0000001"})
ARCHIVES = [
    sent("a", 2023, FIRST, payment("2", {"cguid": "c2"})),
    sent("a", 2024, FIRST | {"amount": 2000}),  # and the other charge has vanished
    sent("b", 2023, payment("1", {"cguid": "c1", "auth_number": "0000002"})),  # that of the other archive
    sent("b", 2024, payment("3", {"cguid": "c3", "auth_number": "0000003"}), payment("3", {"cguid": "c5"})),
    sent("c", 2023, payment("4", {"cguid": "c4"}, type="hold")),
    sent("d", 2023, payment("5", {"cguid": "", "auth_number": "0000005"})),
    sent("e", 2023, payment("6", {"cguid": "c6"})),  # which no report has
    sent("f", 2023, payment("7", {"cguid": "c4", "auth_number": "0000005"}, type="hold", amount=3000)),
]
REPORTS = [
    report(line("c1", **PAID), line("c3", **PAID, amount="20.00"), line("c9", **PAID)),
    report(line("c4", **PAID), line(auth="5", card="4580", **PAID)),
    report(*(line(**each, kind="refund", amount="5.00", paid="2022-12-30", settled="2023-01-02") for each in REFUNDED)),
]
ARRIVALS: list[tuple[str | None, bytes]] = [*ARCHIVES, *((None, each) for each in REPORTS)]


def emptied() -> None:
    """Nothing has arrived. The keys stay, so that what has a fingerprint has the same again."""
    for folder in ("archives", "settlements"):
        shutil.rmtree(Path(settings().store_location) / folder, ignore_errors=True)
    with writing() as session:
        for table in SQLModel.metadata.tables.values():
            session.execute(delete(table))


def outcome(order: Sequence[int]) -> dict[str, Any]:
    """What is on record when all has arrived in an order."""
    emptied()
    for reference, body in (ARRIVALS[each] for each in order):
        if reference is None:
            imported(body, now=datetime.now(UTC))
        else:
            archived(reference, body)
    with reading() as session:
        standings = session.execute(select(LEDGER.c.reference, LEDGER.c.transaction_id, LEDGER.c.standing)).all()
    return everything() | {"payments": rows(PaymentRow), "standings": sorted(map(tuple, standings))}


@pytest.fixture
def in_plain_order(installation: Settings) -> dict[str, Any]:
    return outcome(range(len(ARRIVALS)))


# To look for the shortest wrong order would take as long as all other tests.
@drawn_by(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(len(ARRIVALS))))
def test_order_of_arrival_does_not_matter(in_plain_order: dict[str, Any], order: list[int]) -> None:
    assert outcome(order) == in_plain_order


def test_enough_is_found_to_be_lost(in_plain_order: dict[str, Any]) -> None:
    assert {each["code"] for each in in_plain_order["DiscrepancyRow"]} >= {
        "AGING_HOLD",
        "AMBIGUOUS_MATCH",
        "DUPLICATE_PROVIDER_TRANSACTION",
        "MISSING_IN_ARCHIVE",
        "MISSING_IN_SETTLEMENT",
        "PAYMENT_VANISHED",
        "REFUNDED",
        "SETTLED_AMOUNT_MISMATCH",
    }
    assert {standing for *_, standing in in_plain_order["standings"]} == {"charged", "held", "settled"}
