"""Checks of an installation as the command line shows them."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel


class Verdict(StrEnum):
    """The result of a check. `off`: the settings do not use it, or it has not happened yet."""

    OK = "ok"
    OFF = "off"
    WARNING = "warning"
    WRONG = "wrong"


class Check(BaseModel):
    """What a check found, as a code with its values and in English, and what a person should do about it."""

    name: str
    verdict: Verdict
    code: str
    values: dict[str, Any]
    found: str
    to_do: str = ""
