"""Rows of settlements in the database, and the payments that they may belong to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, exists, false, select, text, union
from sqlmodel import Session, SQLModel

from adapters.database import insert_new, insert_rows, writing
from domain.settlement import MATCHED, MAY_BE_SETTLED, merged
from models.payment import PaymentRow, Standing
from models.settlement import (
    Candidate,
    Days,
    DecidedEntry,
    Decision,
    Entry,
    EntryKind,
    Match,
    SettlementEntryRow,
    SettlementReportRow,
)

_LOCK = 0x5E771E  # of Postgres; any number that nothing else takes
_UNMATCHED = [Match.NONE, Match.AMBIGUOUS]


def _table(row: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(row.__tablename__)]


_PAYMENT, _ENTRY, _REPORT = _table(PaymentRow), _table(SettlementEntryRow), _table(SettlementReportRow)
_PAYMENTS = select(*(_PAYMENT.c[each.name] for each in fields(Candidate)))
_ENTRIES = select(*(_ENTRY.c[each.name] for each in (*fields(Entry), *fields(Decision))))


@contextmanager
def matching() -> Iterator[Session]:
    """A transaction that matches, one at a time: of two at once, one with a payment and one with the row for it,
    neither would see the other's. On SQLite every transaction that writes is alone.
    """
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        yield session


def is_settled() -> ColumnElement[bool]:
    """Whether a row of `payment` is settled: it may be, and a charge is matched to it. The view of the ledger and
    `domain.settlement.standing_after` say the same.
    """
    return _PAYMENT.c.standing.in_(sorted(MAY_BE_SETTLED)) & _has_charge()


def _has_charge() -> ColumnElement[bool]:
    return exists().where(
        _ENTRY.c.payment_id == _PAYMENT.c.payment_id,
        _ENTRY.c.kind == EntryKind.CHARGE,
        _ENTRY.c.match.in_(sorted(MATCHED)),
    )


class Candidates:
    """The payments that have the cguid or the authorisation number of some entries."""

    def __init__(self, session: Session, entries: Iterable[Entry]) -> None:
        wanted = list(entries)
        self._by_cguid = self._found(session, "cguid_fingerprint", wanted)
        self._by_authorisation = self._found(session, "authorisation_fingerprint", wanted)

    def of(self, entry: Entry) -> list[Candidate]:
        """Those of one entry, each once."""
        both = (
            *self._by_cguid.get(entry.cguid_fingerprint or "", ()),
            *self._by_authorisation.get(entry.authorisation_fingerprint or "", ()),
        )
        return list({each.payment_id: each for each in both}.values())

    def references(self) -> set[str]:
        found = (*self._by_cguid.values(), *self._by_authorisation.values())
        return {each.reference for these in found for each in these}

    @staticmethod
    def _found(session: Session, name: str, entries: Sequence[Entry]) -> dict[str, list[Candidate]]:
        wanted = {getattr(entry, name) for entry in entries} - {None}
        found: dict[str, list[Candidate]] = defaultdict(list)
        if wanted:
            for each in _payments(session, _PAYMENT.c[name].in_(sorted(wanted))):
                found[getattr(each, name)].append(each)
        return found


def payments_of(session: Session, references: Sequence[str]) -> dict[str, list[Candidate]]:
    """The payments of some archives, each once."""
    found: dict[str, dict[str, Candidate]] = defaultdict(dict)
    for each in _payments(session, _PAYMENT.c.reference.in_(references)):
        found[each.reference].setdefault(each.payment_id, each)
    return {reference: list(payments.values()) for reference, payments in found.items()}


def _payments(session: Session, wanted: ColumnElement[bool]) -> Iterator[Candidate]:
    ordered = _PAYMENTS.where(wanted).order_by(_PAYMENT.c.reference, _PAYMENT.c.position)
    for row in session.connection().execute(ordered).mappings():
        yield Candidate(**{**row, "standing": Standing(row["standing"])})


def entries_of_archives(session: Session, references: Sequence[str]) -> dict[str, list[DecidedEntry]]:
    found: dict[str, list[DecidedEntry]] = defaultdict(list)
    for each in _entries(session, _ENTRIES.where(_ENTRY.c.reference.in_(references))):
        found[each.decision.reference or ""].append(each)
    return found


def entries_known(session: Session, entry_ids: Sequence[str]) -> dict[str, Decision]:
    """What was decided for those of some entries that are there."""
    known = _entries(session, _ENTRIES.where(_ENTRY.c.entry_id.in_(entry_ids)))
    return {each.entry.entry_id: each.decision for each in known}


def entries_concerned(session: Session, reference: str) -> list[DecidedEntry]:
    """The entries that belong to an archive, or could: by what its payments have and had, as far as entries tell.

    Entries that fitted to several payments are among them, whosever those were: one may fit no more.
    """
    own = list(_payments(session, _PAYMENT.c.reference == reference))
    cguids = {each.cguid_fingerprint for each in own} - {None}
    authorisations = {each.authorisation_fingerprint for each in own} - {None}
    return list(
        _entries(
            session,
            union(
                _ENTRIES.where(_ENTRY.c.reference == reference),
                _ENTRIES.where(_ENTRY.c.cguid_fingerprint.in_(cguids) if cguids else false()),
                _ENTRIES.where(_ENTRY.c.authorisation_fingerprint.in_(authorisations) if authorisations else false()),
                _ENTRIES.where(_ENTRY.c.match == Match.AMBIGUOUS),
            ),
        )
    )


def entries_of_nobody(session: Session) -> Iterator[DecidedEntry]:
    """The entries that lead to no archive."""
    return _entries(session, _ENTRIES.where(_ENTRY.c.match.in_(_UNMATCHED), _ENTRY.c.reference.is_(None)))


def _entries(session: Session, wanted: Select[Any] | Any) -> Iterator[DecidedEntry]:
    for row in session.connection().execute(wanted).mappings():
        entry = {each.name: row[each.name] for each in fields(Entry)} | {"kind": EntryKind(row["kind"])}
        yield DecidedEntry(Entry(**entry), Decision(Match(row["match"]), row["reference"], row["payment_id"]))


def insert_entries(session: Session, report_id: str, decided: Sequence[DecidedEntry]) -> None:
    insert_rows(
        session,
        SettlementEntryRow,
        [asdict(each.entry) | asdict(each.decision) | {"report_id": report_id} for each in decided],
    )


def update_decisions(session: Session, decided: Sequence[DecidedEntry]) -> None:
    if decided:
        update = _ENTRY.update().where(_ENTRY.c.entry_id == bindparam("its_id"))
        session.connection().execute(update, [asdict(e.decision) | {"its_id": e.entry.entry_id} for e in decided])


def insert_report(session: Session, row: SettlementReportRow) -> None:
    insert_new(session, SettlementReportRow, row.model_dump())


def coverage(session: Session) -> list[Days]:
    """The days that reports have the charges of."""
    covered = select(_REPORT.c.covers_from, _REPORT.c.covers_to).where(_REPORT.c.covers_from.is_not(None))
    return merged(Days(*row) for row in session.connection().execute(covered))


def archives_without_settlement(session: Session, days: Days) -> Iterator[str]:
    """The archives that have a charge, paid on one of these days, that stands in no report."""
    wanted = select(_PAYMENT.c.reference).where(
        _PAYMENT.c.paid_on.between(days.first, days.last), _PAYMENT.c.standing == Standing.CHARGED, ~_has_charge()
    )
    for (reference,) in session.connection().execute(wanted.distinct()):
        yield reference
