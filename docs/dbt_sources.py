"""Writes the sources of the dbt package from the catalogue and docs/tables.md: `make dbt-sources`."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from domain.tables.catalogue import ENTRY, LEAD, SOURCES, UNFIT, columns_of
from models.archive.archive import State
from models.archive.content import Role
from models.discrepancies import DiscrepancyState
from models.messages.notification import NotificationState
from models.payments import Standing
from models.runs.receipt import Outcome
from models.tables import Column

DOCS = Path(__file__).parent
FILE = DOCS.parent / "deploy" / "dbt" / "models" / "sources.yml"
_VALUES: dict[str, type[StrEnum]] = {
    "archives.state": State,
    "deliveries.outcome": Outcome,
    "discrepancies.state": DiscrepancyState,
    "files.role": Role,
    "messages.state": NotificationState,
    "payments.standing": Standing,
}
_FRESH = {"archives": "received_at", "deliveries": "received_at", "runs": "started_at", "events": '"at"'}
"""The tables that have a new row for each archive, with the moment of the row."""
_FRESHNESS = {"warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 4, "period": "day"}}


def sources() -> str:
    """Return the sources as YAML."""
    rows = _rows_of_tables()
    tables = [_table(name, columns_of(name), rows[name]) for name in SOURCES]
    tables += [_table("unfit_values", UNFIT[len(LEAD) :], rows["unfit_values"])]
    tables += [_table("dictionary", ENTRY[len(LEAD) :], rows["dictionary"])]
    about = "Tables of cellar, from the lake or from the schema cellar_share; see docs/tables.md."
    source = {"name": "cellar", "description": about, "schema": "cellar_share", "config": {"meta": {"plugin": "delta"}}}
    whole = {"version": 2, "sources": [source | {"tables": tables}]}
    made = yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=1000, default_flow_style=None)
    return f"# Made by `make dbt-sources`.\n{made}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _rows_of_tables() -> dict[str, str]:
    """Return what a row of each table is of, as the page says it of several tables at once."""
    page = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", (DOCS / "tables.md").read_text("utf-8").partition("\n## ")[0])
    lines = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", page, re.MULTILINE)
    said = {tuple(re.findall(r"\w+", names)): re.split("; ", text) for names, text in lines}
    return {name: text for names, texts in said.items() for name, text in zip(names, texts, strict=False)}


def _table(name: str, columns: tuple[Column, ...], row: str) -> dict[str, Any]:
    meta = {"delta_table_path": f"{{{{ env_var('DBT_LAKE_URL', 'data/lake') }}}}/{name}"}
    if name == "dictionary":
        meta["materialization"] = "table"  # a macro reads it, and views of the plugin are not there for macros
    config: dict[str, Any] = {"meta": meta}
    if name in _FRESH:
        config |= {"loaded_at_field": _FRESH[name], "freshness": _FRESHNESS}
    key = SOURCES[name].key if name in SOURCES else ()
    found: dict[str, Any] = {"name": name, "description": f"A row for each {row}.", "config": config}
    if len(key) > 1:
        found["data_tests"] = [{"unique_together": {"arguments": {"columns": [*map(str, key)]}}}]
    return found | {"columns": [_column(name, each, key) for each in (*LEAD, *columns)]}


def _column(table: str, column: Column, key: tuple[str, ...]) -> dict[str, Any]:
    place = f"; `{column.place}` in the payload" if column.place else ""
    found: dict[str, Any] = {"name": str(column.name), "description": column.description + place}
    tests: list[Any] = []
    if column.name in key and not column.is_personal:
        tests += ["not_null", *(["unique"] if len(key) == 1 else [])]
    if f"{table}.{column.name}" in _VALUES:
        tests.append({"accepted_values": {"arguments": {"values": [*map(str, _VALUES[f"{table}.{column.name}"])]}}})
    if column.name == "_archive" and table != "archives":
        to = {"to": "source('cellar', 'archives')", "field": "reference"}
        tests.append({"relationships": {"arguments": to}})
    return found | ({"data_tests": tests} if tests else {})


if __name__ == "__main__":
    FILE.write_text(sources())
