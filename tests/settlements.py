"""Makes archives with payments, and settlement reports, for tests of settlements."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlmodel import SQLModel, col, delete, select

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.store.seals import fingerprint, previewed_fingerprints
from adapters.store.settlement_reports import staged
from domain.payments.identity import plain_authorisation
from domain.settlements.report import read_format
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.payments import PaymentRow
from models.settlements.settlement import (
    SettlementCandidateRow,
    SettlementEntryRow,
    SettlementReportRow,
    SettlementSummary,
)
from services.settlements import importing
from tests.domain import settled
from tests.domain.settled import HEAD, day, payment
from tests.records import all_of, change

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = settled.COLUMNS
FORM = read_format(COLUMNS)


def line(cguid: str = "", **cells: Any) -> str:
    """Return a row for the charge that `domain.settled.payment` makes."""
    made: dict[str, Any] = {"settled": day(2), "paid": day(0), "amount": "21.00", "currency": "ILS", "cguid": cguid}
    return ",".join(str((made | cells).get(head, "")) for head in HEAD.split(","))


def report(*lines: str) -> bytes:
    return "\n".join([HEAD, *lines, ""]).encode()


def paid(reference: str, cguid: str | None = None, **values: Any) -> None:
    """Replace the payments of an archive with one payment."""
    secrets = {"cguid_fingerprint": cguid and fingerprint(cguid)}
    if "auth" in values:
        secrets["authorisation_fingerprint"] = fingerprint(plain_authorisation(values.pop("auth")))
    made = payment(reference, **({"cguid_fingerprint": None, "authorisation_fingerprint": None} | secrets | values))
    row = PaymentRow(position=0, **asdict(made))
    with writing() as session:
        session.execute(delete(PaymentRow).where(col(PaymentRow.reference) == reference))
        session.add(row)


def unpaid(reference: str) -> None:
    change(delete(PaymentRow).where(col(PaymentRow.reference) == reference))


def emptied() -> None:
    """Remove everything but the key of the fingerprints, as in a new installation."""
    for key, _ in list(store().listed("settlements")):
        store().remove(key)
    forgotten()
    change(delete(PaymentRow))


def forgotten() -> None:
    """Delete everything that the database derives from reports."""
    tables = (
        SettlementEntryRow,
        SettlementCandidateRow,
        SettlementReportRow,
        DiscrepancyRow,
        DiscrepancyEventRow,
    )
    with writing() as session:
        for table in tables:
            session.execute(delete(table))


def imported(*reports: bytes, now: datetime = NOW, preview: bool = False) -> SettlementSummary:
    with ExitStack() as stack:
        standing_for = previewed_fingerprints() if preview else fingerprint
        made = [stack.enter_context(staged(each, FORM, standing_for)) for each in reports]
        take = importing.preview_reports if preview else importing.import_reports
        return take(made, now, lambda *_: None)


def rows(table: type[SQLModel], *but: str) -> list[dict[str, Any]]:
    """Return all rows of a table in a stable order, without closed discrepancies."""
    found = [each.model_dump(exclude=set(but)) for each in all_of(select(table))]
    return sorted((each for each in found if each.get("state") != DiscrepancyState.CLOSED), key=str)


def everything() -> dict[str, Any]:
    return {
        table.__name__: rows(table, *but)
        for table, but in (
            (SettlementEntryRow, ("report_id", "line")),
            (SettlementReportRow, ("imported_at",)),
            (DiscrepancyRow, ()),
        )
    }


def reported() -> list[tuple[str | None, str]]:
    """Return archive and code of each discrepancy that is not closed."""
    found = rows(DiscrepancyRow)
    open_ones = [(each["reference"], each["code"]) for each in found if each["state"] != DiscrepancyState.CLOSED]
    return sorted(open_ones, key=lambda each: (each[0] or "", each[1]))


def matches() -> list[tuple[str, str | None]]:
    return sorted([(each["match"], each["payment_id"]) for each in rows(SettlementEntryRow)], key=str)


def days_later(count: int) -> datetime:
    return NOW + timedelta(days=count)


def covering(first: date, last: date) -> Iterable[str]:
    """Return rows of two unrelated charges, so that a report covers these days."""
    return [line(f"other {each}", paid=each, settled=each, amount="1.00") for each in (first, last)]
