"""Checks of an installation as the command line shows them, and its anchors as the JSON API does."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field


class Grade(StrEnum):
    """The result of a check. `off`: the settings do not use it, or it has not happened yet."""

    OK = "ok"
    OFF = "off"
    WARNING = "warning"
    WRONG = "wrong"


class Check(BaseModel):
    """What a check found, as a code with its values and in English, and what a person should do about it."""

    name: str
    verdict: Grade
    code: str
    values: dict[str, Any]
    found: str
    to_do: str = ""


class AnchorView(BaseModel):
    """An anchor, for a program of an auditor that proves it: nothing here is proved by cellar."""

    number: int
    statement: str = Field(description="The text whose digest is the root.")
    signature: str = Field(description="The signature over the text, in base64. Empty if the anchor is damaged.")
    key: str = Field(description="The public key as PEM. Empty if the anchor is damaged.")


class AnchorPage(BaseModel):
    """A page of anchors, the oldest first. `next` is the cursor of the following page."""

    items: list[AnchorView]
    next: int | None
