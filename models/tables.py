"""Tables for data teams: their columns, how these are typed, and what stands in place of what is personal."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import FromClause, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.templates import Names

NO_NAMES = Names()
MOST_COLUMNS = 5000
"""The most fields of a template that have a column."""


class ColumnType(StrEnum):
    """The type of a column. `choice` is text of few values; a location is two columns of degrees.

    `number` and `time`, a moment in UTC, are types of columns that no form has.
    """

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LOCATION = "location"
    NUMBER = "number"
    TIME = "time"


class Treatment(StrEnum):
    """What a role gets of personal columns. `keyed`: equal keys in place of equal values, for joins."""

    WHOLE = "whole"
    LEFT_OUT = "left_out"
    MASKED = "masked"
    KEYED = "keyed"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `place` is where its values stand in the payload; empty: cellar itself knows them.

    `names` are those that people gave to a field, for comments and dictionaries. `table` is that of the catalogue.
    """

    name: str
    type: ColumnType
    description: str
    place: str = ""
    is_personal: bool = False
    names: Names = NO_NAMES
    table: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A column with the share of rows that have a value in it, of so many `rows` of its table, and when the archives of
    the first and the last of these arrived; None where nothing was counted.
    """

    column: Column
    rows: int | None = None
    filled: float | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where the rows of a table stand: in a table or a query of the database. `key` orders them.

    Rows that are of an archive name it by `reference`, and some their own receipt by `receipt_id`; else it is that of
    the current version.
    """

    of: FromClause
    key: tuple[str, ...]

    @property
    def is_of_archives(self) -> bool:
        return "reference" in self.of.c


class FormColumnRow(SQLModel, table=True):
    """The column of a field of a template: its name for good, and its type so far, which is only ever widened.

    `key` is the digest of the field's id and of its `occurrence` among fields of the same id in an archive, from 0.
    `number` orders the columns. `type` is None as long as no archive has a value beside coordinates; if `is_location`,
    there are columns of these. `is_personal`: a value of it is personal, unless people deny it.
    """

    __tablename__ = "form_column"
    __table_args__ = (UniqueConstraint("table_name", "name"),)

    table_name: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=64)
    template_id: str
    element: str | None = None
    occurrence: int = 0
    name: str = Field(max_length=64)
    number: int
    type: str | None = Field(default=None, max_length=16)
    is_location: bool = False
    is_personal: bool = False
