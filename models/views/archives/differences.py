"""Differences between two versions as the JSON API shows them."""

from pydantic import BaseModel, JsonValue


class ValuesView(BaseModel):
    """A member's value in each of two versions, or null if a version has no value."""

    before: JsonValue
    after: JsonValue


class DifferenceView(BaseModel):
    """A thing that only one version has, or that differs. `withheld` names members that differ and are not shown."""

    kind: str
    key: str
    change: str
    members: dict[str, ValuesView]
    withheld: tuple[str, ...]
