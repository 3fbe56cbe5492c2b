"""The conditions of archives and of the store. They are opened and ended here alone."""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlmodel import Session, col, delete, select

from adapters.database.noted import note_rows
from adapters.database.transactions import insert_rows, pages, read_all, read_row, upsert, writing
from adapters.search import entries
from domain.search import facets_of
from models.access import CELLAR
from models.people import ActionKind, ActionRow
from models.search import Kind
from models.store.condition import OF_FILES, ConditionCode, ConditionRow, StoredObjectRow, Subject

_ITS_KEY = ("kind", "subject", "code")
_IS_QUICK = col(ConditionRow.values)["quick"].as_boolean()


@dataclass(frozen=True, slots=True)
class Found:
    """A condition as it was found: the number of findings, and the values that its words need."""

    count: int
    values: Mapping[str, Any]


def set_within(  # noqa: PLR0913 -- a keyword per limit of what is ended
    session: Session,
    kind: Subject,
    subject: str,
    found: Mapping[ConditionCode, Found | None],
    now: datetime,
    *,
    is_quick: bool = False,
    begun_at: datetime | None = None,
) -> None:
    """Open or confirm conditions, and end those of which nothing was found. In the caller's transaction.

    A quick check ends only what a quick check has found, and leaves a finding of another check as it is. What was found
    after `begun_at` stays: a run that failed while a check was reading is no matter of that check.
    """
    its = col(ConditionRow.kind) == kind, col(ConditionRow.subject) == subject
    before = set(session.exec(select(ConditionRow.code).where(*its)).all()) if OF_FILES.intersection(found) else set()
    is_own = _IS_QUICK if is_quick else sqlalchemy.true()
    for code, each in found.items():
        if each:
            changed = {"found_at": now, "count": each.count, "values": dict(each.values)}
            row = {"kind": kind, "subject": subject, "code": code, "since": now, **changed}
            new = upsert(session, ConditionRow).values(**row)
            confirmed = new.on_conflict_do_update(index_elements=_ITS_KEY, set_=changed, where=is_own)
            session.connection().execute(confirmed)
    is_over = col(ConditionRow.code).in_([code for code, each in found.items() if not each])
    is_earlier = sqlalchemy.true() if begun_at is None else col(ConditionRow.found_at) <= begun_at
    ended = session.connection().execute(delete(ConditionRow).where(*its, is_over, is_own, is_earlier))
    if kind is Subject.ARCHIVE and (any(found.values()) or ended.rowcount > 0):
        codes = session.exec(select(ConditionRow.code).where(*its)).all()
        entries.set_facets(session, subject, facets_of(Kind.CONDITION, codes))
        _remember(session, subject, before & OF_FILES, set(codes) & OF_FILES, now)


def _remember(session: Session, reference: str, before: set[str], after: set[str], now: datetime) -> None:
    """Record damage that is new, and its end, for the timeline: the rows of conditions end with them."""
    kinds = sorted(after - before) or [ActionKind.WHOLE] * bool(before and not after)
    about = {"reference": reference, "by": CELLAR.name, "at": now}
    rows = [{"action_id": secrets.token_hex(16), "kind": str(each), **about} for each in kinds]
    insert_rows(session, ActionRow, rows)
    note_rows(session, ActionRow, rows)


def whole_since(reference: str) -> datetime | None:
    """Return when a check found an archive whole again after damage, the last time; None if it was never damaged."""
    its = select(ActionRow.at).where(ActionRow.reference == reference, ActionRow.kind == ActionKind.WHOLE)
    return next(iter(read_all(its.order_by(col(ActionRow.at).desc()).limit(1))), None)


def of_archive_within(session: Session, reference: str) -> list[ConditionRow]:
    """Return the open conditions of an archive, the oldest first."""
    its = select(ConditionRow).where(ConditionRow.kind == Subject.ARCHIVE, ConditionRow.subject == reference)
    return list(session.exec(its.order_by(col(ConditionRow.since), ConditionRow.code)))


def of_store() -> list[str]:
    """Return the codes of the open conditions of the store as a whole."""
    its = select(ConditionRow.code).where(ConditionRow.kind == Subject.STORE, ConditionRow.subject == "")
    return read_all(its.order_by(ConditionRow.code))


def of_archives_within(session: Session, references: Collection[str]) -> dict[str, list[ConditionCode]]:
    """Return the codes of the open conditions of those of the archives that have any."""
    its = select(ConditionRow.subject, ConditionRow.code).where(ConditionRow.kind == Subject.ARCHIVE)
    found: dict[str, list[ConditionCode]] = {}
    for reference, code in session.exec(
        its.where(col(ConditionRow.subject).in_(references)).order_by(ConditionRow.code)
    ):
        found.setdefault(reference, []).append(ConditionCode(code))
    return found


def references(reference: str | None = None) -> set[str]:
    """Return the references of the archives with open conditions, or of one of them if it has any."""
    its = select(ConditionRow.subject).where(ConditionRow.kind == Subject.ARCHIVE)
    return set(read_all(its if reference is None else its.where(ConditionRow.subject == reference)))


def note_within(session: Session, keys: Iterable[str], **moments: datetime) -> None:
    """Note when objects of the store were checked or anchored, in the caller's transaction."""
    for page in pages(sorted(keys), 1000):  # in one order: two checks at once would wait for each other
        rows = [{"key": each, **moments} for each in page]
        noted = upsert(session, StoredObjectRow).on_conflict_do_update(index_elements=["key"], set_=moments)
        session.connection().execute(noted, rows)  # not as values of one statement, which is compiled for each page


def note_anchored(keys: Iterable[str], at: datetime) -> None:
    """Note the objects that an anchor has."""
    for page in pages(keys):
        with writing() as session:
            note_within(session, page, anchored_at=at)


def stored_object(key: str = "") -> StoredObjectRow:
    """Return when an object, or the store as a whole, was checked and anchored."""
    return read_row(StoredObjectRow, key) or StoredObjectRow(key=key)
