"""Legal holds as the JSON API, the console and the command line show them."""

from datetime import date, datetime

from pydantic import BaseModel

from models.views.parameters import Day, RequestBody, Statement, Text


class Holding(RequestBody):
    """Why an archive is put on hold, and until when. `until` is the last day, null for until somebody releases it."""

    reason: Statement
    until: Day | None = None


class Releasing(RequestBody):
    """Why a hold is released; `hold_id` is null for all of the archive."""

    reason: Statement | None = None
    hold_id: Text | None = None


class HoldsChanged(BaseModel):
    """How many holds were put or released."""

    holds: int


class HoldView(BaseModel):
    """A legal hold. While it is in force, nobody can erase its archive, and the archive is not due."""

    hold_id: str
    reference: str
    in_force: bool
    reason: str
    by: str
    at: datetime
    until: date | None
    released_by: str | None
    released_at: datetime | None
    released_reason: str | None
