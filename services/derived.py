"""Makes again what archives are found by, and when their retention ends, for archives of before an upgrade or a change
of settings; and the digests of their references, where these lack.

`cellar migrate` begins it and workers do it, a batch in each transaction, beside whatever else happens.
"""

from collections.abc import Sequence
from contextlib import suppress

from sqlmodel import Session, col, select

from adapters.database.transactions import read_row, reading, upsert, writing
from adapters.search import entries
from adapters.store import ocfl, seals, tombstones
from adapters.store.sources import terms_of
from adapters.tables.archives import archives
from models.archive.archive import ArchiveRow
from models.errors import Locked, Transient
from models.search import DerivedRow

SEARCH = "search"
"""The key of the row that says how far it is."""
_REBUILD = "rebuild"
"""The key of the mark of a database that is being rebuilt. A rebuild that was killed leaves it."""
_AT_ONCE = 50
_DIGESTS_AT_ONCE = 1000


def begin() -> None:
    """Let workers fill in what archives lack. A filling in that goes on begins anew, and skips what is there."""
    with writing() as session:
        begin_within(session)


def lock(session: Session) -> None:
    """Wait for transactions that begin a filling in or do a batch of it, and let others wait for this one."""
    session.exec(select(DerivedRow.kind).order_by(DerivedRow.kind).with_for_update()).all()


def begin_within(session: Session) -> None:
    """Do so in a transaction, with what it has changed."""
    lacks = entries.lacking(session)
    its = {"version": entries.version(session), "last": "" if lacks else None, "lacking": lacks}
    begun = upsert(session, DerivedRow).values(kind=SEARCH, **its)
    session.connection().execute(begun.on_conflict_do_update(index_elements=["kind"], set_=its))


def fill(at_once: int = _AT_ONCE) -> int:
    """Fill in a batch of archives, and return their number: 0 if nothing is left, or if another program does it.

    Content of another version than that of `begin` is left to the programs of that version. The row of the filling in
    is locked meanwhile, and changes with the batch or not at all.
    """
    if not _is_due():
        return 0
    with writing() as session:
        its = select(DerivedRow).where(DerivedRow.kind == SEARCH, DerivedRow.version == entries.version(session))
        row = session.exec(its.with_for_update(skip_locked=True)).first()
        if row is None:
            return 0
        if row.last is None:
            return _fill(session, entries.others(session, at_once))
        after = select(ArchiveRow.reference).where(ArchiveRow.reference > row.last)
        page = session.exec(after.order_by(col(ArchiveRow.reference)).limit(at_once)).all()
        row.lacking = max(0, row.lacking - _fill(session, page))
        if len(page) < at_once:
            row.last, row.lacking = None, 0
        else:
            row.last = page[-1]
        return len(page)


def _is_due() -> bool:
    with reading() as session:
        row = session.get(DerivedRow, SEARCH)
        if row is None or row.version != entries.version(session):
            return False
        return row.last is not None or bool(entries.others(session, 1))


def _fill(session: Session, references: Sequence[str]) -> int:
    """Fill in those of a batch that lack it, and return their number."""
    lacking = entries.lacking_of(session, references)
    if lacking:
        archives.lock(session, lacking)
        _write(session, lacking)
    return len(lacking)


def _write(session: Session, references: Sequence[str]) -> None:
    from adapters.tables.settlements import payments_by_standing  # noqa: PLC0415 -- slow, and for workers alone

    entries.write(session, references, payments_by_standing(session, references), terms_of)


def differing(references: Sequence[str], *, is_mended: bool = False) -> set[tuple[str, str]]:
    """Return the archives that have something else than what follows from their rows, each with the table that differs.
    `is_mended`: it is made again, whatever they have.
    """
    with writing() as session:
        archives.lock(session, references)
        before = entries.written(session, references)
        with session.begin_nested() as tried:
            _write(session, sorted({each[0] for each in before}))
            session.flush()
            after = entries.written(session, references)
            if not is_mended:
                tried.rollback()
    return {(each[0], each[1]) for each in before ^ after | set(filter(entries.is_other_value, before))}


def mark_rebuild(*, is_over: bool) -> None:
    with writing() as session:
        mark = session.merge(DerivedRow(kind=_REBUILD, version=0, last="", lacking=0))
        if is_over:
            session.delete(mark)


def is_being_rebuilt() -> bool:
    """Return whether a rebuild of the database goes on, or was killed."""
    return read_row(DerivedRow, _REBUILD) is not None


def fill_digests() -> int:
    """Fill in the digests of a batch of references, and return their number. The first one makes the key, unless the
    store is away.
    """
    references = archives.without_digest(_DIGESTS_AT_ONCE)
    with suppress(Locked, Transient):  # `cellar status` reports it
        if references and (ocfl.has_root() or archives.is_empty()):
            seals.fingerprint("")
    digests = tombstones.known_digests(references)
    if digests:
        archives.set_digests(digests)
    return len(digests)


def lacking() -> int | None:
    """Return how many archives lack it, None before `cellar migrate` has begun with this version."""
    with reading() as session:
        row = session.get(DerivedRow, SEARCH)
        return row.lacking if row is not None and row.version == entries.version(session) else None
