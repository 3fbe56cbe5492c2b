"""Says what is erased, in the transaction that would record something of it: an archive must not come back."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import sqlalchemy
from sqlmodel import Session, select

from adapters.database.transactions import pages, reading
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.erasures import TombstoneMarkRow, TombstoneRow
from models.errors import Transient

Key = TypeVar("Key")


def is_any(session: Session) -> bool:
    """Return whether anything was ever erased."""
    return session.exec(select(TombstoneRow.digest).limit(1)).first() is not None


def lines() -> frozenset[str]:
    """Return what all tombstones keep of lines and leaves."""
    with reading() as session:
        return frozenset(chain.from_iterable(session.exec(select(TombstoneRow.lines)).all()))


def erased(session: Session, digests: Mapping[Key, Sequence[str]], references: Collection[str] = ()) -> dict[Key, str]:
    """Return what is erased, each with the digest of its tombstone.

    An erasure locks the row of its archive. So it has begun before this, or it sees what the caller records.

    Args:
        digests: by what each thing may be known: digests of references, and marks. None, while their key is away.
        references: the archives that are about to be recorded, which are locked first.

    Raises:
        Transient: something was erased, and nobody knows what these are.
    """
    its = table_of(ArchiveRow).c.reference
    for page in pages(sorted(references)):
        session.connection().execute(sqlalchemy.select(its).where(its.in_(page)).order_by(its).with_for_update()).all()
    if not is_any(session):
        return {}
    if not all(digests.values()):
        raise Transient("the key of the fingerprints is away, so nobody knows what was erased; see `cellar status`")
    tombstones, marks = table_of(TombstoneRow).c, table_of(TombstoneMarkRow).c
    found = dict[str, str]()
    for page in pages({each for known in digests.values() for each in known}):
        by_digest = sqlalchemy.select(tombstones.digest, tombstones.digest).where(tombstones.digest.in_(page))
        by_mark = sqlalchemy.select(marks.mark, marks.digest).where(marks.mark.in_(page))
        for query in (by_digest, by_mark):
            found |= {row[0]: row[1] for row in session.connection().execute(query)}
    return {key: found[each] for key, known in digests.items() for each in known if each in found}
