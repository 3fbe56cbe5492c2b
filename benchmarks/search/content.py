"""Measures how fast the search is filled in for archives that have been loaded, and for other settings."""

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import psutil
from sqlalchemy import text
from sqlmodel import SQLModel

from adapters.database.transactions import engine, insert_rows, reading, writing
from adapters.settings.settings import settings
from benchmarks.search.made import Made, made
from domain.archive.rows import rows_of
from domain.search import COLUMNS
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import LabelRow, SessionRow
from models.payments import PaymentRow
from models.search import Kind
from services import derived
from tests.domain.payloads import TERMS, fingerprint, read
from tests.records import document

_AT_ONCE = 2000
_OTHER_FIELDS = 6
Rows = dict[type[SQLModel], list[dict[str, Any]]]


def measured(count: int) -> None:
    """Load archives without their entries, and print how long the search takes to be complete; twice."""
    _load(count)
    _print("never indexed")
    os.environ["CELLAR_SEARCH_FIELDS"] = "plan"
    settings.cache_clear()
    _print("after a change of what is searchable")


def _print(what: str) -> None:
    begun_s = time.monotonic()
    derived.begin()
    begun_s = time.monotonic() - begun_s
    began_s, busy_s = time.monotonic(), _busy_s()
    batches_s: list[float] = []
    filled = 0
    while passed := derived.fill():
        filled += passed
        batches_s.append(time.monotonic() - began_s - sum(batches_s))
    lasted_s, busy_s = time.monotonic() - began_s, _busy_s() - busy_s
    rate = f"{filled:,} in {lasted_s:.1f} s, {filled / lasted_s:.0f} archives/s"
    busy = f"processor time of an archive {busy_s / filled * 1000:.2f} ms, load {os.getloadavg()[0]:.1f}"
    batches = f"begun in {begun_s * 1000:.0f} ms, longest batch {max(batches_s) * 1000:.0f} ms"
    print(f"{engine().dialect.name}, {what}: {rate}; {batches}; {busy}", flush=True)


def _busy_s() -> float:
    """Return the processor time of this process, and on Postgres of the processes that serve its connections."""
    if engine().dialect.name != "postgresql":
        return time.process_time()
    with reading() as session:
        pids = session.connection().execute(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"))
        return time.process_time() + sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids.scalars())


def _load(count: int) -> None:
    sample = rows_of(read(document("sample")), TERMS, fingerprint)
    rest = ((number, made(number, count)) for number in range(count))
    while page := list(islice(rest, _AT_ONCE)):
        with writing() as session:
            insert_rows(session, ArchiveRow, ({**each.row, "current_receipt_id": f"{at:064}"} for at, each in page))
            by_archive = [_rows(sample, at, each) for at, each in page]
            for table in COLUMNS:
                insert_rows(session, table, (row for its in by_archive for row in its[table]))
    if engine().dialect.name == "postgresql":
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))


def _rows(sample: Any, number: int, its: Made) -> Rows:
    """Return the rows of the sample as those of an archive: what it is found by, beside 6 other form fields."""
    one = {table: dict(rows[0]) for table, rows in sample.items() if rows}
    values = [(kind, name, value) for kind, name, value in its.found_by]
    found: Rows = {
        SessionRow: [one[SessionRow] | {"id": _first(values, Kind.SESSION), "process_number": number}],
        LabelRow: [one[LabelRow] | {"key": name, "value": value} for name, value in _named(values, Kind.LABEL)],
        FileRow: [one[FileRow] | {"filename": value} for _, value in _named(values, Kind.FILENAME)],
        SignatureRow: [one[SignatureRow] | {"signer_name": value} for _, value in _named(values, Kind.SIGNER)],
        FormFieldRow: [one[FormFieldRow] | {"id": name, "value": value} for name, value in _fields(values)],
        PaymentRow: [one[PaymentRow] | {"standing": value} for _, value in _named(values, Kind.STANDING)],
        SignedDocumentRow: [
            {"outcome": value, "verdict": {}, "roots": None, "judgements": []}
            for _, value in _named(values, Kind.VERDICT)
        ],
        WarningRow: [{"code": value, "where": "", "detail": ""} for _, value in _named(values, Kind.WARNING)],
    }
    reference = its.row["reference"]
    return {
        table: [row | {"reference": reference, "position": at} | _ids(table, number) for at, row in enumerate(rows)]
        for table, rows in found.items()
    }


def _fields(values: list[tuple[Kind, str, Any]]) -> Iterator[tuple[str, Any]]:
    yield from _named(values, Kind.FIELD)
    yield from ((f"other_{at}", f"value {at}") for at in range(_OTHER_FIELDS))


def _named(values: Iterable[tuple[Kind, str, Any]], kind: Kind) -> Iterator[tuple[str, Any]]:
    return ((name, value) for its, name, value in values if its is kind)


def _first(values: Iterable[tuple[Kind, str, Any]], kind: Kind) -> Any:
    return next(value for _, value in _named(values, kind))


def _ids(table: type[SQLModel], number: int) -> dict[str, str]:
    return {"payment_id": f"{number:032}"} if table is PaymentRow else {}
