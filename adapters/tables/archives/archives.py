"""Reads and writes archives and their versions in the database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col, delete, exists, func, or_, select, update

from adapters.database.transactions import (
    asking,
    change,
    insert_rows,
    read_all,
    read_among,
    read_first,
    read_one,
    read_row,
    reading,
    writing,
)
from adapters.search import entries
from adapters.search.attention import IS_WARNED
from adapters.settings.settings import settings
from domain.archive.versions import Age, newest_first, repeated
from domain.person import person_facets
from domain.search import judged_facets
from models.archive.archive import ArchiveRow, State, WarningCode, WarningRow
from models.archive.content import SignedDocumentRow
from models.columns import table_of
from models.errors import Conflict
from models.payments import PaymentRow
from models.runs.receipt import DEFAULT_SOURCE, GIVEN_BY, DeliveryRow, Identity, Outcome, ReceiptRow, VersionRow
from models.said import Sentence
from models.sources import SourceTerms

_REFERENCES_PER_PAGE = 10_000

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]

_GIVEN = (col(DeliveryRow.reference) == col(ArchiveRow.reference), col(DeliveryRow.headers)[GIVEN_BY].as_string() != "")
_LAST_GIVEN = sqlalchemy.select(col(DeliveryRow.source)).where(*_GIVEN).order_by(col(DeliveryRow.delivery_id).desc())
_GIVEN_TO = _LAST_GIVEN.limit(1).correlate(ArchiveRow).scalar_subquery()
_IS_GIVEN = func.coalesce(_GIVEN_TO, col(ArchiveRow.source)) != col(ArchiveRow.source)
_OF_ITS_PROCESS = col(ReceiptRow.reference) == col(ArchiveRow.reference)


def load(
    version: VersionRow,
    described: dict[str, Any],
    rows: Rows,
    owner: str = DEFAULT_SOURCE,
    terms: SourceTerms | None = None,
    ages: Iterable[Age] = (),
) -> str | None:
    """Record a receipt as a version. If it is the current version, make its rows the archive's rows.

    One transaction: a reader sees the old rows or the new rows.

    Args:
        version: the version. It is set aside unless `owner` has sent its receipt too, or a person has accepted it.
        described: the columns of the archive that come from the payload.
        rows: the rows of the version.
        owner: the source of the process.
        terms: those of `owner`; None: those of the settings.
        ages: those of all versions, where the process is given to `owner`.

    Returns:
        The receipt of the current version, if the archive has not its rows yet. The caller loads it.
    """
    people = person_facets(version.skeleton)
    with writing() as session:
        archive = session.get_one(ArchiveRow, version.reference, with_for_update=True)
        for age in ages:
            session.execute(update(VersionRow).where(col(VersionRow.receipt_id) == age.receipt_id).values(asdict(age)))
        version.is_set_aside = version.is_set_aside and not _is_sent_by(session, owner, version.receipt_id)
        known = _known(session, version)
        is_later = known.version > 1 or archive.current_receipt_id not in (None, known.receipt_id)
        needs_a_look = is_later or known.is_from_future or known.is_set_aside or archive.source != owner
        if archive.source != owner:  # it is given, or two sources delivered at once: the later was archived first
            archive.source = owner
            entries.set_archive(session, archive)
        current_id = _current_id(session, version.reference)
        if current_id == version.receipt_id:
            if archive.current_receipt_id is not None:  # else no rows exist: they come with the first current version
                for table in rows:
                    session.connection().execute(delete(table).where(table_of(table).c.reference == version.reference))
            for table, its_rows in rows.items():
                insert_rows(session, table, its_rows)
            change(session, archive, described | {"current_receipt_id": version.receipt_id})
            entries.set_payload(session, archive, rows, terms or settings().source_terms)
        entries.add_person(session, version.reference, people)
        if needs_a_look:
            entries.set_attention(session, version.reference)
        return current_id if current_id != archive.current_receipt_id else None


def without_digest(most: int) -> list[str]:
    """Return archives whose rows lack the digest of their reference: its key was away, or an older build made them."""
    lacking = select(ArchiveRow.reference).where(col(ArchiveRow.digest).is_(None))
    return read_all(lacking.limit(most))


def set_digests(digests: Mapping[str, str]) -> None:
    """Record the digests of references of archives."""
    its = table_of(ArchiveRow)
    changed = update(its).where(its.c.reference == bindparam("its"), its.c.digest.is_(None))
    with writing() as session:
        lock(session, [*digests])
        rows = [{"its": reference, "found": digest} for reference, digest in sorted(digests.items())]
        session.connection().execute(changed.values(digest=bindparam("found")), rows)


def lock(session: Session, references: Sequence[str]) -> None:
    """Lock archives against other writers until the transaction ends. SQLite has one writer at a time anyway."""
    locked = select(ArchiveRow.reference).where(col(ArchiveRow.reference).in_(references))
    # Sorted, so that two transactions cannot deadlock.
    session.exec(locked.order_by(ArchiveRow.reference).with_for_update()).all()


def repeat(reference: str, receipt: Age, number: int, owner: str = DEFAULT_SOURCE) -> str | None:
    """Record that a receipt says nothing new beyond a version: its deliveries are duplicates, and the version becomes
    no older than the receipt, unless that is of another source than `owner`.

    Returns:
        The receipt of the current version, if the archive has not its rows yet. The caller loads it.

    Raises:
        Conflict: the database numbers the versions differently.
    """
    with writing() as session:
        archive = session.get_one(ArchiveRow, reference, with_for_update=True)
        changed = (col(DeliveryRow.receipt_id) == receipt.receipt_id, col(DeliveryRow.outcome) == Outcome.CHANGED)
        session.execute(update(DeliveryRow).where(*changed).values(outcome=Outcome.DUPLICATE))
        wanted = select(VersionRow).where(VersionRow.reference == reference, VersionRow.version == number)
        version = session.exec(wanted).first()
        if version is None:
            raise _numbered_otherwise(number)
        is_set_aside = receipt.is_set_aside and not _is_sent_by(session, owner, receipt.receipt_id)
        before = Age(*(getattr(version, each.name) for each in fields(Age)))
        after = repeated(before, replace(receipt, is_set_aside=is_set_aside))
        version.sqlmodel_update(asdict(after) | {"receipt_id": version.receipt_id})
        if after != before:
            entries.set_attention(session, reference)
        current_id = _current_id(session, reference)
        return current_id if current_id != archive.current_receipt_id else None


def _is_sent_by(session: Session, owner: str, receipt_id: str) -> bool:
    """Return whether a source has sent a receipt, or a person has accepted the receipt in its name."""
    arrivals = select(DeliveryRow.delivery_id).where(DeliveryRow.receipt_id == receipt_id, DeliveryRow.source == owner)
    return session.exec(arrivals).first() is not None


def is_accepted(receipt_id: str) -> bool:
    """Return whether a version is still set aside although the source of its process has sent its receipt since, or a
    person has accepted the receipt; or whether its process is given away: a run must load it again.
    """
    its = col(VersionRow.receipt_id) == ReceiptRow.receipt_id, col(DeliveryRow.receipt_id) == VersionRow.receipt_id
    is_own = exists().where(*its, col(VersionRow.is_set_aside), col(DeliveryRow.source) == ArchiveRow.source)
    found = select(or_(_IS_GIVEN, is_own)).where(ReceiptRow.receipt_id == receipt_id, _OF_ITS_PROCESS)
    return read_first(found) or False


def owned(receipt_id: str) -> tuple[ReceiptRow, str | None, bool]:
    """Return a receipt, the source to which a person gave its process last, and whether no run has loaded that yet."""
    found = select(ReceiptRow, _GIVEN_TO, _IS_GIVEN).where(ReceiptRow.receipt_id == receipt_id, _OF_ITS_PROCESS)
    with asking() as session:
        return session.exec(found).one()


def arrivals(reference: str, source: str) -> dict[str, tuple[datetime, bool]]:
    """Return when each receipt of a process arrived first, and whether a source has sent it, by its id."""
    is_sent = exists().where(col(DeliveryRow.receipt_id) == ReceiptRow.receipt_id, col(DeliveryRow.source) == source)
    found = select(ReceiptRow.receipt_id, ReceiptRow.received_at, or_(is_sent, col(ReceiptRow.source) == source))
    return {each: (at, is_theirs) for each, at, is_theirs in read_all(found.where(ReceiptRow.reference == reference))}


def _current_id(session: Session, reference: str) -> str | None:
    """Return the receipt of the version that must be current; None while each version is set aside."""
    return next((each.receipt_id for each in newest_first(_ages(session, reference))), None)


def _known(session: Session, version: VersionRow) -> VersionRow:
    """Return the row of a version, and add it if missing. Deliveries may have made it newer than its payload says.

    Raises Conflict if another receipt has its version number.
    """
    wanted = (VersionRow.reference == version.reference, VersionRow.version == version.version)
    known = session.exec(select(VersionRow).where(*wanted)).first()
    if known and known.receipt_id != version.receipt_id:
        raise _numbered_otherwise(version.version)
    if known is None:
        session.add(version)
        return version
    known.is_set_aside = known.is_set_aside and version.is_set_aside
    return known


def _numbered_otherwise(number: int) -> Conflict:
    return Conflict(Sentence.version_differs(number=number))


def row_counts(reference: str, tables: Sequence[type[SQLModel]]) -> dict[type[SQLModel], int]:
    with reading() as session:
        counts = session.connection().execute(_counting(tuple(tables)), {"counted": reference}).one()
    return dict(zip(tables, counts, strict=True))


@lru_cache
def _counting(tables: tuple[type[SQLModel], ...]) -> sqlalchemy.Select[Any]:
    """Return the query that counts rows. It is made once: that takes longer than the query."""
    its = sqlalchemy.bindparam("counted", type_=sqlalchemy.String())
    counted = (select(func.count()).select_from(table).where(table_of(table).c.reference == its) for table in tables)
    return sqlalchemy.select(*(each.scalar_subquery() for each in counted))


def every_source() -> set[str]:
    """Return the sources of all archives, by name, but the source `default`."""
    return set(read_all(select(ArchiveRow.source).distinct())) - {DEFAULT_SOURCE}


def references() -> Iterator[str]:
    """Yield the references of the processes that are complete or have a version, in pages: there may be millions."""
    last, has_version = "", exists().where(col(VersionRow.reference) == col(ArchiveRow.reference))
    is_archived = has_version | (col(ArchiveRow.state) == State.COMPLETED)
    while True:
        more = select(ArchiveRow.reference).where(col(ArchiveRow.reference) > last, is_archived)
        page = read_all(more.order_by(ArchiveRow.reference).limit(_REFERENCES_PER_PAGE))
        yield from page
        if len(page) < _REFERENCES_PER_PAGE:
            return
        last = page[-1]


def known(references: Iterable[str]) -> set[str]:
    """Return those of the references that the database has."""
    return set(read_among(col(ArchiveRow.reference), references, select(ArchiveRow.reference)))


def templates_of(references: Iterable[str]) -> list[tuple[str, str]]:
    """Return the archives that have a template, each with it."""
    its = select(ArchiveRow.reference, ArchiveRow.template_id).where(col(ArchiveRow.template_id).is_not(None))
    found = read_among(col(ArchiveRow.reference), references, its)
    return [(name, template) for name, template in found if template]


def identity(reference: str) -> Identity:
    """Return by what people find an archive, as far as the database knows it."""
    archive = read_row(ArchiveRow, reference)
    if archive is None:
        return Identity(reference)
    return Identity(reference, archive.process_number, archive.template_id, archive.source)


def get(reference: str) -> ArchiveRow:
    with reading() as session:
        return session.get_one(ArchiveRow, reference)


def has_source(source: str) -> bool:
    """Return whether an archive came from a source."""
    return read_first(select(ArchiveRow.source).where(ArchiveRow.source == source).limit(1)) is not None


def is_empty() -> bool:
    """Return whether no process has a version."""
    return read_first(select(VersionRow.version).limit(1)) is None


def has_versions(reference: str) -> bool:
    return read_first(select(VersionRow.version).where(VersionRow.reference == reference)) is not None


def has_version(receipt_id: str) -> bool:
    return read_first(select(VersionRow.version).where(VersionRow.receipt_id == receipt_id)) is not None


def ages(reference: str) -> list[Age]:
    """Return the ages of all versions of a process. A delivery may have made a version newer than its payload says."""
    with asking() as session:
        return _ages(session, reference)


def _ages(session: Session, reference: str) -> list[Age]:
    columns = [getattr(VersionRow, each.name) for each in fields(Age)]
    found = sqlalchemy.select(*columns).where(col(VersionRow.reference) == reference)
    return [Age(*row) for row in session.execute(found)]


def with_version(receipt_id: str) -> tuple[ArchiveRow, VersionRow, bool, str | None]:
    """Return an archive, a version of it without its skeleton, whether the archive has warnings, and the verdict on its
    signed document, None without one.
    """
    verdict = select(SignedDocumentRow.outcome).where(SignedDocumentRow.reference == ArchiveRow.reference).limit(1)
    version = aliased(VersionRow)  # since warnings follow from any version
    its = select(ArchiveRow, version, IS_WARNED, verdict.scalar_subquery()).where(version.receipt_id == receipt_id)
    with asking() as session:
        return session.exec(its.where(ArchiveRow.reference == version.reference)).one()


def loaded(receipt_id: str) -> tuple[bytes, str | None]:
    """Return the skeleton of a version, up to 16 MiB, and the receipt of the current version."""
    its = select(VersionRow.skeleton, ArchiveRow.current_receipt_id)
    same_archive = ArchiveRow.reference == VersionRow.reference
    with asking() as session:
        return session.exec(its.where(VersionRow.receipt_id == receipt_id, same_archive)).one()


def judged_by_other_roots(roots: str, most: int) -> list[str]:
    """Return complete archives whose signed document was judged last with other trust roots than `roots`.

    They are drawn at random, so archives that cannot be judged block no other archive.
    """
    due = select(SignedDocumentRow.reference).join(ArchiveRow, _same_archive()).where(*_is_due(roots))
    return read_all(due.order_by(func.random()).limit(most))


def count_judged_by_other_roots(roots: str) -> int:
    """Return the number of archives that `judged_by_other_roots` draws from."""
    counted = select(func.count()).select_from(SignedDocumentRow).join(ArchiveRow, _same_archive())
    return read_one(counted.where(*_is_due(roots)))


def shows_other_roots(reference: str, receipt_id: str, roots: str) -> bool:
    """Return whether a receipt is the current version, and its row shows a judgement with other trust roots."""
    its = (SignedDocumentRow.reference == reference, ArchiveRow.current_receipt_id == receipt_id)
    shown = select(SignedDocumentRow.reference).join(ArchiveRow, _same_archive()).where(*its, _other_roots(roots))
    return read_first(shown) is not None


def replace_if_current(reference: str, receipt_id: str, rows: Rows) -> bool:
    """Replace rows of an archive in one transaction, if they are of its current version. Return whether they were."""
    with writing() as session:
        archive = session.get(ArchiveRow, reference, with_for_update=True)
        if archive is None or archive.current_receipt_id != receipt_id:
            return False
        for table, its_rows in rows.items():
            session.connection().execute(delete(table).where(table_of(table).c.reference == reference))
            insert_rows(session, table, its_rows)
        entries.set_facets(session, reference, judged_facets(rows))
    return True


def _same_archive() -> ColumnElement[bool]:
    return col(ArchiveRow.reference) == col(SignedDocumentRow.reference)


def _is_due(roots: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _other_roots(roots), col(ArchiveRow.state) == State.COMPLETED


def _other_roots(roots: str) -> ColumnElement[bool]:
    last = col(SignedDocumentRow.roots)
    return or_(last.is_(None), last != roots)


Item = TypeVar("Item")

_IS_LOCKED = col(WarningRow.code) == WarningCode.SECRETS_LOCKED


def without_locked(session: Session, found: Mapping[str | None, Item]) -> dict[str | None, Item]:
    """Return the items of archives that are not locked. No discrepancy of a locked archive is opened or closed.

    Args:
        found: The items by the reference of their archive; at most 1,000 archives.
    """
    locked = select(WarningRow.reference).where(_IS_LOCKED, col(WarningRow.reference).in_(found))
    passed_over = set(session.exec(locked))
    return {reference: each for reference, each in found.items() if reference not in passed_over}


def has_locked_payments(session: Session) -> bool:
    """Return whether any locked archive has payments: entries and other payments may belong with them unnoticed."""
    its_payments = exists().where(col(PaymentRow.reference) == col(WarningRow.reference))
    return session.exec(select(WarningRow.reference).where(_IS_LOCKED, its_payments).limit(1)).first() is not None
