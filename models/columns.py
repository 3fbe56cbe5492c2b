"""Column types that SQLite and Postgres share."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Index, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

# Few rows are ever validated. Pydantic makes the validator of a class of rows once it is asked for, and not at import.
SQLModel.model_config["defer_build"] = True

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON in which None is NULL: else a row would say `null` or NULL by the way in which it was written."""
AnyJson = JSON().with_variant(JSONB(), "postgresql")
"""JSON in which None is the value `null`, of columns that are never NULL."""


def table_of(row: type[SQLModel]) -> Table:
    """Return the table of a class of rows, for queries without the ORM."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


def by_name(*rows: type[SQLModel]) -> dict[str, type[SQLModel]]:
    """Return classes of rows by the names of their tables."""
    return {str(each.__tablename__): each for each in rows}


def text_index(table: str, column: str) -> Index:
    """Return an index on text of any length. Postgres refuses more than 2,700 bytes in a b-tree, but not in a hash."""
    return Index(f"ix_{table}_{column}", column, postgresql_using="hash")


def index_where(name: str, condition: str, *columns: str) -> Index:
    """Return an index on the rows that meet a condition. A query uses it if it states the condition with literals."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


class Moment(TypeDecorator[datetime]):
    """A point in time, with its zone when written and read, and stored in UTC, because SQLite would lose the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        moment: datetime | None = value
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
