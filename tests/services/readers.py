"""Reads tables by DuckDB, Polars and pandas, runs a notebook, and prints what they found as JSON.

It runs in `.venv-readers`, and knows nothing of cellar.
"""
# mypy: ignore-errors

import json
import sys
from pathlib import Path

import deltalake
import duckdb
import nbformat
import pandas
import polars
from nbclient import NotebookClient

COLUMNS = ["CITY", "RENT", "START", "_received_at", "ROOMS"]


def by_duckdb(rows: duckdb.DuckDBPyRelation) -> dict[str, object]:
    asked = "count(*), sum(RENT), min(START), epoch_us(max(_received_at)) // 1000000, count(ROOMS), min(CITY)"
    return found(rows.aggregate(asked).fetchall()[0], rows.select(*COLUMNS).types)


def by_polars(rows: polars.LazyFrame) -> dict[str, object]:
    its = rows.select(COLUMNS).collect()
    rent, start, at, city = its["RENT"].sum(), its["START"].min(), its["_received_at"].max(), its["CITY"].min()
    return found((len(its), rent, start, at.timestamp(), its["ROOMS"].count(), city), its.dtypes)


def by_pandas(rows: pandas.DataFrame) -> dict[str, object]:
    rent, start, at, city = rows["RENT"].sum(), rows["START"].min(), rows["_received_at"].max(), rows["CITY"].min()
    values = (len(rows), rent, start, at.timestamp(), rows["ROOMS"].count(), city)
    return found(values, [*(type(rows[each][0]).__name__ for each in ("RENT", "START")), *rows.dtypes[COLUMNS]])


def found(values: tuple, types: list) -> dict[str, object]:
    count, rent, start, at, rooms, city = values
    said = {
        "rows": count,
        "rent": f"{rent:.18f}",
        "start": f"{start}",
        "at": int(at),
        "rooms": int(rooms),
        "city": city,
    }
    return said | {"types": [str(each) for each in types]}


def read(lakes: list[str], file: str) -> dict[str, dict[str, object]]:
    read_as = {}
    for lake in lakes:
        table = deltalake.DeltaTable(f"{lake}/form_lease")
        read_as[f"DuckDB {lake}"] = by_duckdb(duckdb.from_arrow(table.to_pyarrow_dataset()))
        read_as[f"Polars {lake}"] = by_polars(polars.scan_delta(table))
        read_as[f"pandas {lake}"] = by_pandas(table.to_pandas())
    return read_as | {
        "DuckDB file": by_duckdb(duckdb.read_parquet(file)),
        "Polars file": by_polars(polars.scan_parquet(file)),
        "pandas file": by_pandas(pandas.read_parquet(file)),
    }


def run(notebook: Path) -> list[str]:
    """Run a notebook, and return the texts that its cells show. What was run stands in the working folder."""
    cells = nbformat.read(notebook, as_version=4)
    NotebookClient(cells, timeout=120, kernel_name="python3", record_timing=False).execute()
    for each in (output for cell in cells.cells for output in cell.get("outputs", ())):
        each.get("data", {}).pop("text/html", None)
    nbformat.write(cells, notebook.name)
    return texts(cells)


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    shown = (each for cell in notebook.cells if cell.cell_type == "code" for each in cell.outputs)
    return [each["data"]["text/plain"] if "data" in each else str(each) for each in shown]


notebook, file, *lakes = sys.argv[1:]
kept = texts(nbformat.read(notebook, as_version=4))
sys.stdout.write(json.dumps({"read": read(lakes, file), "kept": kept, "run": run(Path(notebook))}))
