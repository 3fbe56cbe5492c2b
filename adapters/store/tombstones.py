"""Tombstones: what is left of erased archives. Their rows are in the database, and noted for the store."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from adapters.database.noted import note, note_rows
from adapters.database.transactions import insert_new, read_all, read_one, read_row, reading, writing
from adapters.store import seals
from adapters.tables.erased import is_any
from models.archive.archive import ArchiveRow
from models.archive.session import SessionRow
from models.columns import Moment
from models.erasures import TombstoneMarkRow, TombstoneRow
from models.errors import Locked, Transient
from models.runs.receipt import DEFAULT_SOURCE, ReceiptRow


def digest_of(reference: str) -> str:
    """Return the keyed digest of a reference, in hex. It reveals only whether references of this store are equal.

    Raises:
        Locked: the settings do not unwrap the key of the fingerprints, or the key is gone or not made yet.
        Transient: the store does not answer.
    """
    return seals.quick_fingerprint(f"reference:{reference}")


def known_digests(references: Iterable[str]) -> dict[str, str]:
    """Return the digests of references; none while their key is away, since a page shows an archive without it too."""
    try:
        return {each: digest_of(each) for each in references}
    except (Locked, Transient):
        return {}


def known_digest(reference: str) -> str | None:
    """Return the digest of a reference; None while its key is away."""
    return known_digests([reference]).get(reference)


def marks(source: str, session_id: str | None, process: int | None, transaction: int | None) -> list[str]:
    """Return the keyed digests by which what names no reference is known: its session, and its numbers.

    Raises as `digest_of` does.
    """
    named = {"session": session_id, "process": process, "transaction": transaction}
    found = (f"{name}:{source}:{value}" for name, value in named.items() if value is not None)
    return [seals.quick_fingerprint(each) for each in found]


def known_by(reference: str | None, *named: Any) -> list[str] | None:
    """Return by what something may be known as that of an erased archive: by its reference, or by its `marks`.

    Nothing while the key is away; None if it names no process.
    """
    try:
        return [digest_of(reference)] if reference else marks(*named) or None
    except (Locked, Transient):
        return []


def insert(session: Session, reference: str, tombstone: TombstoneRow) -> None:
    """Add the tombstone of an archive, in the caller's transaction, which has locked the archive.

    Raises as `digest_of` does.
    """
    session.add(tombstone)
    archive = session.get(ArchiveRow, reference)
    source = archive.source if archive else DEFAULT_SOURCE
    its = select(SessionRow.id, SessionRow.process_number, SessionRow.transaction_number)
    known = {*marks(source, None, archive.process_number if archive else None, None)}
    for named in session.exec(its.where(SessionRow.reference == reference)):
        known.update(marks(source, *named))
    its_receipts = select(ReceiptRow.receipt_id).where(ReceiptRow.reference == reference)
    known.update(_mark_of_receipt(each) for each in session.exec(its_receipts))
    for each in sorted(known):  # another erased archive may have had the same number
        insert_new(session, TombstoneMarkRow, {"mark": each, "digest": tombstone.digest})
    note(session, TombstoneRow, col(TombstoneRow.digest) == tombstone.digest)
    note(session, TombstoneMarkRow, col(TombstoneMarkRow.digest) == tombstone.digest)


def _mark_of_receipt(receipt_id: str) -> str:
    return seals.quick_fingerprint(f"receipt:{receipt_id}")


def is_receipt_of_erased(receipt_id: str) -> bool:
    """Return whether a receipt is of an erased archive; False while the key is away."""
    with reading() as session, suppress(Locked):
        return is_any(session) and session.get(TombstoneMarkRow, _mark_of_receipt(receipt_id)) is not None
    return False


def find(digest: str) -> TombstoneRow | None:
    """Return the tombstone of a digest, None if there is none."""
    return read_row(TombstoneRow, digest)


def of_reference(reference: str) -> TombstoneRow | None:
    """Return the tombstone of an archive, None if it is not erased. Raises as `digest_of` does, if anything is."""
    with reading() as session:
        return session.get(TombstoneRow, digest_of(reference)) if is_any(session) else None


def every() -> list[TombstoneRow]:
    """Return all tombstones, oldest first."""
    return read_all(select(TombstoneRow).order_by(col(TombstoneRow.erased_at), TombstoneRow.digest))


def last_ended() -> datetime | None:
    """Return when the last erasure ended, None before the first."""
    return read_one(select(func.max(TombstoneRow.ended_at, type_=Moment())))


def lines_of(digest: str) -> frozenset[str]:
    """Return what a tombstone keeps of the lines and leaves that are replaced."""
    found = find(digest)
    return frozenset(found.lines if found else ())


def add_lines(digest: str, lines: Iterable[str]) -> None:
    """Note what a tombstone keeps of lines and leaves, each by `kept_digest`, before they are replaced."""
    with writing() as session:
        row = session.get_one(TombstoneRow, digest, with_for_update=True)
        after = {*row.lines, *lines}
        if len(after) > len(row.lines):
            row.lines = sorted(after)
            note(session, TombstoneRow, col(TombstoneRow.digest) == digest)


def count_returned(digest: str, arrivals: Iterable[datetime], receipt_ids: Iterable[str] = ()) -> None:
    """Note that something of an erased archive came again, before it is removed. A repetition counts nothing twice.

    `receipt_ids` get marks: whoever goes on after a kill knows them when their bodies are gone.
    """
    with writing() as session:
        row = session.get_one(TombstoneRow, digest, with_for_update=True)
        new = [each for each in arrivals if row.last_returned_at is None or each > row.last_returned_at]
        if new:
            row.returned, row.last_returned_at = row.returned + len(new), max(new)
            note(session, TombstoneRow, col(TombstoneRow.digest) == digest)
        its = [{"mark": _mark_of_receipt(each), "digest": digest} for each in receipt_ids]
        note_rows(session, TombstoneMarkRow, [each for each in its if insert_new(session, TombstoneMarkRow, each)])
