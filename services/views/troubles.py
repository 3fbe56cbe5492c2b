"""Lists what is wrong for people, page by page: failures, refused deliveries, missing processes, discrepancies."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col, exists, func, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from adapters.search.attention import IS_OPEN
from adapters.tables.open_conditions import open_conditions
from domain.completeness.missing import hours_left
from domain.words.catalogue import in_words
from models.archive.archive import ArchiveRow
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.runs.receipt import RefusedRow
from models.said import Sentence, said_of
from models.store.condition import AnyCode, ConditionCode, DerivedCode
from models.views import troubles as shown
from models.views.archives.payments import DiscrepancyPage, DiscrepancyQuery, ListedDiscrepancy
from services.payments.recorded import views_of
from services.sources import check_filter

_OF_RUNS: tuple[AnyCode, ...] = (DerivedCode.ARCHIVE_FAILED, ConditionCode.RUN_FAILED)


def failures(source: str | None = None) -> shown.Failures:
    """Return the failed archives by cause, of all sources or of one, then the complete archives whose last run failed.

    Raises Refused if there is no such source.
    """
    check_filter(source)
    return shown.Failures(items=[*map(_failure, open_conditions(_OF_RUNS, source))])


def _failure(found: shown.ConditionGroup) -> shown.FailureGroup:
    return shown.FailureGroup(
        condition=ConditionCode.RUN_FAILED if found.code == ConditionCode.RUN_FAILED else None,
        code=found.key,
        task=found.values["task"],
        **in_words(sentence=said_of(kept) if (kept := found.values["sentence"]) else Sentence.cause_not_kept()),
        archives=found.subjects,
        first_at=found.first_at,
        last_at=found.last_at,
    )


_NEWEST_FIRST = Order(col(RefusedRow.received_at), col(RefusedRow.delivery_id), is_descending=True)


def refused_page(query: shown.RefusedQuery) -> shown.RefusedPage:
    """Return refused deliveries, newest first. Raises Refused if there is no such source, or the cursor is invalid."""
    with reading() as session:
        rows, cursor = listed(
            session, select(RefusedRow).where(*_refused_conditions(query)), _NEWEST_FIRST, query.cursor, query.limit
        )
    if not rows:
        check_filter(query.source)
    views = [shown.RefusedView.model_validate(row.model_dump() | {"values": row.values or {}}) for row in rows]
    return shown.RefusedPage(items=views, next=cursor)


def _refused_conditions(query: shown.RefusedQuery) -> list[ColumnElement[bool]]:
    conditions = equal_to(RefusedRow, query, "reference", "process_number", "source", "code")
    if query.received_after is not None:
        conditions.append(col(RefusedRow.received_at) > query.received_after)
    if query.received_before is not None:
        conditions.append(col(RefusedRow.received_at) < query.received_before)
    if query.state is not None:
        conditions.append(IS_OPEN if query.state is shown.FindingState.OPEN else ~IS_OPEN)
    return conditions


_NEAREST_FIRST = Order(col(MissingProcessRow.deadline_at), col(MissingProcessRow.missing_id))


def missing_page(query: shown.MissingQuery) -> shown.MissingPage:
    """Return missing processes, the nearest deadline first.

    Raises Refused if there is no such source, or the cursor is invalid.
    """
    now = datetime.now(UTC)
    conditions = equal_to(MissingProcessRow, query, "source", "reference", "why")
    is_open = col(MissingProcessRow.closed_at).is_(None)
    conditions.append(is_open if query.state is shown.FindingState.OPEN else ~is_open)
    with reading() as session:
        found = select(MissingProcessRow).where(*conditions)
        rows, cursor = listed(session, found, _NEAREST_FIRST, query.cursor, query.limit)
    if not rows:
        check_filter(query.source)
    return shown.MissingPage(items=[missing_view(row, now) for row in rows], next=cursor)


def missing_view(row: MissingProcessRow, now: datetime) -> shown.MissingView:
    state = shown.FindingState.OPEN if row.closed_at is None else shown.FindingState.CLOSED
    return shown.MissingView.model_validate(
        row.model_dump() | {"state": state, "hours_left": hours_left(row.deadline_at, now)}
    )


_IS_NOT_CLOSED: ColumnElement[bool] = col(DiscrepancyRow.state) != literal_column(f"'{DiscrepancyState.CLOSED}'")
"""With a literal, as an index on these rows has it: a parameter would not use it."""
_BY_CODE = Order(col(DiscrepancyRow.code), col(DiscrepancyRow.discrepancy_id))


def discrepancy_page(query: DiscrepancyQuery) -> DiscrepancyPage:
    """Return discrepancies in the order of their codes.

    Raises Refused if there is no such source, or the cursor is invalid.
    """
    check_filter(query.source)
    found = select(DiscrepancyRow).where(*_discrepancy_conditions(query))
    with reading() as session:
        rows, cursor = listed(session, found, _BY_CODE, query.cursor, query.limit)
        return DiscrepancyPage(items=_listed(session, rows), next=cursor)


def find_discrepancy(discrepancy_id: str) -> ListedDiscrepancy | None:
    """Return a discrepancy by its id; None if there is no such discrepancy."""
    with reading() as session:
        row = session.get(DiscrepancyRow, discrepancy_id)
        return _listed(session, [row])[0] if row else None


def newest_discrepancies(limit: int) -> list[ListedDiscrepancy]:
    """Return the open discrepancies, the last opened first."""
    its_events = DiscrepancyEventRow.discrepancy_id == DiscrepancyRow.discrepancy_id
    # Per open discrepancy: closed discrepancies are never deleted, and would be read each time.
    opened_at = (
        select(func.max(DiscrepancyEventRow.at))
        .where(its_events, DiscrepancyEventRow.state == DiscrepancyState.OPEN)
        .correlate(DiscrepancyRow)
        .scalar_subquery()
    )
    open_ones = select(DiscrepancyRow).where(DiscrepancyRow.state == DiscrepancyState.OPEN)
    found = open_ones.order_by(opened_at.desc(), col(DiscrepancyRow.discrepancy_id))
    with reading() as session:
        return _listed(session, list(session.exec(found.limit(limit))))


def _listed(session: Session, rows: Sequence[DiscrepancyRow]) -> list[ListedDiscrepancy]:
    views = views_of(session, rows)
    return [
        ListedDiscrepancy(reference=row.reference, **view.model_dump()) for row, view in zip(rows, views, strict=True)
    ]


def _discrepancy_conditions(query: DiscrepancyQuery) -> list[ColumnElement[bool]]:
    state = col(DiscrepancyRow.state)
    conditions = [] if query.state is DiscrepancyState.CLOSED else [_IS_NOT_CLOSED]
    if query.state:
        conditions.append(state == query.state)
    if query.code is not None:
        conditions.append(col(DiscrepancyRow.code) == query.code)
    if query.reference is not None:
        conditions.append(col(DiscrepancyRow.reference) == (query.reference or None))  # with None it is `IS NULL`
    if query.source is not None:
        its = col(ArchiveRow.reference) == col(DiscrepancyRow.reference)
        conditions.append(exists().where(its, col(ArchiveRow.source) == query.source))
    return conditions
