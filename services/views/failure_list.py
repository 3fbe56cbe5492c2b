"""Lists failures for people, by cause: archives that failed, and complete archives whose last run failed."""

from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from adapters.database.transactions import reading
from adapters.tables import conditions
from models.archive.archive import ArchiveRow, State
from models.columns import Moment
from models.views.troubles import FailureGroup, Failures
from services.sources import check_filter

NOT_KEPT = "UNKNOWN"
_IS_FAILED: ColumnElement[bool] = col(ArchiveRow.state) == literal_column(f"'{State.FAILED}'")
"""With a literal, as an index on these rows has it: a parameter would not use it."""
_WHY_NOT_KEPT = "the archive failed before cellar kept causes; `cellar show REFERENCE` gives the address of its run"


def failures(source: str | None = None) -> Failures:
    """Return the failed archives by cause, of all sources or of one, then the complete archives whose last run failed.

    Raises:
        Refused: there is no such source.
        Transient: the database does not answer.
    """
    check_filter(source)
    at = func.coalesce(col(ArchiveRow.cause_since), col(ArchiveRow.received_at), type_=Moment())
    cause = col(ArchiveRow.cause_code), col(ArchiveRow.cause_task)
    count = func.count()
    grouped = (
        select(*cause, count, func.min(at), func.max(at))  # type: ignore[call-overload]
        .where(*_failed(source))
        .group_by(*cause)
        .order_by(count.desc(), *cause)
    )
    with reading() as session:
        failed = [
            FailureGroup(
                code=code or NOT_KEPT,
                task=task,
                sentence=session.exec(_last_sentence(source, code, task)).first() or _WHY_NOT_KEPT,
                archives=archives,
                first_at=first_at,
                last_at=last_at,
            )
            for code, task, archives, first_at, last_at in session.exec(grouped)
        ]
    return Failures(items=[*failed, *conditions.failed_runs(source)])


def _failed(source: str | None) -> list[ColumnElement[bool]]:
    its = [] if source is None else [col(ArchiveRow.source) == source]
    return [_IS_FAILED, *its]


def _last_sentence(source: str | None, code: str | None, task: str | None) -> "SelectOfScalar[Any]":
    """Select the sentence of the last failure of a cause. Groups are few, so a query for each costs little."""
    of_cause = (
        *_failed(source),
        col(ArchiveRow.cause_code).is_not_distinct_from(code),
        col(ArchiveRow.cause_task).is_not_distinct_from(task),
    )
    return select(ArchiveRow.cause_sentence).where(*of_cause).order_by(col(ArchiveRow.cause_since).desc()).limit(1)
