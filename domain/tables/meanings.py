"""Reads what the columns of the catalogue mean from the tables of docs/tables.md, so that it is said once."""

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


def _page() -> str:
    packaged = Path(__file__).with_name("tables.md")
    return (packaged if packaged.exists() else Path(__file__).parents[2] / "docs" / "tables.md").read_text("utf-8")


_MEANINGS: dict[str, str] = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", _page(), re.MULTILINE))
_ROWS = {
    name: row
    for names, rows in reversed(re.findall(r"^\| `([a-z_`, ]+)` \| (.*) \|$", _page(), re.MULTILINE))
    for name, row in zip(names.split("`, `"), rows.split("; "), strict=False)
}
"""The tables stand before columns of the same names."""
