"""Counts rows for the metrics. A count whose label would grow with the data stays out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from adapters.database.transactions import reading
from models.archive.archive import ArchiveRow, State
from models.discrepancies import DiscrepancyCode, DiscrepancyRow, DiscrepancyState
from models.messages.notification import NotificationRow, NotificationState


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows by their labels. Every known label is there, with 0 where there is no row."""

    archives: dict[tuple[str, ...], int]
    discrepancies: dict[tuple[str, ...], int]
    notifications: dict[tuple[str, ...], int]


def counts() -> Counts:
    """Count archives and notifications by state, and discrepancies by code and state."""
    with reading() as session:
        return Counts(
            archives=_zeros((state,) for state in State) | _by(session, ArchiveRow.state),
            discrepancies=_zeros((code, state) for code in DiscrepancyCode for state in DiscrepancyState)
            | _by(session, DiscrepancyRow.code, DiscrepancyRow.state),
            notifications=_zeros((state,) for state in NotificationState) | _by(session, NotificationRow.state),
        )


def _by(session: Session, *columns: Any) -> dict[tuple[str, ...], int]:
    grouped = select(func.count(), *map(col, columns)).group_by(*map(col, columns))
    return {tuple(row[1:]): row[0] for row in session.connection().execute(grouped)}


def _zeros(labels: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    return dict.fromkeys((tuple(map(str, each)) for each in labels), 0)
