"""Counts rows for the metrics. A count whose label would grow with the data stays out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from adapters.database.transactions import reading
from models.archive.archive import ArchiveRow, State
from models.completeness.processes import MissingProcessRow, Why
from models.errors import System
from models.messages.notification import NotificationRow, NotificationState
from models.payments import DiscrepancyCode, DiscrepancyRow, DiscrepancyState
from models.runs.cause import WaitingRow
from models.runs.receipt import DEFAULT_SOURCE

_IS_MISSING = col(MissingProcessRow.closed_at).is_(None)


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows by their labels. Every known label is there, with 0 where there is no row."""

    archives: dict[tuple[str, ...], int]
    discrepancies: dict[tuple[str, ...], int]
    notifications: dict[tuple[str, ...], int]
    waiting_runs: dict[tuple[str, ...], int]
    missing: dict[tuple[str, ...], int]
    nearest_deadline_at: datetime | None


def counts() -> Counts:
    """Count archives and notifications by state, discrepancies by code and state, waiting runs by what is away, and
    missing processes by source and why, with the nearest deadline.

    Raises:
        Transient: the database does not answer.
    """
    with reading() as session:
        return Counts(
            archives=_zeros((state,) for state in State) | _by(session, ArchiveRow.state),
            discrepancies=_zeros((code, state) for code in DiscrepancyCode for state in DiscrepancyState)
            | _by(session, DiscrepancyRow.code, DiscrepancyRow.state),
            notifications=_zeros((state,) for state in NotificationState) | _by(session, NotificationRow.state),
            waiting_runs=_zeros((system,) for system in System) | _by(session, WaitingRow.waits_for),
            missing=_zeros((DEFAULT_SOURCE, why) for why in Why)
            | _by(session, MissingProcessRow.source, MissingProcessRow.why, where=_IS_MISSING),
            nearest_deadline_at=session.exec(select(func.min(MissingProcessRow.deadline_at)).where(_IS_MISSING)).one(),
        )


def _by(session: Session, *columns: Any, where: Any = True) -> dict[tuple[str, ...], int]:
    grouped = select(func.count(), *map(col, columns)).group_by(*map(col, columns))
    return {tuple(row[1:]): row[0] for row in session.connection().execute(grouped.where(where))}


def _zeros(labels: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    return dict.fromkeys((tuple(map(str, each)) for each in labels), 0)
