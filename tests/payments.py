"""Puts payments and settlement entries into the database of a test, without their archives and reports."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlmodel import SQLModel, col, delete

from adapters.database.transactions import insert_new, insert_rows, writing
from domain.payments.identity import payment_id
from models.archive.archive import ArchiveRow
from models.payments import PaymentKeyRow, PaymentRow
from models.settlements.settlement import SettlementEntryRow
from tests.records import NOON, change, digest


def payment(reference: str, transaction_id: str | None, position: int = 0, **members: Any) -> dict[str, Any]:
    """Return the row of a payment; `members` are its columns."""
    made = PaymentRow(
        reference=reference,
        position=position,
        payment_id=payment_id(reference, transaction_id, str(position)),
        transaction_id=transaction_id,
        standing="charged",
        amount_minor=2100,
        currency="ILS",
    )
    return made.model_dump() | members


def attempt(payment: dict[str, Any], position: int = 0, **members: Any) -> dict[str, Any]:
    """Return the row of an attempt that does not decide its payment."""
    its = {name: payment[name] for name in ("reference", "payment_id", "standing")} | {"position": position}
    return PaymentKeyRow(**its | members).model_dump()


def booked(reference: str, *payments: dict[str, Any], attempts: Iterable[dict[str, Any]] = ()) -> None:
    """Make these the payments of an archive, as `load-metadata` does."""
    with writing() as session:
        insert_new(session, ArchiveRow, {"reference": reference, "state": "completed", "received_at": NOON})
        for table, its in ((PaymentRow, payments), (PaymentKeyRow, attempts)):
            session.execute(delete(table).where(col(table.reference) == reference))
            insert_rows(session, table, list(its))


def settled(payment_id: str, amount_minor: int, settled_on: date, **members: Any) -> None:
    """Insert an entry of a report that is matched to a payment."""
    row = {
        "entry_id": digest(f"{payment_id} {amount_minor} {settled_on} {members}")[:32],
        "report_id": digest("report"),
        "line": 1,
        "kind": "charge",
        "settled_on": settled_on,
        "amount_minor": amount_minor,
        "currency": "ILS",
        "match": "cguid",
        "payment_id": payment_id,
    }
    with writing() as session:
        insert_rows(session, SettlementEntryRow, [{**_empty(SettlementEntryRow), **row, **members}])


def unsettled() -> None:
    """Delete all entries, as if no report had been imported."""
    change(delete(SettlementEntryRow))


def _empty(table: type[SQLModel]) -> dict[str, None]:
    return dict.fromkeys(table.model_fields)
