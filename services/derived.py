"""Fills in content that follows from other rows, for archives of before an upgrade or a change of settings.

`cellar migrate` begins it and workers do it, a batch in each transaction, beside whatever else happens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from adapters.database.transactions import reading, upsert, writing
from adapters.search import entries
from adapters.tables.archives import archives
from models.archive.archive import ArchiveRow
from models.search import DerivedRow

SEARCH = "search"
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Derived:
    """A kind of content.

    Args:
        version: returns the version that this program makes: another one is made for all archives.
        lacking: counts the archives that lack this version.
        others: returns archives for which another program has made another version, some of them.
        fill: gives it to those archives of a batch that lack it, and returns their number.
    """

    kind: str
    version: Callable[[Session], int]
    lacking: Callable[[Session], int]
    others: Callable[[Session, int], Sequence[str]]
    fill: Callable[[Session, Sequence[str]], int]


def _fill_search(session: Session, references: Sequence[str]) -> int:
    from adapters.tables.settlements import payments_by_standing  # noqa: PLC0415 -- slow, and for workers alone

    lacking = entries.lacking_of(session, references)
    if lacking:
        archives.lock(session, lacking)
        entries.write(session, lacking, payments_by_standing(session, lacking))
    return len(lacking)


DERIVED: Iterable[Derived] = (Derived(SEARCH, entries.version, entries.lacking, entries.others, _fill_search),)


def begin() -> None:
    """Let workers fill in what archives lack. A filling in that goes on begins anew, and skips what is there.

    Raises:
        Transient: the database does not answer.
    """
    with writing() as session:
        begin_within(session)


def lock(session: Session) -> None:
    """Wait for transactions that begin a filling in or do a batch of it, and let others wait for this one."""
    session.exec(select(DerivedRow.kind).order_by(DerivedRow.kind).with_for_update()).all()


def begin_within(session: Session) -> None:
    """Do so in a transaction, with what it has changed."""
    for each in DERIVED:
        lacks = each.lacking(session)
        its = {"version": each.version(session), "last": "" if lacks else None, "lacking": lacks}
        begun = upsert(session, DerivedRow).values(kind=each.kind, **its)
        session.connection().execute(begun.on_conflict_do_update(index_elements=["kind"], set_=its))


def fill(at_once: int = _AT_ONCE) -> int:
    """Fill in a batch of archives, and return their number: 0 if nothing is left, or if another program does it.

    Content of another version than that of `begin` is left to the programs of that version.

    Raises:
        Transient: the database does not answer.
    """
    return next((passed for each in DERIVED if _is_due(each) and (passed := _fill(each, at_once))), 0)


def _is_due(derived: Derived) -> bool:
    with reading() as session:
        row = session.get(DerivedRow, derived.kind)
        if row is None or row.version != derived.version(session):
            return False
        return row.last is not None or bool(derived.others(session, 1))


def _fill(derived: Derived, at_once: int) -> int:
    """Fill in the next batch. Its row is locked meanwhile, and changes with the batch or not at all."""
    with writing() as session:
        its = select(DerivedRow).where(DerivedRow.kind == derived.kind, DerivedRow.version == derived.version(session))
        row = session.exec(its.with_for_update(skip_locked=True)).first()
        if row is None:
            return 0
        if row.last is None:
            return derived.fill(session, derived.others(session, at_once))
        after = select(ArchiveRow.reference).where(ArchiveRow.reference > row.last)
        page = session.exec(after.order_by(col(ArchiveRow.reference)).limit(at_once)).all()
        row.lacking = max(0, row.lacking - derived.fill(session, page))
        if len(page) < at_once:
            row.last, row.lacking = None, 0
        else:
            row.last = page[-1]
        return len(page)


def lacking(kind: str) -> int | None:
    """Return how many archives lack a kind of content, None before `cellar migrate` has begun with this version.

    Raises:
        Transient: the database does not answer.
    """
    with reading() as session:
        row = session.get(DerivedRow, kind)
        is_own = row is not None and any(each.kind == kind and each.version(session) == row.version for each in DERIVED)
    return row.lacking if row is not None and is_own else None
