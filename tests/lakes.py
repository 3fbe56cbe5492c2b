"""Reads tables where they are published, a lake by its files alone, and changes archives."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from adapters.database.transactions import writing
from adapters.files.bucket import client
from adapters.settings.settings import settings
from domain.tables.catalogue import SOURCES
from domain.tables.names import form_table
from models.access import Caller, Role
from models.archive.archive import ArchiveRow
from models.runs.receipt import DEFAULT_SOURCE
from services.erasure.removing import delete_rows
from services.erasure.traces import REMOVED, named_by
from services.tables import DICTIONARY, UNFIT_VALUES, template_ids
from tests.records import archived, buried, document
from tests.tables import table as exported

DATA = Caller("data", Role.DATA)
"""Who gets tables as the lake has them."""


def lease(
    number: int,
    *fields: tuple[str | None, Any],
    template: str = "lease",
    version: int = 1,
    source: str = DEFAULT_SOURCE,
) -> None:
    """Load a version of an archive of a template, with these fields alone."""
    its = document(f"p-{number}", template={"id": template})
    its["data"] = [its["data"][0] | {"id": id_, "value": value, "type": "text"} for id_, value in fields]
    archived(f"p-{number}", f"{number} {version}", minute=version, payload=its, source=source)


def erase(reference: str) -> None:
    """Erase the rows of an archive, as an erasure does."""
    digest = buried(reference)
    with writing() as session:
        delete_rows(session, named_by(session, session.get_one(ArchiveRow, reference), digest), REMOVED)


def mirrored(folder: Path) -> Path:
    """Return the folder of the lake: itself, or a copy of the bucket."""
    place = str(settings().lake_location)
    if not place.startswith("s3://"):
        return Path(place)
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for each in page.get("Contents", []):
            target = folder / each["Key"].removeprefix(f"{prefix}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            client().download_file(bucket, each["Key"], str(target))
    return folder


def files(folder: Path) -> list[str]:
    """Return the data files of a table, as its log names them."""
    there, since = dict[str, None](), -1
    if checkpoints := sorted(folder.glob("_delta_log/*.checkpoint.parquet")):
        since = int(checkpoints[-1].name.split(".")[0])
        found = duckdb.read_parquet(str(checkpoints[-1])).filter("add IS NOT NULL").select("add.path")
        there = dict.fromkeys(each for (each,) in found.fetchall())
    for log in sorted(folder.glob("_delta_log/*.json")):
        for action in map(json.loads, log.read_text().splitlines() if int(log.stem) > since else []):
            if "add" in action:
                there[action["add"]["path"]] = None
            elif "remove" in action:
                there.pop(action["remove"]["path"], None)
    return [str(folder / each) for each in there]


def shared() -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection to the database of the share."""
    return psycopg.connect(str(settings().database_url))


def _of_share(name: str, columns: pa.Schema) -> pa.Table | None:
    with shared() as connection:
        if connection.execute("SELECT to_regclass(%s)", [f"cellar_share.{name}"]).fetchone() == (None,):
            return None
        names = ", ".join(f'"{each}"' for each in columns.names)
        rows = connection.execute(f"SELECT {names} FROM cellar_share.{name}".encode()).fetchall()
    return pa.Table.from_pylist([dict(zip(columns.names, each, strict=True)) for each in rows], columns)


def _of_lake(folder: Path, name: str, columns: pa.Schema) -> Any:
    found = files(folder / name)
    return duckdb.read_parquet(found, union_by_name=True).select(*columns.names) if found else None


def _differing(export: pa.Table, published: Any) -> int:
    """Return how many rows a published table and its export for the same role do not share, as DuckDB reads both."""
    if published is None:
        return int(export.num_rows)
    own = duckdb.from_arrow(export)
    its = duckdb.from_arrow(published) if isinstance(published, pa.Table) else published
    assert its.types == own.types
    found = Counter(map(repr, own.fetchall()))
    found.subtract(map(repr, its.fetchall()))
    return sum(map(abs, found.values()))


def assert_current() -> None:
    """Check that each place has all tables as they are exported for the same role."""
    names = dict.fromkeys((*SOURCES, UNFIT_VALUES, DICTIONARY))
    tables = names | {form_table(each): each for each in template_ids(DATA)}
    with TemporaryDirectory() as folder:
        lake = mirrored(Path(folder))
        for name, template in tables.items():
            export = exported(None if template else name, template, DATA)
            assert (name, _differing(export, _of_lake(lake, name, export.schema))) == (name, 0)
            if settings().share:
                assert (name, _differing(export, _of_share(name, export.schema))) == (name, 0)


def texts() -> Iterator[str]:
    """Yield all that stands in any file of the lake, and in any row or statistics of the share."""
    with TemporaryDirectory() as folder:
        for each in mirrored(Path(folder)).rglob("*"):
            if each.suffix == ".parquet":
                yield str(duckdb.read_parquet(str(each)).fetchall())
            elif each.is_file():
                yield each.read_text()
    if settings().share:
        with shared() as connection:
            named = (
                "SELECT format('TABLE %I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'cellar_share'"
            )
            statistics = "SELECT to_jsonb(its) FROM pg_stats its WHERE schemaname = 'cellar_share'"
            for (found,) in [(statistics,), *connection.execute(named.encode()).fetchall()]:
                yield str(connection.execute(found.encode()).fetchall())
