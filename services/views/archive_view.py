"""Reads an archive, a file of an archive, or the state of a receipt, for people."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sql
from pydantic import BaseModel
from sqlmodel import Session, SQLModel, col, func, select

from adapters.database.listing import Order, id_cursor, id_of_cursor, listed
from adapters.database.transactions import read_first, reading, streamed
from adapters.peers.prefect_api import run_url
from adapters.search.attention import BOTH, OF_DELIVERIES
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables import conditions
from adapters.tables.holds import held, today
from domain.masking import masked, masked_archive
from domain.messages.endpoints import shown_url
from domain.words.catalogue import warned, word
from models.access import Caller
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, WarningRow
from models.archive.content import FileRow, Role, SignedDocumentRow
from models.archive.session import IntegrationRow, LabelRow, SessionRow
from models.columns import table_of
from models.completeness.processes import MissingProcessRow
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.erasures import HoldRow
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.payments import LEDGER, PaymentRow
from models.runs.receipt import CauseColumns, DeliveryRow, ReceiptRow, RefusedRow, RunRow, VersionRow
from models.search import SearchEntryRow
from models.store.condition import StoredObjectRow
from models.views.archives import archives as views
from models.views.archives.holds import HoldView
from models.views.archives.payments import DiscrepancyView, PaymentView
from models.views.troubles import RefusedView
from services.access.scope import check_visible, findings_seen, messages_seen
from services.payments import recorded
from services.templates import called, titled
from services.views import troubles
from services.views.masks import personal_of
from services.views.timeline import timeline

_Shown = Callable[[Session, Sequence[Any], int], Sequence[Any]]
LISTED_AT_ONCE = 200
WHOLE = (1 << 31) - 2
"""More items than any list has."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Items of a list, the cursor of the next page, and the number of all items of the list."""

    items: list[Any]
    next: str | None
    total: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """Of which archive a page of a list is, for whom, behind which cursor, and with how many items at most."""

    reference: str
    caller: Caller
    after: str | None
    most: int
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class _Rows:
    """A list of an archive: the rows of a table, and how they are shown. `where` says which of them a caller sees.
    `last` makes items behind the last row.
    """

    table: type[SQLModel]
    order: Order
    shown: _Shown
    where: Callable[[Caller], tuple[Any, ...]] = lambda _caller: ()
    is_history: bool = False
    last: Callable[[Session, str], list[Any]] = lambda _session, _reference: []

    def page(self, session: Session, asked: _Asked) -> _Page:
        its = table_of(self.table).c.reference == asked.reference, *self.where(asked.caller)
        order = replace(self.order, is_descending=asked.newest_first and self.is_history)
        rows, cursor = listed(session, select(self.table).where(*its), order, asked.after, asked.most)
        shown, last = list(self.shown(session, rows, asked.most)) if rows else [], self.last(session, asked.reference)
        total = len(rows)
        if asked.after or cursor:
            total = session.exec(select(func.count()).select_from(self.table).where(*its)).one()
        return _Page(shown if cursor else shown + last, cursor, total + len(last))


@dataclass(frozen=True, slots=True)
class _Made:
    """A list of an archive that is made as a whole, since it is short. It is a history."""

    items: Callable[[Session, str, Caller], Sequence[Any]]

    def page(self, session: Session, asked: _Asked) -> _Page:
        items = self.items(session, asked.reference, asked.caller)[:: -1 if asked.newest_first else 1]
        begin = 0 if asked.after is None else max(0, id_of_cursor(asked.after))
        end = begin + asked.most
        return _Page(list(items[begin:end]), id_cursor(end) if end < len(items) else None, len(items))


def archive(
    reference: str,
    caller: Caller,
    most: int = LISTED_AT_ONCE,
    after: Mapping[str, str] | None = None,
    *,
    newest_first: bool = False,
    most_of: Mapping[str, int] = MappingProxyType({}),
) -> views.ArchiveView | None:
    """Return the view of an archive with the first items of each list; None if the database has no such archive.

    Args:
        most: the most items of a list, and of the labels and integrations of a session.
        after: the cursors of the lists that begin behind their first items, by name.
        newest_first: lists that are a history are in the order of a page for people.
        most_of: the most items of lists that may have more than others, by name.

    Raises:
        Refused: a cursor is invalid, or the caller does not see the archive.
    """
    check_visible(caller, reference)
    with reading() as session:
        row = session.get(ArchiveRow, reference)
        if row is None:
            return None
        stored = session.get(StoredObjectRow, ocfl.object_key(reference)) or StoredObjectRow(key="")
        found: dict[str, Any] = row.model_dump() | {"cause": views.CauseView.of(row), "next": {}}
        found |= {"checked_at": stored.checked_at, "anchored_at": stored.anchored_at}
        found["held"] = bool(held(session, [reference]))
        title = session.exec(select(SearchEntryRow.title).where(SearchEntryRow.reference == reference)).first()
        for name, its in LISTS.items():
            asked = _Asked(reference, caller, (after or {}).get(name), most_of.get(name, most), newest_first)
            page = its.page(session, asked)
            found |= {name: page.items, f"{name}_total": page.total}
            found["next"] |= {name: page.next} if page.next else {}
        documents = select(SignedDocumentRow.verdict).where(SignedDocumentRow.reference == reference)
        found["signed_document_verdict"] = session.exec(documents).first()
    found["title"] = titled(title, row.template_id, called(row.template_id, caller), caller)
    view = views.ArchiveView.model_validate(found)
    return masked_archive(view, LISTS, personal_of([reference])[reference]) if caller.is_masked else view


def items(
    reference: str, caller: Caller, name: str, after: str | None = None, most: int = LISTED_AT_ONCE
) -> views.ArchiveItems | None:
    """Return a page of a list of an archive, by its name in `LISTS`; None if there is no such archive.

    Raises as `archive` does.
    """
    check_visible(caller, reference)
    with reading() as session:
        if session.get(ArchiveRow, reference) is None:
            return None
        page = LISTS[name].page(session, _Asked(reference, caller, after, most))
    if caller.is_masked:
        personal = personal_of([reference])[reference]
        return views.ArchiveItems(items=[masked(each, personal) for each in page.items], next=page.next)
    return views.ArchiveItems(items=page.items, next=page.next)


def file(reference: str, caller: Caller, sha256: str) -> FileRow | None:
    """Return a file of an archive by its digest; None unless the archive has it. Raises as `check_visible` does."""
    check_visible(caller, reference)
    return read_first(select(FileRow).where(FileRow.reference == reference, FileRow.sha256 == sha256))


def signed_document(reference: str, caller: Caller) -> FileRow | None:
    """Return the first signed document of an archive; None without one. Raises as `check_visible` does."""
    check_visible(caller, reference)
    its = select(FileRow).where(FileRow.reference == reference, FileRow.role == Role.SIGNED_DOCUMENT)
    return read_first(its.order_by(col(FileRow.position)))


@dataclass(frozen=True, slots=True)
class PublicState:
    """The state of a receipt and its archive, without personal data."""

    receipt_id: str
    state: str
    received_at: datetime
    completed_at: datetime | None
    versions: int
    digests: list[str]


def public_state(receipt_id: str) -> PublicState | None:
    """Return the state of a receipt and its archive; None before the receipt is registered."""
    with reading() as session:
        receipt = session.get(ReceiptRow, receipt_id)
        if receipt is None:
            return None
        digests = select(FileRow.sha256).order_by(col(FileRow.position))
        versions = select(func.count()).select_from(VersionRow).where(VersionRow.reference == receipt.reference)
        return PublicState(
            receipt_id=receipt_id,
            state=receipt.state,
            received_at=receipt.received_at,
            completed_at=receipt.completed_at,
            versions=session.exec(versions).one(),
            digests=list(session.exec(digests.where(FileRow.reference == receipt.reference))),
        )


def _each(view: Callable[[Any], Any]) -> _Shown:
    return lambda _session, rows, _most: [view(row) for row in rows]


def _as(view: type[BaseModel]) -> _Shown:
    """Return how rows are shown whose columns have the names of the view's members."""
    return _each(lambda row: view.model_validate(row, from_attributes=True))


def _warning(code: str, where: str = "", values: Mapping[str, Any] = MappingProxyType({})) -> views.WarningView:
    return views.WarningView(code=code, where=where, detail=word(warned(code, values)), values=dict(values))


def _of_deliveries(session: Session, reference: str) -> list[views.WarningView]:
    """Return the warnings that follow from what has arrived."""
    asked = sql.select(*OF_DELIVERIES.values()).where(col(ArchiveRow.reference) == reference)
    found = zip(OF_DELIVERIES, session.connection().execute(asked).one(), strict=True)
    codes = [code for code, is_warned in found if is_warned]
    both = {code: BOTH[code].where(col(ArchiveRow.reference) == reference) for code in codes if code in BOTH}
    values = {code: dict(session.connection().execute(its).mappings().first() or {}) for code, its in both.items()}
    return [_warning(code, values=values.get(code, {})) for code in codes]


def _sessions(session: Session, rows: Sequence[SessionRow], most: int) -> list[views.ListedSession]:
    """Return sessions with the first of their labels and integrations."""
    labels, integrations = (_of_sessions(session, table, rows, most) for table in (LabelRow, IntegrationRow))
    return [
        views.ListedSession(
            **row.model_dump(),
            labels={each.key: each.value for each in labels[row.position].items},
            labels_total=labels[row.position].total,
            integrations=[views.IntegrationView(**each._mapping) for each in integrations[row.position].items],
            integrations_total=integrations[row.position].total,
        )
        for row in rows
    ]


def _of_sessions(
    session: Session, table: type[LabelRow | IntegrationRow], rows: Sequence[SessionRow], most: int
) -> Mapping[int, _Page]:
    """Return the first rows of each session, by the position of the session."""
    columns = table_of(table).c
    place = columns.session_position
    theirs = columns.reference == rows[0].reference, place.between(rows[0].position, rows[-1].position)
    first = defaultdict[int, list[Any]](list)
    found = sql.select(*columns).where(*theirs, columns.position < most).order_by(place, columns.position)
    for each in streamed(session, found):
        first[each.session_position].append(each)
    counted = sql.select(place, func.count()).where(*theirs).group_by(place)
    pages = {of: _Page(first[of], None, total) for of, total in session.connection().execute(counted)}
    return defaultdict(lambda: _Page([], None, 0), pages)


def _payments(session: Session, rows: Sequence[PaymentRow], _most: int) -> list[PaymentView]:
    """Return the payments of the payload with their standing in the ledger, since only reports say what is settled."""
    theirs = LEDGER.c.reference == rows[0].reference, LEDGER.c.position.between(rows[0].position, rows[-1].position)
    ledger = select(LEDGER.c.position, LEDGER.c.standing).where(*theirs)
    standings = {row.position: row.standing for row in session.connection().execute(ledger)}
    return [PaymentView.model_validate(row.model_dump() | {"standing": standings[row.position]}) for row in rows]


def _notifications(session: Session, rows: Sequence[NotificationRow], _most: int) -> list[views.NotificationView]:
    message = col(NotificationAttemptRow.message_id)
    theirs = select(NotificationRow.message_id).where(NotificationRow.reference == rows[0].reference)
    counted = select(message, func.count()).where(message.in_(theirs))
    attempts = dict(session.exec(counted.group_by(message)).all())
    return [
        views.NotificationView.model_validate(
            row.model_dump() | {"attempts": attempts.get(row.message_id, 0), "endpoint": shown_url(row.endpoint)}
        )
        for row in rows
    ]


def _discrepancies(session: Session, rows: Sequence[DiscrepancyRow], _most: int) -> list[DiscrepancyView]:
    return recorded.views_of(session, rows)


def _judgements(session: Session, reference: str, _caller: Caller) -> list[views.JudgementView]:
    found = select(SignedDocumentRow.judgements).where(SignedDocumentRow.reference == reference)
    return [views.JudgementView.model_validate(each) for each in session.exec(found).first() or []]


def _run(row: RunRow) -> views.RunView:
    """Return a run. Its link is left out once Prefect has removed the run, so that no link leads nowhere."""
    kept = timedelta(days=settings().prefect_retention_days)
    is_removed = row.ended_at is not None and row.ended_at < datetime.now(UTC) - kept
    since = row.ended_at or row.started_at
    cause = CauseColumns(**row.model_dump(), cause_task=row.failed_task, cause_attempt=row.attempt, cause_since=since)
    url = None if is_removed else run_url(row.flow_run_id)
    return views.RunView(**row.model_dump(), cause=views.CauseView.of(cause), url=url)


def _by(first: Any, key: Any = None) -> Order:
    return Order(col(first), col(first if key is None else key))


_BY_CODE = _by(DiscrepancyRow.code, DiscrepancyRow.discrepancy_id)
# Not as `=` or `!=`: an index of the states of all archives could be searched in place of that of the reference.
_NOT_CLOSED = col(DiscrepancyRow.state).not_in((DiscrepancyState.CLOSED,))
_CLOSED = col(DiscrepancyRow.state).not_in((DiscrepancyState.OPEN, DiscrepancyState.EXPLAINED))


def _discrepancies_where(state: Any) -> Callable[[Caller], tuple[Any, ...]]:
    return lambda caller: (state, *findings_seen(caller))


def hold_view(row: HoldRow) -> HoldView:
    in_force = row.released_at is None and (row.until is None or row.until >= today())
    return HoldView(in_force=in_force, reason=row.why, released_reason=row.released_why, **row.model_dump())


def _conditions(session: Session, reference: str, _caller: Caller) -> list[views.ConditionView]:
    return [views.ConditionView(**each.model_dump()) for each in conditions.of_archive_within(session, reference)]


LISTS: Mapping[str, _Rows | _Made] = {
    "conditions": _Made(_conditions),
    "versions": _Rows(VersionRow, _by(VersionRow.version), _as(views.VersionView), is_history=True),
    "deliveries": _Rows(DeliveryRow, _by(DeliveryRow.delivery_id), _as(views.DeliveryView), is_history=True),
    "refused": _Rows(
        RefusedRow, _by(RefusedRow.received_at, RefusedRow.delivery_id), _as(RefusedView), is_history=True
    ),
    "missing": _Rows(
        MissingProcessRow,
        _by(MissingProcessRow.deadline_at, MissingProcessRow.missing_id),
        _each(lambda row: troubles.missing_view(row, datetime.now(UTC))),
        where=lambda _caller: (col(MissingProcessRow.closed_at).is_(None),),
    ),
    "files": _Rows(FileRow, _by(FileRow.position), _as(views.FileView)),
    "sessions": _Rows(SessionRow, _by(SessionRow.position), _sessions),
    "signatures": _Rows(
        SignatureRow,
        _by(SignatureRow.position),
        _each(
            lambda row: views.SignatureView(
                **row.model_dump(), signed_by={"id": row.signer_id, "name": row.signer_name}
            )
        ),
    ),
    "fields": _Rows(FormFieldRow, _by(FormFieldRow.position), _as(views.FieldView)),
    "warnings": _Rows(
        WarningRow,
        _by(WarningRow.position),
        _each(lambda row: _warning(row.code, row.where, row.values)),
        last=_of_deliveries,
    ),
    "payments": _Rows(PaymentRow, _by(PaymentRow.position), _payments),
    "discrepancies": _Rows(DiscrepancyRow, _BY_CODE, _discrepancies, _discrepancies_where(_NOT_CLOSED)),
    "closed_discrepancies": _Rows(DiscrepancyRow, _BY_CODE, _discrepancies, _discrepancies_where(_CLOSED)),
    "judgements": _Made(_judgements),
    "notifications": _Rows(
        NotificationRow,
        _by(NotificationRow.planned_at, NotificationRow.message_id),
        _notifications,
        messages_seen,
        is_history=True,
    ),
    "timeline": _Made(timeline),
    "holds": _Rows(HoldRow, _by(HoldRow.at, HoldRow.hold_id), _each(hold_view), is_history=True),
    "runs": _Rows(RunRow, _by(RunRow.started_at, RunRow.flow_run_id), _each(_run), is_history=True),
}
