"""Finds payments that are booked more than once, over all archives in the database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sql
import sqlmodel
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Session, col

from adapters.database.transactions import asking, pages, reading
from domain.payments.duplicates import MOST_NEEDED, Booked, duplicates
from domain.secrets.cards import masked
from models.discrepancies import DUPLICATE_CODES, Discrepancy, DiscrepancyCode, DiscrepancyRow, DiscrepancyState
from models.payments import PaymentKeyRow, PaymentRow
from services.payments.discrepancies import AT_ONCE, reconcile_judged

Groups = Mapping[str, Sequence[Booked]]

_REFERENCE, _TRANSACTION = col(PaymentRow.reference), col(PaymentRow.transaction_id)
_COLUMNS: tuple[Any, ...] = (_REFERENCE, col(PaymentRow.payment_id), _TRANSACTION, col(PaymentRow.cguid_fingerprint))
_PAYMENTS = sql.select(*_COLUMNS)
_ATTEMPTS = sql.select(*_COLUMNS[:-1], col(PaymentKeyRow.cguid_fingerprint)).join_from(
    PaymentKeyRow,
    PaymentRow,
    sql.and_(col(PaymentKeyRow.reference) == _REFERENCE, col(PaymentKeyRow.payment_id) == col(PaymentRow.payment_id)),
)
_BY_PROVIDER = ((PaymentRow, _PAYMENTS), (PaymentKeyRow, _ATTEMPTS))
"""The tables with the provider's ids, and their queries: an attempt that does not decide has an id of its own."""
# The queries of a run are made once, with the references as a parameter: making them takes longer than the database.
_THEIR_REFERENCES: sql.BindParameter[Any] = sql.bindparam("their_references", expanding=True)
_THEIRS: Mapping[Any, sql.ColumnElement[bool]] = {
    row: col(row.reference).in_(_THEIR_REFERENCES) for row, _ in _BY_PROVIDER
}
_OWN = tuple(each.where(_THEIRS[row]).order_by(col(row.reference), col(row.position)) for row, each in _BY_PROVIDER)
_STANDING = sql.and_(
    col(DiscrepancyRow.code).in_(DUPLICATE_CODES), col(DiscrepancyRow.state) != DiscrepancyState.CLOSED
)


def reconcile_duplicates(reference: str, now: datetime) -> None:
    """Reconcile the duplicates of an archive whose payments were loaded, and those of its peers.

    Peers come first or together with the archive, because the archive's recorded discrepancies still name its peers.
    """
    with asking() as session:  # what changes between its queries is reconciled by whoever changes it
        concerned = _concerned(session, reference)
    if not concerned:
        return
    peers = concerned - {reference}
    at_once = len(peers) < AT_ONCE
    for references in [peers | {reference}] if at_once else [peers, {reference}]:
        reconcile_judged(references, DUPLICATE_CODES, _judge, now)


def reconcile_all_duplicates(now: datetime) -> None:
    """Reconcile the duplicates of all archives."""
    booked = sql.union_all(*(each.where(col(row.cguid_fingerprint) != "") for row, each in _BY_PROVIDER)).subquery().c
    archives, identities = (sql.func.count(sql.func.distinct(each)) for each in (_REFERENCE, _identity(booked)))
    shared = sql.select(_TRANSACTION).where(_TRANSACTION != "").group_by(_TRANSACTION).having(archives > 1)
    twice = sql.select(booked.cguid_fingerprint).group_by(booked.cguid_fingerprint).having(identities > 1)
    found: sql.CompoundSelect[Any] = sql.union(
        sql.select(_REFERENCE).where(_TRANSACTION.in_(shared)),
        *(sql.select(col(row.reference)).where(col(row.cguid_fingerprint).in_(twice)) for row, _ in _BY_PROVIDER),
        sql.select(col(DiscrepancyRow.reference)).where(_STANDING),
    )
    with reading() as session:
        references = [row.reference for row in session.connection().execute(found)]
    reconcile_judged(references, DUPLICATE_CODES, _judge, now)


def _judge(session: Session, references: Sequence[str | None]) -> Mapping[str | None, Sequence[Discrepancy]]:
    own: dict[str | None, list[Booked]] = {reference: [] for reference in references}
    for each in _own(session, references):
        own[each.reference].append(each)
    by_transaction, by_provider = _first_of_transactions(session, references), _first_of_providers(session, references)
    return {reference: duplicates(its, by_transaction, by_provider) for reference, its in own.items()}


def _own(session: Session, references: Sequence[str | None]) -> list[Booked]:
    """Return the payments of archives in order, then the same payments under the provider's ids of other attempts."""
    asked = {_THEIR_REFERENCES.key: list(references)}
    return [Booked(*row) for wanted in _OWN for row in session.connection().execute(wanted, asked)]


def _first_of_transactions(session: Session, references: Sequence[str | None]) -> Groups:
    """Return, for each transaction in some archives, the payments of the first archives that have it."""
    return _grouped(session, _of_transactions(_collation(session)), references, "transaction_id")


@cache
def _of_transactions(collation: str | None) -> sql.Select[Any]:
    place = sql.func.dense_rank().over(partition_by=_TRANSACTION, order_by=_in_byte_order(collation, _REFERENCE))
    theirs = sql.select(_TRANSACTION).where(_REFERENCE.in_(_THEIR_REFERENCES), _TRANSACTION != "")
    ranked = sql.select(*_COLUMNS, place.label("place")).where(_TRANSACTION.in_(theirs)).subquery()
    return _ranked(ranked, ranked.c.place <= MOST_NEEDED)


def _first_of_providers(session: Session, references: Sequence[str | None]) -> Groups:
    """Return, for each of the provider's transactions in some archives, its first ids, each in its first archive."""
    return _grouped(session, _of_providers(_collation(session)), references, "cguid_fingerprint")


@cache
def _of_providers(collation: str | None) -> sql.Select[Any]:
    theirs = sql.union_all(*(sql.select(col(row.cguid_fingerprint)).where(_THEIRS[row]) for row, _ in _BY_PROVIDER))
    of_theirs = (
        each.where(col(row.cguid_fingerprint) != "", col(row.cguid_fingerprint).in_(theirs))
        for row, each in _BY_PROVIDER
    )
    booked = sql.union_all(*of_theirs).subquery().c
    key, identity = booked.cguid_fingerprint, _identity(booked)
    place = sql.func.dense_rank().over(partition_by=key, order_by=identity)
    in_order = _in_byte_order(collation, booked.reference)
    archive = sql.func.row_number().over(partition_by=(key, identity), order_by=in_order)
    ranked = sql.select(*booked, place.label("place"), archive.label("archive")).subquery()
    return _ranked(ranked, sql.and_(ranked.c.place <= MOST_NEEDED, ranked.c.archive == 1))


def _identity(booked: ReadOnlyColumnCollection[str, Any]) -> sql.ColumnElement[str]:
    return sql.func.coalesce(sql.func.nullif(booked.transaction_id, ""), booked.payment_id)


def _ranked(ranked: sql.Subquery, is_first: sql.ColumnElement[bool]) -> sql.Select[Any]:
    return sql.select(*(ranked.c[each.key] for each in _COLUMNS)).where(is_first)


def _grouped(session: Session, ranked: sql.Select[Any], references: Sequence[str | None], key: str) -> Groups:
    found = defaultdict[str, list[Booked]](list)
    for row in session.connection().execute(ranked, {_THEIR_REFERENCES.key: list(references)}):
        found[row._mapping[key]].append(Booked(*row))
    return found


def _collation(session: Session) -> str | None:
    return "C" if session.get_bind().dialect.name == "postgresql" else None


def _in_byte_order(collation: str | None, column: Any) -> Any:
    """Return a column in the byte order of Python and SQLite, since the order of a language has ties."""
    return column.collate(collation) if collation else column


def _concerned(session: Session, reference: str) -> set[str]:
    """Return the archives whose duplicates may change now that this archive was loaded: itself, if one of its groups
    has several payments; those of such a group in which it is among the first; and if it has recorded duplicates,
    itself and the archives that share one that it no longer has.
    """
    first_of_transactions = _first_of_transactions(session, [reference])
    first_of_providers = _first_of_providers(session, [reference])
    is_shared = any(len(each) > 1 for each in (*first_of_transactions.values(), *first_of_providers.values()))
    return {
        *([reference] if is_shared else ()),
        *_having(session, PaymentRow.transaction_id, _with(first_of_transactions, reference)),
        *_having(session, PaymentRow.cguid_fingerprint, _with(first_of_providers, reference)),
        *_having(session, PaymentKeyRow.cguid_fingerprint, _with(first_of_providers, reference)),
        *_left(session, reference),
    }


def _with(groups: Groups, reference: str) -> list[str]:
    its = (key for key, booked in groups.items() if any(each.reference == reference for each in booked))
    return [key for key in its if len(groups[key]) > 1]


def _having(session: Session, column: Any, values: Sequence[str]) -> Iterator[str]:
    for page in pages(values):
        found = session.connection().execute(sql.select(column.table.c.reference).distinct().where(column.in_(page)))
        yield from (row.reference for row in found)


def _left(session: Session, reference: str) -> Iterator[str]:
    """Yield an archive with recorded duplicates, and the archives that share one of these that it no longer has."""
    its = session.exec(
        sqlmodel.select(DiscrepancyRow).where(_STANDING, col(DiscrepancyRow.reference) == reference)
    ).all()
    if not its:
        return
    yield reference
    own = {(masked(each.transaction_id or "") or None, each.cguid_fingerprint) for each in _own(session, [reference])}
    transactions = {transaction_id for transaction_id, _ in own}
    of_transactions = {row.transaction_id for row in its if row.code == DiscrepancyCode.DUPLICATE_TRANSACTION}
    of_providers = {
        row.subject
        for row in its
        if row.code == DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION and (row.transaction_id, row.subject) not in own
    }
    left = (
        (DiscrepancyCode.DUPLICATE_TRANSACTION, col(DiscrepancyRow.transaction_id), of_transactions - transactions),
        (DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, col(DiscrepancyRow.subject), of_providers),
    )
    for code, column, values in left:
        for page in pages(values):
            others = sqlmodel.select(DiscrepancyRow.reference).distinct().where(_STANDING, column.in_(page))
            found = session.exec(others.where(col(DiscrepancyRow.code) == code))
            yield from (each for each in found if each is not None)
