"""Writes the sources of the dbt package from the catalogue and the pages about tables: `make dbt-sources`."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from domain.masking import MASK
from domain.personal import may_hide
from domain.tables.catalogue import ENTRY, LEAD, SOURCES, UNFIT, columns_of
from domain.tables.meanings import row_of
from models.archive.archive import State
from models.archive.content import Role
from models.discrepancies import DiscrepancyState
from models.messages.notification import NotificationState
from models.payments import Standing
from models.runs.receipt import Outcome
from models.tables import Column

FILE = Path(__file__).parents[1] / "deploy" / "dbt" / "models" / "sources.yml"
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
_NEWEST = "select coalesce(max({}), current_timestamp) from {{{{ this }}}}"
"""Nothing is late in an empty table, of which dbt would take the year 1."""


def sources() -> str:
    """Return the sources as YAML."""
    columns = {each: columns_of(each) for each in SOURCES}
    columns |= {"unfit_values": UNFIT[len(LEAD) :], "dictionary": ENTRY[len(LEAD) :]}
    tables = [_table(*each) for each in columns.items()]
    about = "Tables of cellar, from the lake or from the schema cellar_share; see docs/tables.md."
    source = {"name": "cellar", "description": about, "schema": "cellar_share", "config": {"meta": {"plugin": "delta"}}}
    whole = {"version": 2, "sources": [source | {"tables": tables}]}
    made = yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=1000, default_flow_style=None)
    return f"# Made by `make dbt-sources`.\n{made}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _table(name: str, columns: tuple[Column, ...]) -> dict[str, Any]:
    meta = {"delta_table_path": f"{{{{ env_var('DBT_LAKE_URL', 'data/lake') }}}}/{name}"}
    if name == "dictionary":
        meta["materialization"] = "table"  # a macro reads it, and views of the plugin are not there for macros
    config: dict[str, Any] = {"meta": meta}
    if name in _FRESH:
        config |= {"loaded_at_query": _NEWEST.format(_FRESH[name]), "freshness": _FRESHNESS}
    key = SOURCES[name].key if name in SOURCES else ()
    found: dict[str, Any] = {"name": name, "description": row_of(name), "config": config}
    if len(key) > 1:
        found["data_tests"] = [{"unique_together": {"arguments": {"columns": [*map(str, key)]}}}]
    return found | {"columns": [_column(name, each, key) for each in (*LEAD, *columns)]}


def _column(table: str, column: Column, key: tuple[str, ...]) -> dict[str, Any]:
    place = f"; `{column.place}` in the payload" if column.place else ""
    found: dict[str, Any] = {"name": str(column.name), "description": column.description + place}
    tests: list[Any] = []
    if column.name in key and not column.is_personal:
        is_whole = not may_hide(table, column.name)  # else null or the mask stands in some rows, as the setting says
        unique = "unique" if is_whole else {"unique": {"config": {"where": f"{column.name} <> '{MASK}'"}}}
        tests += [*(["not_null"] if is_whole else []), *([unique] if len(key) == 1 else [])]
    if f"{table}.{column.name}" in _VALUES:
        tests.append({"accepted_values": {"arguments": {"values": [*map(str, _VALUES[f"{table}.{column.name}"])]}}})
    if column.name == "_archive" and table != "archives":
        to = {"to": "source('cellar', 'archives')", "field": "reference"}
        tests.append({"relationships": {"arguments": to}})
    return found | ({"data_tests": tests} if tests else {})


if __name__ == "__main__":
    FILE.write_text(sources())
