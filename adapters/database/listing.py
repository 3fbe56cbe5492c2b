"""Reads lists in pages: each page ends with a cursor, after which the next page begins."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Date, Integer, Row, and_, or_
from sqlmodel import Session, SQLModel, col

from models.columns import Moment
from models.errors import Refused


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by `first`, then by `key`, which is unique. Values of `first` contain no space."""

    first: Any
    key: Any
    is_descending: bool = False

    def columns(self) -> tuple[Any, Any]:
        return (self.first.desc(), self.key.desc()) if self.is_descending else (self.first, self.key)


def listed(
    session: Session, statement: Any, order: Order, cursor: str | None, limit: int
) -> tuple[Sequence[Any], str | None]:
    """Return up to `limit` rows after a cursor, in order, and the cursor of the next page, None on the last page.

    Args:
        statement: A select whose rows are table rows, tuples that begin with a table row, or columns with the order's.

    Raises:
        Refused: the cursor is not from a page of this list.
    """
    if cursor is not None:
        statement = statement.where(_behind(cursor, order))
    rows = session.exec(statement.order_by(*order.columns()).limit(limit + 1)).all()
    return rows[:limit], _cursor(rows[limit - 1], order) if len(rows) > limit else None


def equal_to(row: type[SQLModel], query: BaseModel, *names: str) -> list[ColumnElement[bool]]:
    """Return the conditions that columns of a row equal the filters of the same name that are set."""
    return [col(getattr(row, name)) == getattr(query, name) for name in names if getattr(query, name) is not None]


def _cursor(row: Any, order: Order) -> str:
    noun = row[0] if isinstance(row, Row) and isinstance(row[0], SQLModel) else row
    return cursor_after(getattr(noun, order.first.key), getattr(noun, order.key.key))


def cursor_after(first: Any, key: Any) -> str:
    """Return the cursor behind a row with these values of the columns of an order."""
    text = first.isoformat() if isinstance(first, datetime) else first
    return base64.urlsafe_b64encode(f"{text} {key}".encode()).decode()


def _behind(cursor: str, order: Order) -> ColumnElement[bool]:
    try:
        text, key_text = _read(cursor)
        first, key = _value(order.first, text), _value(order.key, key_text)
    except (ValueError, OverflowError) as error:
        raise _no_cursor() from error
    if order.is_descending:
        return or_(order.first < first, and_(order.first == first, order.key < key))
    return or_(order.first > first, and_(order.first == first, order.key > key))


def _read(cursor: str) -> tuple[str, str]:
    text, _, key_text = base64.urlsafe_b64decode(cursor).decode().partition(" ")
    return text, key_text


def _value(column: Any, text: str) -> Any:
    """Return the value of a column in a cursor."""
    if "\0" in text:  # Postgres does not accept NUL
        raise ValueError("no row has NUL in its key")
    if isinstance(column.type, Integer):
        if not -(1 << 31) <= int(text) < 1 << 31:
            raise ValueError("no row has this number")
        return int(text)
    if isinstance(column.type, Date):
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(column.type, Moment) else text


def id_cursor(number: int) -> str:
    """Return the cursor of a list that is ordered by a number alone."""
    return cursor_after(number, number)


def id_of_cursor(cursor: str) -> int:
    """Return the number after which a page begins. Raises Refused if the cursor is not from a page of such a list."""
    try:
        text, key_text = _read(cursor)
        number = int(key_text)
        if text != key_text or not -(1 << 63) <= number < 1 << 63:
            raise ValueError("no row has this number")
    except ValueError as error:
        raise _no_cursor() from error
    return number


def _no_cursor() -> Refused:
    return Refused("BAD_PARAMETER", "expected a cursor from `next` of the previous page", where="cursor")
