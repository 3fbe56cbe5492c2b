"""Archives, their versions and settlement reports give the same records in any order, and repeats change nothing."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as drawn_by
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlmodel import SQLModel

from adapters.database.transactions import reading, writing
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.objects import history
from models.payments import LEDGER, PaymentRow
from services.payments.duplicates import reconcile_all_duplicates
from services.payments.holds import reconcile_all_holds
from services.settlements.importing import reconcile_all_archives
from tests.flows import databases
from tests.installations import archived
from tests.samples import sample_document
from tests.settlements import everything, imported, line, report, rows

NOW = datetime.now(UTC)
PAID = {"paid": "2022-12-21", "settled": "2022-12-23"}
"""The days of the charges of these archives, whose sessions were submitted on the day `paid`."""


def body(reference: str, year: int, *payments: dict[str, Any]) -> bytes:
    document = sample_document() | {"reference": reference, "attachments": [], "signed_document": None, "data": []}
    document["event"]["timestamp"] = f"{year}-01-01T00:00:00"
    document["sessions"][0] |= {"reference": reference, "process_id": reference}
    return json.dumps(document | {"payments": payments}).encode()


def payment(transaction_id: str | None, cguid: str | None, **members: Any) -> dict[str, Any]:
    """Return a charge of 21.00 ILS."""
    made: dict[str, Any] = sample_document()["payments"][0] | {"type": "charge", "transaction_id": transaction_id}
    result = made["provider_transaction_result"]
    result |= {"cguid": cguid, "auth_number": members.pop("auth", "1"), "total": str(members.get("amount", 2100))}
    made |= members
    return made


HELD = {"type": "hold", "amount": 900, "auth": None}
ARCHIVES = (
    ("a", body("a", 2020, payment("t1", "c1"), payment(None, None, auth="2"))),
    ("a", body("a", 2021, payment("t1", "c1", amount=2500), payment("t2", "c4", **HELD))),
    ("a", body("a", 2022, payment("t2", "c4", **HELD))),  # its charge has vanished
    ("b", body("b", 2020, payment("t3", "c1"), payment(None, "c6", **HELD))),
    ("b", body("b", 2021, payment("t3", "c2", status="failure", auth=None))),
    ("c", body("c", 2020, payment("t1", "c3"), payment("t1", "c5", status="failure", auth=None))),
    ("c", body("c", 2021, payment("t4", None), payment("t5", None, auth="2"))),
)
OTHERS = [line(f"other {day}", paid=day, settled=day, amount="1.00") for day in ("2022-12-20", "2022-12-22")]
REPORTS = (
    report(line("c1", **PAID), line("c2", **PAID | {"amount": "20.00"})),
    report(line("c3", **PAID), line(auth="1", card="4580", **PAID), line("c1", kind="refund", amount="5.00")),
    report(line("c1", **PAID), line("c1", amount="1.00", settled="2023-02-01"), line(auth="2", card="4580", **PAID)),
    report(line("c4", **PAID | {"amount": "9.00"}), *OTHERS),
)
Step = tuple[str, int]
ALL_STEPS: list[Step] = [
    *(("archive", number) for number in range(len(ARCHIVES))),
    *(("report", number) for number in range(len(REPORTS))),
    ("night", 0),
]
steps = st.lists(st.sampled_from(ALL_STEPS), max_size=8)


def taken(step: Step, now: datetime = NOW) -> None:
    what, number = step
    if what == "archive":
        archived(*ARCHIVES[number])
    elif what == "report":
        imported(REPORTS[number], now=now)
    else:
        for judge in (reconcile_all_holds, reconcile_all_duplicates, reconcile_all_archives):
            judge(now)


def taken_from_the_start(steps_in_order: list[Step]) -> None:
    """Take the steps in an installation that is empty before them."""
    for folder in ("archives", "settlements"):
        shutil.rmtree(Path(settings().store_location) / folder, ignore_errors=True)
    with writing() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.execute(delete(table))
    for step in steps_in_order:
        taken(step)


def outcome(steps_in_order: list[Step]) -> dict[str, Any]:
    """Return the records after some steps, without times and order of arrival."""
    taken_from_the_start(steps_in_order)
    columns = [each for each in LEDGER.columns if each.name not in ("version", "received_at", "completed_at")]
    with reading() as session:
        ledger = [
            tuple(row) for row in session.execute(select(*columns).order_by(LEDGER.c.reference, LEDGER.c.position))
        ]
    return everything() | {"payments": rows(PaymentRow), "ledger": ledger}


@pytest.mark.usefixtures("installation")
@drawn_by(max_examples=drawn_by().max_examples // 6)  # an example takes a second
@given(steps)
def test_order_of_archives_and_reports_does_not_matter(drawn: list[Step]) -> None:
    """Repeats and nightly runs do not matter either. In plain order, each comes once and archives come first."""
    assert outcome(sorted(set(drawn) - {("night", 0)})) == outcome(drawn)


def all_but_deliveries() -> dict[str, Any]:
    """Return every row of the database and every file of the store, as digests or as rows of histories."""
    found: dict[str, Any] = databases.rows()
    del found["delivery"]
    for folder in ("archives", "settlements", "keys"):
        for key, _ in store().listed(folder):
            if f"/{ocfl.LOGS}/{history.FOLDER}/" in key:
                found[key] = history.found_rows(key) | {"delivery": []}
            else:
                found[key] = sha256(store().read_bytes(key)).hexdigest()
    return found


@pytest.mark.usefixtures("installation")
@drawn_by(max_examples=drawn_by().max_examples // 25)
@example(sorted(ALL_STEPS, key=lambda step: step[1]))
@given(steps)
def test_repeating_all_steps_adds_only_deliveries(drawn: list[Step]) -> None:
    """Versions, reports and a nightly run are repeated a day later, and no time and no byte changes."""
    taken_from_the_start(drawn)
    before = all_but_deliveries()

    for step in [*drawn, ("night", 0)]:
        taken(step, NOW + timedelta(days=1))

    assert all_but_deliveries() == before
