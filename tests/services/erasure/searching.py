"""Searches everything that cellar keeps for values, however they are written there."""

import base64
import json
import os
import re
import sqlite3
import struct
import subprocess
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pgserver
from sqlalchemy import inspect, text
from sqlalchemy import select as plain_select
from sqlmodel import SQLModel

import models.every_table  # noqa: F401
from adapters.database.connections import engine
from adapters.database.transactions import reading
from adapters.files.bucket import client
from adapters.files.store import storage_at, store
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings
from models.access import CELLAR
from models.views.archives.archives import ArchiveQuery
from services.views import archive_list
from services.views.person import everything as everything_of
from services.views.person import wanted_of

_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04")
_ZIP_HEAD_BYTES = 30
_MOST_UNPACKED = 1 << 24
_DEEPEST = 3
MARK = "planted"
"""Is in most values, which are looked for only where the mark is found."""
_PG_DUMP = Path(pgserver.__file__).parent / "pginstall" / "bin" / "pg_dump"


def found_in(places: Iterable[tuple[str, bytes]], values: Mapping[str, str]) -> dict[str, str]:
    """Return the first place in whose name or bytes each value is found, by the name of the value. Values without one
    are left out.
    """
    patterns = {name: (*_written(value),) for name, value in values.items()}
    marked = {name for name, value in values.items() if MARK in value}
    mark = (*_written(MARK),)
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    for place, data in places:
        for piece in (place.encode(), *unpacked(data)):
            if piece in seen:  # the same bytes in two places
                continue
            seen.add(piece)
            folded = piece.lower()
            has_mark = _is_in(mark, piece, folded)
            for name in [each for each in patterns if has_mark or each not in marked]:
                if _is_in(patterns[name], piece, folded):
                    found[name] = place
                    del patterns[name]
    return found


def _is_in(written: tuple[set[bytes], set[bytes]], piece: bytes, folded: bytes) -> bool:
    in_any_case, exact = written
    return any(each in folded for each in in_any_case) or any(each in piece for each in exact)


def _written(value: str) -> tuple[set[bytes], set[bytes]]:
    """Return how a value is written: in any case, and in exactly these bytes."""
    escaped = json.dumps(value)[1:-1]
    texts = {value, escaped, json.dumps(escaped)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    texts |= {quote(value), quote_plus(value), quote(value, safe=""), quote(quote(value, safe=""), safe="")}
    encoded = {each.encode(coding) for each in (value, value.lower()) for coding in ("utf-8", "utf-16-le", "utf-16-be")}
    in_any_case = {each.lower().encode() for each in texts} | {each.lower() for each in encoded}
    in_any_case |= {each.hex().encode() for each in encoded}
    in_any_case.add(_in_pdf(value).lower())
    return in_any_case, {*_in_base64(value.encode()), *_as_number(value)}


def _in_base64(value: bytes) -> Iterator[bytes]:
    for skipped in range(3):  # the value begins at any of the three bytes of a group
        whole = base64.b64encode(b"\0" * skipped + value)
        inner = whole[(0, 2, 3)[skipped] : len(whole) - (0, 3, 2)[(skipped + len(value)) % 3]]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _in_pdf(value: str) -> bytes:
    """Return a value in a text of a PDF: UTF-16, whose other bytes than letters and digits are octal."""
    encoded = value.encode("utf-16-be")
    return b"".join(bytes([each]) if each < 128 and chr(each).isalnum() else b"\\%03o" % each for each in encoded)


def _as_number(value: str) -> Iterator[bytes]:
    """Yield a number as SQLite writes it. Short integers are in any file by chance."""
    if value.isdecimal() and int(value) >= 1 << 32:
        yield int(value).to_bytes(6 if int(value) < 1 << 47 else 8)
    elif re.fullmatch(r"\d+\.\d+", value):
        yield struct.pack(">d", float(value))


def unpacked(data: bytes, depth: int = _DEEPEST) -> Iterator[bytes]:
    """Yield bytes, and what is compressed in them: by gzip, zlib (also in a PDF) or in a zip."""
    yield data
    if not depth:
        return
    for begin in _PACKED.finditer(data):
        start, wbits = begin.start(), zlib.MAX_WBITS + 32
        if begin[0].startswith(b"PK"):
            head = data[start : start + _ZIP_HEAD_BYTES]
            if len(head) < _ZIP_HEAD_BYTES:
                continue
            start, wbits = start + _ZIP_HEAD_BYTES + sum(struct.unpack_from("<HH", head, 26)), -zlib.MAX_WBITS
        inner = zlib.decompressobj(wbits)
        with suppress(zlib.error):
            if member := inner.decompress(data[start:], _MOST_UNPACKED):
                yield from unpacked(member, depth - 1)


def everything() -> Iterator[tuple[str, bytes]]:
    """Yield all that cellar keeps, by its place: rows, files with free pages and journals, earlier versions, a dump."""
    yield from _rows()
    yield from _database()
    for name, place in (("store", store()), ("inbox", storage_at(settings().inbox_location))):
        for key, _ in place.listed(""):
            yield f"{name}/{key}", place.read_bytes(key)
    if settings().store_location.startswith("s3://"):
        yield from _versions()
    for path in settings().data_dir.rglob("*"):  # databases with all their bytes, notes, the spool
        if path.is_file():
            yield path.relative_to(settings().data_dir).as_posix(), path.read_bytes()


def served(values: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield what searches for each value find."""
    for name, value in values.items():
        listed = archive_list.page(ArchiveQuery(q=f'"{value}"'), CELLAR).items
        yield f"search for {name}", " ".join(value for _ in listed).encode()


def of_person(*values: str) -> int:
    """Return in how many places the page of a person finds these values."""
    return len(everything_of(wanted_of(values), CELLAR).items)


def _rows() -> Iterator[tuple[str, bytes]]:
    for name, table in SQLModel.metadata.tables.items():
        with reading() as session:
            for number, row in enumerate(session.connection().execute(plain_select(table))):
                yield f"{name}/{number}", b"\n".join(map(_bytes, row))


def _database() -> Iterator[tuple[str, bytes]]:
    """Yield every column of every table as text, tables of no model too, and what Postgres knows and dumps."""
    if engine().dialect.name == "sqlite":
        if prefect_file(settings()).exists():
            with closing(sqlite3.connect(prefect_file(settings()))) as prefect:
                for (table,) in prefect.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                    for row in prefect.execute(f'SELECT * FROM "{table}"'):
                        yield f"prefect/{table}", b"\n".join(map(_bytes, row))
        return
    with engine().connect() as connection:
        empty = set()
        for table in inspect(connection).get_table_names():
            rows = connection.execute(text(f'SELECT t::text FROM "{table}" t')).all()
            yield from ((f"as text: {table}", row.encode()) for (row,) in rows)
            if not rows:
                empty.add(table)
        for row in connection.execute(text("SELECT s::text, tablename FROM pg_stats s WHERE schemaname = 'public'")):
            if row[1] not in empty:  # ANALYZE leaves the statistics of an empty table as they are
                yield f"statistics: {row[1]}", row[0].encode()
    url = engine().url.set(drivername="postgresql").render_as_string(hide_password=False)
    dump = subprocess.run([_PG_DUMP, "--inserts", url], check=True, capture_output=True, timeout=60, env=os.environ)
    yield "dump", dump.stdout


def _versions() -> Iterator[tuple[str, bytes]]:
    bucket = settings().store_location.removeprefix("s3://").partition("/")[0]
    for page in client().get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in page.get("DeleteMarkers", []):
            yield f"delete marker: {each['Key']}", b""
        for each in page.get("Versions", []):
            asked = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
            yield f"version: {each['Key']}", client().get_object(**asked)["Body"].read()


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, default=str)).encode()
