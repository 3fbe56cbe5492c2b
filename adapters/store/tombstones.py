"""Tombstones: what is left of erased archives. Their rows are in the database, and noted for the store."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from adapters.database.noted import note
from adapters.database.transactions import reading, writing
from adapters.store import seals
from models.erasures import TombstoneMarkRow, TombstoneRow
from models.errors import Locked, Transient


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


def insert(session: Session, tombstone: TombstoneRow, marks: Sequence[str] = ()) -> None:
    """Add a tombstone and its marks, in the caller's transaction, which has locked the archive."""
    session.add(tombstone)
    session.add_all(TombstoneMarkRow(mark=each, digest=tombstone.digest) for each in sorted({*marks}))
    note(session, TombstoneRow, col(TombstoneRow.digest) == tombstone.digest)
    note(session, TombstoneMarkRow, col(TombstoneMarkRow.digest) == tombstone.digest)


def find(digest: str) -> TombstoneRow | None:
    """Return the tombstone of a digest, None if there is none."""
    with reading() as session:
        return session.get(TombstoneRow, digest)


def of_reference(reference: str) -> TombstoneRow | None:
    """Return the tombstone of an archive, None if it is not erased. Raises as `digest_of` does, if any tombstone is."""
    with reading() as session:
        if session.exec(select(TombstoneRow.digest).limit(1)).first() is None:
            return None
        return session.get(TombstoneRow, digest_of(reference))


def every() -> list[TombstoneRow]:
    """Return all tombstones, oldest first."""
    with reading() as session:
        return list(session.exec(select(TombstoneRow).order_by(col(TombstoneRow.erased_at), TombstoneRow.digest)))


def lines_of(digest: str) -> frozenset[str]:
    """Return the digests of lines and leaves that a tombstone has."""
    found = find(digest)
    return frozenset(found.lines if found else ())


def add_lines(digest: str, lines: Iterable[str]) -> None:
    """Note which lines and leaves are replaced with an archive."""
    with writing() as session:
        row = session.get_one(TombstoneRow, digest, with_for_update=True)
        after = {*row.lines, *lines}
        if len(after) > len(row.lines):
            row.lines = sorted(after)
            note(session, TombstoneRow, col(TombstoneRow.digest) == digest)


def set_ended(digest: str, at: datetime) -> None:
    """Note that all of an archive is removed."""
    with writing() as session:
        session.get_one(TombstoneRow, digest, with_for_update=True).ended_at = at
        note(session, TombstoneRow, col(TombstoneRow.digest) == digest)


def count_returned(digest: str, at: datetime) -> None:
    """Note that something of an erased archive came again, and was removed."""
    with writing() as session:
        row = session.get_one(TombstoneRow, digest, with_for_update=True)
        row.returned, row.last_returned_at = row.returned + 1, at
        note(session, TombstoneRow, col(TombstoneRow.digest) == digest)
