"""What differs between two versions, as the JSON API shows it."""

from pydantic import BaseModel, JsonValue


class ValuesView(BaseModel):
    """A member's value in each of two versions, null where it has none."""

    before: JsonValue
    after: JsonValue


class DifferenceView(BaseModel):
    """What is in one of two versions only, or differs. `withheld` names members that differ and are not shown."""

    kind: str
    key: str
    change: str
    members: dict[str, ValuesView]
    withheld: tuple[str, ...]
