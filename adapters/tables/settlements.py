"""Entries and settlement reports in the database, and the payments that entries may belong to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sql
from sqlmodel import Session

from adapters.database.connections import engine
from adapters.database.noted import note
from adapters.database.pipeline import UNREAD
from adapters.database.transactions import insert_new, insert_rows, pages, reading, upsert, writing
from adapters.search import entries
from adapters.tables.archives import archives
from domain.settlements.matching import MATCHED, MAY_BE_SETTLED, merged
from models.columns import table_of
from models.discrepancies import SETTLEMENT_CODES, DiscrepancyRow, DiscrepancyState
from models.payments import PaymentKeyRow, PaymentRow, Standing
from models.settlements.settlement import (
    Candidate,
    DamagedReportRow,
    Days,
    DecidedEntry,
    Decision,
    Entry,
    EntryKind,
    Match,
    SettlementCandidateRow,
    SettlementEntryRow,
    SettlementReportRow,
)

_LOCK = 0x5E771E  # a Postgres advisory lock; any number that no other code uses
_INDEXED_AT_ONCE = 1000  # archives per transaction: they are locked until it ends
_A_DAY = timedelta(days=1)
UNMATCHED = [Match.NONE, Match.AMBIGUOUS]

_PAYMENT, _ENTRY, _REPORT = table_of(PaymentRow), table_of(SettlementEntryRow), table_of(SettlementReportRow)
_CANDIDATE, _DISCREPANCY = table_of(SettlementCandidateRow), table_of(DiscrepancyRow)
_DAMAGED, _KEY = table_of(DamagedReportRow), table_of(PaymentKeyRow)
_FINGERPRINTS = [
    each.c[name] for each in (_PAYMENT, _KEY) for name in ("cguid_fingerprint", "authorisation_fingerprint")
]
_PAYMENTS = sql.select(*(_PAYMENT.c[each.name] for each in fields(Candidate)))
_OTHER_ATTEMPTS = sql.select(
    *((_PAYMENT if each.name == "transaction_id" else _KEY).c[each.name] for each in fields(Candidate))
).join_from(_KEY, _PAYMENT, (_KEY.c.reference == _PAYMENT.c.reference) & (_KEY.c.payment_id == _PAYMENT.c.payment_id))
_ENTRIES = sql.select(*(_ENTRY.c[each.name] for each in (*fields(Entry), *fields(Decision))))


@contextmanager
def matching_alone() -> Iterator[Session]:
    """Yield a transaction for matching. Only one runs at a time: if two brought a payment and its entry at once,
    neither would see the row of the other. On SQLite only one transaction writes at a time anyway.
    """
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection().execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
        yield session


@contextmanager
def seeing_all_matches() -> Iterator[Session]:
    """Yield a transaction that sees every match made before it began, and that does not block other readers.

    On Postgres it waits for a running match, which may have read payments that have since changed. On SQLite a match
    is the only writer, so such changes come before it or after it.
    """
    is_postgres = engine().dialect.name == "postgresql"
    with writing() if is_postgres else reading() as session:  # writing sees commits made while it waited
        if is_postgres:
            session.execute(sql.select(sql.func.pg_advisory_xact_lock_shared(_LOCK)), execution_options=UNREAD)
        yield session


def is_settled() -> sql.ColumnElement[bool]:
    """Return the condition that a row of `payment` is settled: its standing allows it, and a charge is matched to it.
    The view `payment_ledger` uses the same rule.
    """
    return _PAYMENT.c.standing.in_(sorted(MAY_BE_SETTLED)) & _has_charge()


def index_standings(references: Iterable[str]) -> None:
    """Let archives be found by the standings of their payments, with the reports counted in.

    Each page of archives is locked, so that no run replaces payments between reading and writing.
    """
    for page in pages(sorted(references), _INDEXED_AT_ONCE):
        with writing() as session:
            archives.lock(session, page)
            for reference, payments in payments_by_standing(session, page).items():
                entries.set_payments(session, reference, payments)


def payments_by_standing(session: Session, references: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the payments of archives by reference, with the reports counted in: of each standing and currency, the
    largest.
    """
    standing = sql.case((is_settled(), Standing.SETTLED), else_=_PAYMENT.c.standing).label("standing")
    names = (_PAYMENT.c.reference, standing, _PAYMENT.c.currency, _PAYMENT.c.amount_minor)
    its = sql.select(*names).where(_PAYMENT.c.reference.in_(references)).subquery().c
    of_each = (its.reference, its.standing, its.currency)
    largest = sql.select(*of_each, sql.func.max(its.amount_minor).label("amount_minor")).group_by(*of_each)
    found: dict[str, list[Mapping[str, Any]]] = {each: [] for each in references}
    for row in session.connection().execute(largest):
        found[row.reference].append(row._asdict())
    return found


def _has_charge() -> sql.ColumnElement[bool]:
    return sql.exists().where(
        _ENTRY.c.payment_id == _PAYMENT.c.payment_id,
        _ENTRY.c.kind == EntryKind.CHARGE,
        _ENTRY.c.match.in_(sorted(MATCHED)),
    )


class Candidates:
    """The payments that share the cguid or the authorisation number with some entries."""

    def __init__(self, session: Session, entries: Iterable[Entry]) -> None:
        wanted = list(entries)
        self._by_cguid = self._found(session, "cguid_fingerprint", wanted)
        self._by_authorisation = self._found(session, "authorisation_fingerprint", wanted)

    def of(self, entry: Entry) -> list[Candidate]:
        """Return the candidates of an entry."""
        both = (
            *self._by_cguid.get(entry.cguid_fingerprint or "", ()),
            *self._by_authorisation.get(entry.authorisation_fingerprint or "", ()),
        )
        return list(dict.fromkeys(both))

    @staticmethod
    def _found(session: Session, name: str, entries: Sequence[Entry]) -> dict[str, list[Candidate]]:
        wanted = {getattr(entry, name) for entry in entries} - {None}
        found: dict[str, list[Candidate]] = defaultdict(list)
        for page in pages(sorted(wanted)):
            for each in _payments(session, _PAYMENTS.where(_PAYMENT.c[name].in_(page))):
                found[getattr(each, name)].append(each)
            for each in _payments(session, _OTHER_ATTEMPTS.where(_KEY.c[name].in_(page))):
                found[getattr(each, name)].append(each)
        return found


def nearest(session: Session, entry: Entry, late_after: timedelta, most: int) -> list[Candidate]:
    """Return payments of an entry's days and currency with its card and amount, before those with one of them. A charge
    belongs to none that has a charge already.
    """
    first, last = entry.paid_on or entry.settled_on - late_after, entry.paid_on or entry.settled_on
    has_card = _PAYMENT.c.card_last4 == (entry.card_last4 or "")  # no card is not the same card
    has_amount = _PAYMENT.c.amount_minor == abs(entry.amount_minor)
    of_days = _PAYMENT.c.paid_on.between(first - _A_DAY, last + _A_DAY), _PAYMENT.c.currency == entry.currency
    is_free = ~_has_charge() if entry.kind is EntryKind.CHARGE else sql.true()
    order = sql.case((has_card & has_amount, 0), (has_card, 1), else_=2)
    wanted = _PAYMENTS.where(*of_days, has_card | has_amount, is_free).order_by(order).limit(most)
    return list(_candidates(session, wanted))


def payments_of(session: Session, references: Sequence[str]) -> dict[str, list[Candidate]]:
    """Return the payments of some archives, each once, by the reference of the archive."""
    found: dict[str, dict[str, Candidate]] = defaultdict(dict)
    for each in _payments(session, _PAYMENTS.where(_PAYMENT.c.reference.in_(references))):
        found[each.reference].setdefault(each.payment_id, each)
    return {reference: list(payments.values()) for reference, payments in found.items()}


def _payments(session: Session, wanted: sql.Select[Any]) -> Iterator[Candidate]:
    return _candidates(session, wanted.order_by(_PAYMENT.c.reference, _PAYMENT.c.position))


def _candidates(session: Session, wanted: sql.Select[Any]) -> Iterator[Candidate]:
    for row in session.connection().execute(wanted).mappings():
        yield Candidate(**{**row, "standing": Standing(row["standing"])})


def entries_of_archives(session: Session, references: Sequence[str]) -> dict[str, list[DecidedEntry]]:
    found: dict[str, list[DecidedEntry]] = defaultdict(list)
    for each in _entries(session, _ENTRIES.where(_ENTRY.c.reference.in_(references))):
        found[each.decision.reference or ""].append(each)
    return found


def entries_of(session: Session, entry_ids: Sequence[str]) -> dict[str, DecidedEntry]:
    """Return the entries with these ids that the database has, by id."""
    known = _entries(session, _ENTRIES.where(_ENTRY.c.entry_id.in_(entry_ids)))
    return {each.entry.entry_id: each for each in known}


def may_differ(session: Session, reference: str, last_missed: date) -> bool:
    """Return whether an archive may have discrepancies from settlement reports, or had some.

    Args:
        last_missed: The last day of payment whose settlement is late today.
    """
    fingerprints = _fingerprints(reference)
    paid_on = _PAYMENT.c.paid_on
    covered = (paid_on <= last_missed, paid_on.between(_REPORT.c.covers_from, _REPORT.c.covers_to))
    told = (_DISCREPANCY.c.code.in_(sorted(SETTLEMENT_CODES)), _DISCREPANCY.c.state != DiscrepancyState.CLOSED)
    reasons = (
        sql.exists().where(_ENTRY.c.reference == reference),
        sql.exists().where(_ENTRY.c.cguid_fingerprint.in_(fingerprints)),
        sql.exists().where(_ENTRY.c.authorisation_fingerprint.in_(fingerprints)),
        sql.exists().where(_PAYMENT.c.reference == reference, _PAYMENT.c.standing == Standing.CHARGED, *covered),
        sql.exists().where(_DISCREPANCY.c.reference == reference, *told),
    )
    return bool(session.connection().execute(sql.select(sql.or_(*reasons))).scalar_one())


def entries_concerned(session: Session, reference: str) -> list[DecidedEntry]:
    """Return the entries that belong or could belong to an archive, or were decided by its earlier payments."""
    fingerprints = _fingerprints(reference)
    wanted = (
        _ENTRY.c.reference == reference,
        _ENTRY.c.cguid_fingerprint.in_(fingerprints),
        _ENTRY.c.authorisation_fingerprint.in_(fingerprints),
    )
    found = (_entries(session, _ENTRIES.where(each)) for each in wanted)
    return list({each.entry.entry_id: each for these in found for each in these}.values())


def _fingerprints(reference: str) -> sql.CompoundSelect[Any]:
    """Select the fingerprints of an archive's payments, and earlier fingerprints by which entries were decided."""
    had = sql.select(_CANDIDATE.c.fingerprint).where(_CANDIDATE.c.reference == reference)
    return sql.union_all(had, *_has(reference))


def _has(reference: str) -> list[sql.Select[Any]]:
    return [sql.select(each).where(each.table.c.reference == reference, each.is_not(None)) for each in _FINGERPRINTS]


def remember(session: Session, entries: Iterable[tuple[Entry, Iterable[str]]]) -> None:
    """Record every archive whose payments took part in deciding an entry, besides the archive that a decision names."""
    pairs = {
        (reference, fingerprint)
        for entry, references in entries
        for reference in references
        for fingerprint in (entry.cguid_fingerprint, entry.authorisation_fingerprint)
        if fingerprint is not None
    }
    if pairs:
        rows = [{"reference": reference, "fingerprint": fingerprint} for reference, fingerprint in sorted(pairs)]
        session.connection().execute(upsert(session, SettlementCandidateRow).on_conflict_do_nothing(), rows)


def outlived(session: Session, reference: str) -> list[str]:
    """Return the remembered fingerprints of an archive that its payments no longer have."""
    is_there = _CANDIDATE.c.fingerprint.in_(sql.union_all(*_has(reference)))
    wanted = sql.select(_CANDIDATE.c.fingerprint).where(_CANDIDATE.c.reference == reference, ~is_there)
    return list(session.connection().execute(wanted).scalars())


def forget(session: Session, reference: str, fingerprints: Iterable[str]) -> None:
    for page in pages(fingerprints):
        its = (_CANDIDATE.c.reference == reference, _CANDIDATE.c.fingerprint.in_(page))
        session.connection().execute(_CANDIDATE.delete().where(*its))


def unmatched_entries(session: Session) -> Iterator[DecidedEntry]:
    """Yield the entries that match no archive."""
    return _entries(session, _ENTRIES.where(_ENTRY.c.match.in_(UNMATCHED), _ENTRY.c.reference.is_(None)))


def _entries(session: Session, wanted: sql.Select[Any] | Any) -> Iterator[DecidedEntry]:
    for row in session.connection().execute(wanted).mappings():
        entry = {each.name: row[each.name] for each in fields(Entry)} | {"kind": EntryKind(row["kind"])}
        yield DecidedEntry(Entry(**entry), Decision(Match(row["match"]), row["reference"], row["payment_id"]))


def insert_entries(session: Session, report_id: str, decided: Sequence[DecidedEntry]) -> None:
    rows = [asdict(each.entry) | asdict(each.decision) | {"report_id": report_id} for each in decided]
    insert_rows(session, SettlementEntryRow, rows)


def update_decisions(session: Session, decided: Sequence[DecidedEntry]) -> None:
    if decided:
        update = _ENTRY.update().where(_ENTRY.c.entry_id == sql.bindparam("its_id"))
        session.connection().execute(update, [asdict(e.decision) | {"its_id": e.entry.entry_id} for e in decided])


def begin_report(session: Session, row: SettlementReportRow) -> None:
    """Record a report before its entries, so that people see it. Until `insert_report` it covers no day."""
    if insert_new(session, SettlementReportRow, row.model_dump() | {"covers_from": None, "covers_to": None}):
        note(session, SettlementReportRow, _REPORT.c.report_id == row.report_id)


def insert_report(session: Session, row: SettlementReportRow) -> None:
    covers = {"covers_from": row.covers_from, "covers_to": row.covers_to}
    new = upsert(session, SettlementReportRow).values(**row.model_dump())
    session.connection().execute(new.on_conflict_do_update(index_elements=["report_id"], set_=covers))
    note(session, SettlementReportRow, _REPORT.c.report_id == row.report_id)
    session.connection().execute(_DAMAGED.delete().where(_DAMAGED.c.report_id == row.report_id))


def counted(session: Session, report_ids: Sequence[str], *, unmatched: bool) -> dict[str, int]:
    """Return the number of entries of reports, by id: of all, or of those that match no payment."""
    entries = sql.select(_ENTRY.c.report_id, sql.func.count()).where(_ENTRY.c.report_id.in_(report_ids))
    if unmatched:  # few, so they are found first
        found_first = "INDEXED BY ix_settlement_entry_match"
        entries = entries.where(_ENTRY.c.match.in_(UNMATCHED)).with_hint(_ENTRY, found_first, "sqlite")
    return {row[0]: row[1] for row in session.connection().execute(entries.group_by(_ENTRY.c.report_id))}


def damaged_reports(session: Session) -> set[str]:
    """Return the reports that the store did not return at the last attempt, and whose rows are missing."""
    return set(session.connection().execute(sql.select(_DAMAGED.c.report_id)).scalars())


def set_damaged(session: Session, report_ids: Iterable[str]) -> None:
    """Make the damaged reports equal to `report_ids`."""
    session.connection().execute(_DAMAGED.delete())
    insert_rows(session, DamagedReportRow, [{"report_id": each} for each in sorted(report_ids)])


def judged_reports(session: Session) -> set[str]:
    return set(session.connection().execute(sql.select(_REPORT.c.report_id).where(_REPORT.c.is_judged)).scalars())


def set_judged(session: Session, report_ids: Iterable[str]) -> None:
    for page in pages(report_ids):
        its = _REPORT.c.report_id.in_(page)
        session.connection().execute(_REPORT.update().where(its).values(is_judged=True))
        note(session, SettlementReportRow, its)


def coverage(session: Session) -> list[Days]:
    """Return the days whose charges are in the reports."""
    covered = sql.select(_REPORT.c.covers_from, _REPORT.c.covers_to).where(_REPORT.c.covers_from.is_not(None))
    return merged(Days(*row) for row in session.connection().execute(covered))


def archives_without_settlement(session: Session, days: Days) -> Iterator[str]:
    """Yield the archives with a charged payment that was paid in these days and is in no report."""
    wanted = sql.select(_PAYMENT.c.reference).where(
        _PAYMENT.c.paid_on.between(days.first, days.last), _PAYMENT.c.standing == Standing.CHARGED, ~_has_charge()
    )
    for (reference,) in session.connection().execute(wanted.distinct()):
        yield reference
