"""Form fields: the elements of the form, with their values and their places on the signed PDF."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Json


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form.

    `top`, `left`, `width` and `height` are positions on the page as Cellosign sends them, without a documented unit.
    `latitude` and `longitude` come from the value of a `location` field, in degrees. Card numbers in `value` and `meta`
    are masked. `unmasked` holds the originals of masked members for comparing; it is never shown or stored.
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
