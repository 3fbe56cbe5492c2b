"""Runs that wait to be tried again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, select

from adapters.database.transactions import insert_new, pages, read_all, read_row, upsert, writing
from models.columns import table_of
from models.errors import System
from models.runs.receipt import WaitingRow


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a run has waited: since when, and the number of its attempts that have failed in a row."""

    since: datetime
    attempts: int


def begin_within(session: Session, row: WaitingRow) -> Wait:
    """Record that a run waits, once more or for the first time, and return how long. In the caller's transaction."""
    table = table_of(WaitingRow)
    again = {"waits_for": row.waits_for, "attempts": table.c.attempts + 1}
    inserted = upsert(session, WaitingRow).values(**row.model_dump())
    known = inserted.on_conflict_do_update(index_elements=["flow_run_id"], set_=again)
    since, attempts = session.connection().execute(known.returning(table.c.since, table.c.attempts)).one()
    return Wait(since, attempts)


def ask_within(session: Session, reference: str, receipt_id: str, now: datetime) -> WaitingRow:
    """Record that a person asked for a re-run, which waits for Prefect, in the caller's transaction. Return its row.

    The id follows from the receipt, since Prefect has no run yet: a receipt is asked for once, by however many people.
    """
    asked_id = str(uuid5(NAMESPACE_OID, receipt_id))
    its = {"flow_run_id": asked_id, "reference": reference, "receipt_id": receipt_id}
    row = WaitingRow(**its, waits_for=System.PREFECT, since=now, attempts=0)
    insert_new(session, WaitingRow, row.model_dump())
    return row


def asked() -> list[WaitingRow]:
    """Return the re-runs that people asked for and that Prefect does not have yet, the oldest first."""
    return _rows(col(WaitingRow.attempts) == 0)


def of_run(flow_run_id: str) -> Wait | None:
    """Return how long a run has waited, None if it does not wait."""
    row = read_row(WaitingRow, flow_run_id)
    return Wait(row.since, row.attempts) if row else None


def remove_within(session: Session, receipt_ids: Collection[str], *, asked_too: bool = True) -> None:
    """Forget that runs of receipts wait. An earlier run of a receipt may be gone from Prefect.

    Args:
        asked_too: whether a re-run that a person asked for is forgotten too, since a run has done what it would do.
    """
    which = () if asked_too else (col(WaitingRow.attempts) > 0,)
    for page in pages(receipt_ids):
        session.connection().execute(delete(WaitingRow).where(col(WaitingRow.receipt_id).in_(page), *which))


def remove(flow_run_id: str) -> None:
    """Forget that a run waits."""
    with writing() as session:
        session.connection().execute(delete(WaitingRow).where(col(WaitingRow.flow_run_id) == flow_run_id))


def by_run() -> dict[str, WaitingRow]:
    """Return all runs that wait, by their ids in Prefect."""
    return {each.flow_run_id: each for each in _rows(col(WaitingRow.attempts) > 0)}


def systems() -> set[str]:
    """Return the systems that runs wait for."""
    return set(read_all(select(WaitingRow.waits_for).distinct()))


def runs_waiting_for(system: str) -> list[WaitingRow]:
    """Return the runs that wait for a system, the longest wait first."""
    return _rows(col(WaitingRow.waits_for) == system)


def _rows(which: ColumnElement[bool]) -> list[WaitingRow]:
    return read_all(select(WaitingRow).where(which).order_by(col(WaitingRow.since), WaitingRow.flow_run_id))
