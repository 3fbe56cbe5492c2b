"""Removes archives that have a tombstone: first their keys, last the row by which a killed removal is continued.

Each step is idempotent. One process at a time removes archives: the driver of a batch, or a restore.
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlmodel import Session, col, delete, func, select, update

from adapters.database.freed import leave_nothing
from adapters.database.noted import note, note_rows
from adapters.database.transactions import read_all, read_one, reading, writing
from adapters.files.spool import remove_leftovers
from adapters.files.store import store
from adapters.inbox import inbox, quarantine
from adapters.peers import prefect_erasure
from adapters.settings.settings import settings
from adapters.store import happened, ocfl, seals
from adapters.tables.messages import notifications
from domain.messages.bodies import archive_erased
from domain.words.catalogue import in_words
from models.archive.archive import ArchiveRow
from models.columns import Moment
from models.erasures import TombstoneRow
from models.errors import System, Transient
from models.messages.notification import EventRow, EventType, NotificationRow, NotificationState
from models.runs.batch import BatchItemRow, ItemState
from models.runs.receipt import RunRow
from models.said import Sentence
from models.store.happened import NotedRow
from services.erasure import lines
from services.erasure.redacting import redact, redact_findings
from services.erasure.spellings import redacted_text, spellings
from services.erasure.traces import REMOVED, Named, named_by, names
from services.messages import events

log = structlog.get_logger()

_LEFTOVER_AFTER = timedelta(days=1)
_EVENTS_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Left:
    """Until when an Object Lock keeps something of an archive. `key` names no archive: the folders above its object."""

    key: str
    until: datetime

    def noted(self) -> dict[str, Any]:
        """Return what the item of the archive says of it."""
        told = in_words(sentence=Sentence.erasure_locked(until=Sentence.moment(at=self.until.isoformat()).as_json()))
        kept = {"key": self.key, "until": self.until.isoformat()}
        return {"sentence": told["sentence"], "values": told["values"] | kept}


_NOTHING_LEFT: dict[str, Any] = {"sentence": None, "values": None}


def remove(digests: Mapping[str, str], *, in_prefect: bool = True) -> None:
    """Remove all of some archives, each with its tombstone's digest, and end their erasures. Idempotent.

    An erasure that an Object Lock keeps from its end is continued by `remove_left`.

    Args:
        in_prefect: remove what Prefect has of them. A restore does not: it brings back nothing there.

    Raises:
        Transient: store, inbox, database or Prefect does not answer. A repetition goes on.
    """
    happened.keep()
    if any(each.of == TombstoneRow.__tablename__ for each in happened.lines_left()):
        raise Transient("the store does not take tombstones, so nothing is removed", system=System.STORE)
    settings().check_note.unlink(missing_ok=True)  # an interrupted check begins anew
    found = [each for each in map(_named, digests, digests.values()) if each]
    _await_events([each.reference for each in found])
    lines.note(found)
    kept = [_remove_files(each, in_prefect=in_prefect) for each in found]
    for each in found:
        _remove_rows(each)
    happened.keep()
    kept_in_lines = lines.erase(found)
    for each, until in zip(found, kept, strict=True):
        _remove_last_row(each, _left(each, until, kept_in_lines))
    end(digests.values())


def end(digests: Collection[str]) -> None:
    """End erasures whose archives have no row any longer, and their items, once no file has a byte of the rows."""
    if not digests:
        return
    leave_nothing()
    now, its = datetime.now(UTC), col(BatchItemRow.subject)
    is_started, is_left = col(BatchItemRow.state) == ItemState.STARTED, col(BatchItemRow.sentence).is_not(None)
    with writing() as session:
        left = session.exec(select(BatchItemRow.subject).where(its.in_(digests), is_started, is_left)).all()
        tombstones = select(TombstoneRow).where(
            col(TombstoneRow.digest).in_(digests), col(TombstoneRow.ended_at).is_(None)
        )
        for each in session.exec(tombstones.with_for_update()):
            each.ended_at = None if each.digest in left else now
        ended = update(BatchItemRow).where(its.in_(digests), is_started)
        session.execute(ended.values(state=ItemState.COMPLETED, ended_at=now))
        note(session, TombstoneRow, col(TombstoneRow.digest).in_(digests))
        note(session, BatchItemRow, its.in_(digests))
    happened.keep()
    log.info("archives erased", number=len(digests), left=len(left))


def remove_left(now: datetime) -> int:
    """Go on with erasures that an Object Lock has kept from their end, and return how many have ended. Remove what
    killed writers have left in the spool a day ago: it may be of any archive.
    """
    remove_leftovers(store().spool_folder, now - _LEFTOVER_AFTER)
    waits = select(BatchItemRow.subject, BatchItemRow.values).join(
        TombstoneRow, col(TombstoneRow.digest) == col(BatchItemRow.subject)
    )
    found = read_all(waits.where(col(TombstoneRow.ended_at).is_(None), BatchItemRow.state == ItemState.COMPLETED))
    due = {digest: values["key"] for digest, values in found if values and values["until"] <= now.isoformat()}
    return sum(_is_removed_now(digest, key, now) for digest, key in due.items())


def _is_removed_now(digest: str, key: str, now: datetime) -> bool:
    """Remove what a lock has kept. Where another archive lies below the same folders, the erasure does not end."""
    if any(True for _ in store().listed(key)):
        return False
    until = max(filter(None, [store().erase(key), lines.erase_earlier()]), default=None)
    with writing() as session:
        if until is None:
            session.get_one(TombstoneRow, digest, with_for_update=True).ended_at = now
            note(session, TombstoneRow, col(TombstoneRow.digest) == digest)
        noted = Left(key, until).noted() if until else _NOTHING_LEFT
        session.execute(update(BatchItemRow).where(col(BatchItemRow.subject) == digest).values(noted))
        note(session, BatchItemRow, col(BatchItemRow.subject) == digest)
    return until is None


def _await_events(references: Collection[str]) -> None:
    """Wait until Prefect has recorded the events of runs that have just ended: it holds them for some seconds."""
    last = select(func.max(RunRow.ended_at, type_=Moment())).where(col(RunRow.reference).in_(references))
    ended_at = read_one(last)
    if ended_at:
        time.sleep(max(0.0, (ended_at + _EVENTS_WITHIN - datetime.now(UTC)).total_seconds()))


def _named(reference: str, digest: str) -> Named | None:
    """Return what names an archive; None if its last row is gone."""
    with reading() as session:
        archive = session.get(ArchiveRow, reference)
        return named_by(session, archive, digest) if archive else None


def _remove_files(named: Named, *, in_prefect: bool) -> datetime | None:
    """Remove what store, inbox and Prefect have of an archive. Its key is the first: without it, no secret is read.

    Return until when a lock keeps some of it.
    """
    object_key = ocfl.object_key(named.reference)
    kept = [store().erase(seals.key_location(named.reference)), store().erase(object_key)]
    kept += inbox.erase(named.reference, named.receipt_ids, named.delivery_ids)
    kept += quarantine.erase(named.refused)
    if in_prefect:
        redact_text = partial(redacted_text, reference=named.reference, digest=named.digest)
        prefect_erasure.forget(named.reference, spellings(named.reference), redact_text, named.flow_run_ids)
    return max(filter(None, kept), default=None)


def _left(named: Named, *kept: datetime | None) -> Left | None:
    until = max(filter(None, kept), default=None)
    return Left(ocfl.object_key(named.reference).rpartition("/")[0], until) if until else None


def _remove_rows(named: Named) -> None:
    """Remove the rows of an archive, except its own row, and announce the erasure in the same transaction."""
    redact_findings(named)
    event = archive_erased(named.reference, named.digest, named.source, named.template_id, datetime.now(UTC))
    with reading() as session:
        is_new = session.get_one(TombstoneRow, named.digest).ended_at is None
    messages = events.messages_about(event) if is_new else []
    with writing() as session:
        redact(session, named)
        if messages:
            notifications.plan_within(session, events.event_row(event), messages)
        delete_rows(session, named, [each for each in REMOVED if each is not ArchiveRow])
        if messages:  # the store keeps the event without the reference
            told = events.event_row(replace(event, body=_told(event.body.decode()).encode()))
            note_rows(session, EventRow, [told.model_dump()])


def _told(body: str) -> str:
    """Return the body of archive.erased without the reference."""
    content = json.loads(body)
    content["data"]["reference"] = None
    return json.dumps(content, separators=(",", ":"))


def forget_told() -> int:
    """Take the references out of the messages that no endpoint waits for any longer. Return the number of archives."""
    its_messages = select(NotificationRow.event_id).where(
        NotificationRow.event_id == EventRow.event_id, NotificationRow.state == NotificationState.PENDING
    )
    told = (
        select(EventRow)
        .join(TombstoneRow, col(TombstoneRow.digest) == col(EventRow.receipt_id))
        .where(EventRow.type == EventType.ARCHIVE_ERASED, ~col(EventRow.body).contains('"reference":null'))
    )
    with writing() as session:
        rows = list(session.exec(told.where(~its_messages.exists()).with_for_update(of=EventRow)))
        for row in rows:
            row.body = _told(row.body)
    if rows:
        leave_nothing()
    return len(rows)


def _remove_last_row(named: Named, left: Left | None) -> None:
    """Remove the row of an archive, and note in its item what an Object Lock keeps."""
    with writing() as session:
        its = (col(BatchItemRow.subject) == named.digest, col(BatchItemRow.state) == ItemState.STARTED)
        session.execute(update(BatchItemRow).where(*its).values(left.noted() if left else _NOTHING_LEFT))
        delete_rows(session, named, REMOVED)


def delete_rows(session: Session, named: Named, tables: Iterable[type]) -> None:
    """Delete the rows of an archive from some tables, in the caller's transaction."""
    for table in tables:
        which = REMOVED[table](named)
        if table is NotedRow:
            may = session.exec(select(NotedRow).where(which))
            which = col(NotedRow.id).in_([each.id for each in may if names(each.of, each.row, named.reference)])
        session.connection().execute(delete(table).where(which))
