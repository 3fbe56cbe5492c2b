"""Compares the rows of the database with those that the store gives, without repeating a value."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that differs, by its place among the rows of its table. `columns` are the differing columns; none for a row
    that only the store has (`is_missing`) or only the database.
    """

    place: str
    columns: tuple[str, ...] = ()
    is_missing: bool = False

    def __str__(self) -> str:
        row = f"row {self.place}" if self.place else "the row"
        if self.columns:
            return f"has another {', '.join(self.columns)} in {row}"
        return f"lacks {row}" if self.is_missing else f"has an unknown {row}"


def row_differences(
    key_columns: Sequence[str], said: Iterable[Row], recorded: Iterable[Row]
) -> Iterator[RowDifference]:
    """Compare the rows that the store gives with recorded rows of the same archive and table, by their keys. Pure.

    Only columns that the store gives are compared: other columns are not derived from it. A member of a JSON value that
    is empty is equal to a missing member, which an older build did not know.
    """
    left = {_key(row, key_columns): row for row in said}
    for row in recorded:
        key = _key(row, key_columns)
        expected = left.pop(key, None)
        if expected is None:
            yield RowDifference(_place(key))
        elif columns := tuple(name for name, value in expected.items() if not _is_equal(value, row[name])):
            yield RowDifference(_place(key), columns)
    for key in left:
        yield RowDifference(_place(key), is_missing=True)


def _key(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)


def _place(key: tuple[Any, ...]) -> str:
    """Return a key for people: ids and positions, never people's own text."""
    return "-".join(map(str, key))


def _is_equal(said: Any, recorded: Any) -> bool:
    return bool(said == recorded) or _plain(said) == _plain(recorded)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, without empty members."""
    return value if isinstance(value, date | bytes) else _without_empty(json.loads(json.dumps(value, default=str)))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        members = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if each not in (None, [], {})}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value
