"""Keeps settlement reports in the store: their entries, with fingerprints in place of secrets, written once.

A report is named by the SHA-256 of its file, a JSON document with one entry per line. A file beside it has the time of
its first import. The database is rebuilt from both.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import TypeAdapter

from adapters.files.spool import spooled, write_spooled
from adapters.files.store import store
from adapters.lists.list_files import encoding_of, rows_in_memory
from adapters.platform.durable import digest_of_file
from adapters.store import seals
from domain.settlements.matching import coverage_of
from domain.settlements.report import Fingerprint, entries_of, likely_heads
from models.completeness.listed import SheetRow
from models.errors import Conflict, Refused
from models.settlements.report_format import ReportFormat
from models.settlements.settlement import Days, Entry

OnDamaged = Callable[[str, str], None]
"""Called with the id of a report that cannot be restored, and with the reason."""

FOLDER = "settlements"
_IMPORTED = ".imported"
_LINES_AT_ONCE = 1000
_LONGEST_END_BYTES = 200
_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class Report:
    """A report in its stored form, in a file on the local disk."""

    report_id: str
    path: Path
    entries: int
    covers: Days | None

    def rows(self) -> Iterator[Entry]:
        with self.path.open("rb") as lines:
            next(lines)
            for line in lines:
                if line.startswith(b"]"):
                    return
                yield _ENTRY.validate_json(line.rstrip(b",\n"))


@contextmanager
def staged(data: bytes, form: ReportFormat, fingerprint: Fingerprint = seals.fingerprint) -> Iterator[Report]:
    """Read a report to its end, and provide it in its stored form until the end of the block.

    Args:
        fingerprint: the function whose result replaces a secret.

    Raises:
        Refused: the file is not in that format, or has no row.
        Transient: the disk does not accept the report now.
    """
    with spooled(store().spool_folder) as spool:
        rows = _rows(data, form.encoding, form.delimiter)
        covers = coverage_of(_written(entries_of(rows, form, fingerprint), spool), form.terms)
        days = {"covers_from": covers and covers.first, "covers_to": covers and covers.last}
        write_spooled(spool, b"\n], " + orjson.dumps(days)[1:] + b"\n")
        path = Path(spool.name)
        report = Report(digest_of_file(path), path, _count(path), covers)
        if report.entries < 1:
            raise Refused("NO_ROWS", "expected a report with at least one row")
        yield report


def heads_of(data: bytes) -> list[str]:
    """Return what the columns of a report that nothing describes are called. Raises Refused if it has none."""
    return likely_heads(_rows(data, None, None))


def _rows(data: bytes, wanted: str | None, delimiter: str | None) -> Iterator[SheetRow]:
    encoding = encoding_of(BytesIO(data), wanted)
    if encoding is None:
        raise Refused("BAD_ENCODING", f"expected text in {wanted or 'UTF-8 or windows-1255'}")
    return rows_in_memory(data, encoding, delimiter)


@contextmanager
def stored(report_id: str) -> Iterator[Report]:
    """Provide a report from the store on the local disk, until the end of the block.

    Raises Conflict if the report is missing or damaged.
    """
    with spooled(store().spool_folder) as spool:
        try:
            for chunk in store().chunks(report_key(report_id)):
                write_spooled(spool, chunk)
        except FileNotFoundError as error:
            raise _damaged(report_id) from error
        path = Path(spool.name)
        if digest_of_file(path) != report_id:
            raise _damaged(report_id)
        yield Report(report_id, path, _count(path), _covers(path))


def keep(report: Report, now: datetime) -> datetime:
    """Write a report once, and return the time of its first import. A damaged report is repaired.

    Raises Transient if the store does not accept it now.
    """
    is_damaged = store().digest_of(report_key(report.report_id)) not in (report.report_id, None)
    (store().overwrite if is_damaged else store().keep)(report.path, report_key(report.report_id))
    before = imported_at(report.report_id)
    if before is None:
        store().overwrite_bytes(now.isoformat().encode(), imported_key(report.report_id))
    return before or now


def kept(on_damaged: OnDamaged, but: Collection[str] = ()) -> list[tuple[str, datetime]]:
    """Return the reports in the store except `but`, with their time of import, in order of that time."""
    times: dict[str, datetime] = {}
    for key, _ in store().listed(FOLDER):
        report_id = key.removeprefix(f"{FOLDER}/").removesuffix(_IMPORTED)
        if key == imported_key(report_id) and report_id not in but:
            at = imported_at(report_id)
            if at is None:
                on_damaged(report_id, "its time of import is damaged; import its file again with `cellar settle FILE`")
            else:
                times[report_id] = at
    return sorted(times.items(), key=lambda each: (each[1], each[0]))


def imported_at(report_id: str) -> datetime | None:
    """Return the time at which a report was imported first; None where it is missing or damaged."""
    text = store().found_bytes(imported_key(report_id)) or b""
    try:
        at = datetime.fromisoformat(text.decode())
    except ValueError:
        return None
    return at if at.tzinfo else None


def _written(entries: Iterable[Entry], spool: BinaryIO) -> Iterator[Entry]:
    """Write entries as they pass through."""
    lines, separator = [b'{"entries": ['], b"\n"
    for entry in entries:
        lines.append(separator + orjson.dumps(entry))
        separator = b",\n"
        if len(lines) == _LINES_AT_ONCE:
            write_spooled(spool, b"".join(lines))
            lines.clear()
        yield entry
    write_spooled(spool, b"".join(lines))


def _count(path: Path) -> int:
    """Return the number of entries: all lines but the first and the last."""
    with path.open("rb") as lines:
        return sum(1 for _ in lines) - 2


def _covers(path: Path) -> Days | None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END_BYTES))
        end = orjson.loads(b"{" + file.read().rpartition(b"\n], ")[2])
    return Days(*(date.fromisoformat(end[each]) for each in ("covers_from", "covers_to"))) if end["covers_to"] else None


def imported_key(report_id: str) -> str:
    """Return the key of the time of a report's import in the store."""
    return f"{FOLDER}/{report_id}{_IMPORTED}"


def report_key(report_id: str) -> str:
    """Return the key of a report in the store."""
    return f"{FOLDER}/{report_id}.json"


def _damaged(report_id: str) -> Conflict:
    return Conflict(
        f"settlement report {report_id} is missing or damaged; import its file again with `cellar settle FILE`"
    )
