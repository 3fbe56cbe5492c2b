"""What archives are found by: a text and facets for each archive, in the order of the list; and what is filled in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import BigInteger, Index, Integer
from sqlmodel import Field, SQLModel

from models.templates import PartId

MOST_FACETS = 2000
"""The most facets of one kind that an archive is found by. An archive may have 100,000 values."""

EntryId = BigInteger().with_variant(Integer, "sqlite")
"""On SQLite, only an INTEGER is the number of its row, by which the text index finds it."""

TEXT_INDEX = frozenset({"search_text", "search_text_config", "search_text_data", "search_text_idx"})
"""The tables of SQLite's text index. Triggers keep it equal to the entries, also while rows are copied."""


class Kind(StrEnum):
    """What a facet is about. Facets of one kind are replaced together."""

    ATTENTION = "attention"
    CAUSE = "cause"
    CONDITION = "condition"
    DISCREPANCY = "discrepancy"
    FIELD = "field"
    FILENAME = "filename"
    LABEL = "label"
    PERSON = "person"
    PROCESS_NUMBER = "process_number"
    SESSION = "session"
    SIGNER = "signer"
    SOURCE = "source"
    SOURCES = "sources"
    STANDING = "standing"
    STATE = "state"
    TEMPLATE = "template"
    TRANSACTION_NUMBER = "transaction_number"
    VERDICT = "verdict"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Searchable:
    """Which labels and form fields archives are found by, by key and id. `*` stands for all of them. `zone` is that of
    the days that archives are found by.
    """

    labels: frozenset[str]
    fields: frozenset[str]
    zone: str = "UTC"

    def with_parts(self, parts: Iterable[PartId]) -> "Searchable":
        """Return what archives are found by that are also found by some fields and labels."""
        named: dict[str, set[str]] = {"label": set(), "field": set()}
        for kind, _, name in (each.partition(":") for each in parts):
            named[kind].add(name)
        return replace(self, labels=self.labels | named["label"], fields=self.fields | named["field"])


class SearchEntryRow(SQLModel, table=True):
    """The entry of an archive. `id` grows with the time at which the archive was received (`domain/search.py`).

    `text` is what `q` looks in, normalised. `title` is the JSON of a `Title`. `version` says how text, title and facets
    were made; 0 is none of the versions.
    """

    __tablename__ = "search_entry"

    id: int = Field(primary_key=True, sa_type=EntryId, sa_column_kwargs={"autoincrement": False})
    reference: str = Field(max_length=255, unique=True)
    text: str = ""
    title: str | None = None
    version: int = Field(index=True, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class SearchFacetRow(SQLModel, table=True):
    """A value by which an archive is found. `facet` is a digest of kind, name and value (`domain/search.py`).

    The index has all archives of a value in the order of the list. So a page of them is read from the index alone, and
    a long value takes as little room as a short value.
    """

    __tablename__ = "search_facet"
    __table_args__ = (Index("ix_search_facet_facet", "facet", "entry_id"), {"sqlite_with_rowid": False})

    entry_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(primary_key=True, max_length=24)
    facet: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})


class FacetValueRow(SQLModel, table=True):
    """The value of a field or a label that is a facet of a template, as lists show it. `name`: its id or key.

    It stands here once, however many archives have it; an archive's facet is its digest.
    """

    __tablename__ = "facet_value"

    facet: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(max_length=24)
    name: str
    value: str


class DerivedRow(SQLModel, table=True):
    """How far a kind of content that follows from other rows is filled in, archive by archive, by reference.

    `last` is the last archive that is done, None once all are. `lacking` is how many archives lack the content.
    """

    __tablename__ = "derived"

    kind: str = Field(primary_key=True, max_length=24)
    version: int = Field(sa_type=BigInteger)
    last: str | None = Field(default=None, max_length=255)
    lacking: int
