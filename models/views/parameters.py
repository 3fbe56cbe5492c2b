"""Types of parameters that both databases accept: moments, integers, texts. Bodies of requests that act. Pages."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, to_json


class RequestBody(pydantic.BaseModel):
    """The JSON body of a request that acts. Its values have the types that are described, and no member is unknown.

    A guess would act: `{"dry_run": 0}` is not `false`, and a misspelled filter would match more. The routes get the
    body as Python values, among which pydantic's strict mode knows no enums and times. So it is checked as JSON.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_strictly(cls, sent: Any, info: pydantic.ValidationInfo) -> Any:
        if info.mode == "python" and isinstance(sent, dict):
            cls.model_validate_json(to_json(sent, inf_nan_mode="constants"), strict=True, extra="forbid")
        return sent


_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]|$)")
"""How a time begins. Python reads 1712101612345, the milliseconds since 1970 of a day in 2024, as one of 1712."""

_TIME = pydantic.TypeAdapter(datetime)


def _read_time(sent: object) -> object:
    """Read a time, also where bodies are read strictly. Refuse what pydantic would take for the seconds since 1970."""
    if isinstance(sent, datetime):
        return sent
    if isinstance(sent, str) and _DATED.match(sent.strip()):
        try:
            return _TIME.validate_python(sent)
        except pydantic.ValidationError:  # pydantic says it with its place
            return sent
    raise PydanticCustomError("datetime_form", "expected a time with zone, like 2026-11-24T00:00Z")


_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = ("today", "yesterday")


def read_moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the time that a person means by `2026-11-24`, `2026-11-24T10:30`, `yesterday` or `7d`, in UTC. Pure.

    A day stands for its beginning, and an age for the time so long ago. Without a zone, the time is one of `zone`.

    Raises ValueError if the text is none of these, or no such day exists. It says what is understood.
    """
    said = text.strip().lower()
    try:
        if said in _DAYS:
            day = now.astimezone(zone).date() - timedelta(days=_DAYS.index(said))
            return _in_utc(datetime.combine(day, time(), zone))
        if ago := _AGO.fullmatch(said):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if _DATED.match(said):
            found = datetime.fromisoformat(said.upper())
            return _in_utc(found if found.tzinfo else found.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        pass
    known = "expected a time like 2026-11-24, 2026-11-24T10:30, 2026-11-24T10:30Z, today, yesterday, 7d or 2h"
    raise ValueError(f"{known}; a time without a zone is one of {zone}")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[pydantic.AwareDatetime, pydantic.BeforeValidator(_read_time), pydantic.AfterValidator(_in_utc)]


def _read_day(sent: object) -> object:
    """Read a day, also where bodies are read strictly."""
    try:
        return date.fromisoformat(sent) if isinstance(sent, str) else sent
    except ValueError:
        raise PydanticCustomError("day_form", "expected a day like 2027-12-31") from None


Day = Annotated[date, pydantic.BeforeValidator(_read_day)]

Integer = Annotated[int, pydantic.Field(ge=-(1 << 63), le=(1 << 63) - 1)]

Text = Annotated[str, pydantic.Field(pattern=r"^[^\x00]*$")]
"""Text without NUL, which Postgres refuses. The pattern spells NUL, since Prefect keeps it in a Postgres too."""

Statement = Annotated[
    str, pydantic.StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")
]

NOT_KEPT = "a name for your own logs; the record names the token"


class Client(RequestBody):
    """The person or program that acts."""

    by: Text | None = pydantic.Field(None, max_length=100, description=NOT_KEPT)


class ActionView(pydantic.BaseModel):
    """Who did what, and when."""

    at: datetime
    by: str
    what: str


class Dismissal(RequestBody):
    """Why a process is not missing, or a refused body needs nobody, and who says so."""

    by: Text = pydantic.Field("", description=NOT_KEPT)
    why: Statement


Cursor = Annotated[str, pydantic.Field(json_schema_extra={"format": "cursor"})]
"""Where a page of a list begins. `adapters/database/listing.py` makes and reads it."""


class PageQuery(pydantic.BaseModel):
    """Which page of a list."""

    cursor: Cursor | None = pydantic.Field(None, description="`next` of the page before")
    limit: int = pydantic.Field(50, ge=1, le=500, description="items per page, at most 500")


Item = TypeVar("Item")


class Page(pydantic.BaseModel, Generic[Item]):
    """A page of a list. `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None


def type_of(info: FieldInfo) -> Any:
    """Return the type of a filter's single value: of `list[Text]` and of `State | None` alike."""
    of = info.annotation
    while get_origin(of) is not None:
        origin, arguments = get_origin(of), get_args(of)
        kept = [each for each in arguments if each is not type(None)]
        if origin not in (Union, UnionType, list) and not hasattr(of, "__metadata__"):
            break
        of = kept[0]
    return of


def is_list(info: FieldInfo) -> bool:
    """Return whether a filter takes several values."""
    return get_origin(info.annotation) is list
