"""Form fields: the elements of the form with what was entered and where they stand on the signed PDF."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Json


@dataclass(frozen=True, slots=True)
class FormField:
    """`top`, `left`, `width` and `height` are positions on the page as Cellosign gives them; its page has no unit for
    them. `latitude` and `longitude` are the numbers in a `location` field's value, in degrees.

    In `value` and `meta` the numbers of cards are masked. `unmasked` has those of the two in which one is, as they were
    sent: for comparing only, they are never shown or kept.
    """

    id: str | None
    type: str | None
    value: Any
    visible: bool | None
    page: int | None
    top: float | None
    left: float | None
    width: float | None
    height: float | None
    meta: dict[str, Any]
    latitude: float | None
    longitude: float | None
    unmasked: Mapping[str, Any] = field(default_factory=dict, repr=False)


class FormFieldRow(SQLModel, table=True):
    __tablename__ = "form_field"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    id: str | None = None
    type: str | None = None
    value: Any = Field(default=None, sa_type=Json)
    visible: bool | None = None
    page: int | None = Field(default=None, sa_type=BigInteger)
    top: float | None = None
    left: float | None = None
    width: float | None = None
    height: float | None = None
    meta: dict[str, Any] = Field(sa_type=Json)
    latitude: float | None = None
    longitude: float | None = None
