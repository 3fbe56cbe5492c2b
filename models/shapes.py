"""Shapes of archives: which members their payloads have and of which types, and how a template's shape changes."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Index
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from models.columns import Moment, index_where


class DriftCode(StrEnum):
    """How a template's shape has changed: a member appears or vanishes, has another type, or another choice."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    RETYPED = "retyped"
    CHOICE_ADDED = "choice_added"


class ShapeRow(SQLModel, table=True):
    """The shape of an archive's current version, made at `made_at` by Cellosign's clock.

    `template` is the facet of its template, 0 without one. `members` has a bit for each `number` of `ShapeMemberRow`,
    the lowest first. Both are so from when the radar has looked at the version; until then `members` is null.
    """

    __tablename__ = "shape"
    __table_args__ = (
        Index("ix_shape_template", "template", "made_at"),
        index_where("ix_shape_due", "members IS NULL", "made_at"),
    )

    reference: str = Column(primary_key=True, max_length=255)
    template: int = Column(sa_type=BigInteger)
    version: int
    made_at: datetime = Column(sa_type=Moment)
    members: bytes | None = None


class ShapeMemberRow(SQLModel, table=True):
    """A member of a template's archives, of one type, with the first archive that had it and its place there.

    `code`: how the shape changed by it, last; `since` an archive of `reference` and `place`. `is_open`: both shapes are
    among the newest archives, and nobody has said that they have seen it. `is_relied`: a title, facet, retention or
    payment is read from the member. `told`: which `since` an event has told. `number` counts those of a template, and
    `parent` is the path of the object.
    """

    __tablename__ = "shape_member"

    template: int = Column(primary_key=True, sa_type=BigInteger)
    number: int = Column(primary_key=True)
    template_id: str
    path: str
    parent: str
    type: str = Column(max_length=48)
    place: str
    reference: str = Column(max_length=255)
    first_at: datetime = Column(sa_type=Moment)
    code: str | None = Column(default=None, max_length=16)
    since: datetime | None = Column(default=None, sa_type=Moment)
    is_open: bool = False
    is_relied: bool = False
    told: datetime | None = Column(default=None, sa_type=Moment)


class ShapeMemberView(BaseModel):
    """A member of the payload, wherever it stands in the archives of a template."""

    path: str = Field(
        description="the place in the payload, with `[]` for any element, and `data[ID]` for a form field"
    )
    types: list[str] = Field(
        description="JSON types; what texts of form fields look like; the declared type of a field"
    )
    choices: int = Field(description="number of different choices, up to 20")
    coverage: float = Field(description="the share of the newest archives that have it with a value")
    first_at: datetime = Field(description="when Cellosign made the first archive that has it")


class DriftView(BaseModel):
    """A change of a template's shape."""

    code: DriftCode
    version: int = Field(description="the number of the shape that began then; the first shape is 1")
    path: str
    type: str = Field(description="the type that is new, or was usual")
    since: datetime = Field(
        description="when Cellosign made the archive that shows it: the first with it, or the twentieth without"
    )
    reference: str = Field(description="that archive, as an example")
    place: str = Field(description="where it stands there, or would stand")
    is_relied: bool = Field(description="whether a title, a facet, the retention or a payment is read from it")
    is_open: bool = Field(description="whether it is new, and nobody has said that they have seen it")


class ShapeView(BaseModel):
    """The shape of a template: its members, as its newest archives have them, and how it has changed."""

    learned_from: int = Field(description="the number of its newest archives that coverage is of, by Cellosign's clock")
    members: list[ShapeMemberView] = Field(description="the members, those that are filled most first, 1,000 at most")
    changes: list[DriftView] = Field(description="the changes, newest first, 200 at most")
