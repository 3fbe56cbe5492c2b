"""Reads what tables and columns of the catalogue mean from docs/tables.md and columns.md, so that it is said once."""

import re
from pathlib import Path


def meaning_of(table: str, column: str) -> str:
    """Return what a column means, in English: of this table, if it means something else elsewhere.

    Raises KeyError if the page does not say it.
    """
    return _MEANINGS.get(f"{table}.{column}") or _MEANINGS[column]


def row_of(table: str) -> str:
    """Return what a row of a table of the catalogue is, in English. Raises KeyError if the page does not say it."""
    return f"a row for each {_ROWS[table]}"


def _page(name: str) -> str:
    packaged = Path(__file__).with_name(name)
    return (packaged if packaged.exists() else Path(__file__).parents[2] / "docs" / name).read_text("utf-8")


_MEANINGS: dict[str, str] = dict(
    re.findall(r"^\| `([\w.]+)` \| (.*) \|$", _page("tables.md") + _page("columns.md"), re.MULTILINE)
)
_ROWS = {
    name: row
    for names, rows in reversed(re.findall(r"^\| `([a-z_`, ]+)` \| (.*) \|$", _page("tables.md"), re.MULTILINE))
    for name, row in zip(names.split("`, `"), rows.split("; "), strict=False)
}
"""The tables stand before columns of the same names."""
