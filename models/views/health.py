"""Checks of an installation as the command line shows them."""

from enum import StrEnum

from pydantic import BaseModel


class Verdict(StrEnum):
    """The result of a check. `off`: the settings do not use it, or it has not happened yet."""

    OK = "ok"
    OFF = "off"
    WARNING = "warning"
    WRONG = "wrong"


class Check(BaseModel):
    """What a check found, and what a person should do about it."""

    name: str
    verdict: Verdict
    found: str
    to_do: str = ""
