"""Types of parameters: moments, integers and texts that both databases accept."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


Integer = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]


Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Text without NUL, which Postgres refuses. The pattern spells NUL, since Prefect keeps it in a Postgres too."""


Statement = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")
]
