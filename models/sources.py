"""Sources: the projects of Cellosign, and their clocks.

Payloads do not name their project; the URL does to which they are sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from models.payments import AmountUnit
from models.retention import KEEP, RetentionRule


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """What an installation knows about a source and no payload states.

    Cellosign deletes a process `purged_after_success` after its success, and `purged_after_failure` after its failure.
    An archive is missing `archived_within` after its form was submitted. The receiver takes bodies from
    `addresses` alone, if there are any, and with a signature in the header `signature`, if it is named. Archives whose
    template states no `retention` have that of their source.

    Source: Cellosign deletes after 48 hours and 7 days, unless it agreed on others with the source.
    """

    timezone: str
    amount_unit: AmountUnit
    purged_after_success: timedelta = timedelta(hours=48)
    purged_after_failure: timedelta = timedelta(hours=168)
    archived_within: timedelta = timedelta(hours=1)
    addresses: tuple[str, ...] = ()
    signature: str = ""
    retention: RetentionRule = KEEP


def is_zone(name: str) -> bool:
    """Return whether a time zone of this name is known here, such as Asia/Jerusalem."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False
    return True


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("expected a time zone such as Asia/Jerusalem")
    return name


SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
"""A short name that stands in a URL: small letters, digits and hyphens, 40 at most."""


def split_at_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(each)) for each in texts)
    except ValueError:
        raise ValueError("expected addresses or networks with commas between, like 192.0.2.7,198.51.100.0/24") from None


Networks = Annotated[tuple[str, ...], BeforeValidator(split_at_commas), AfterValidator(_networks)]
"""Networks of IPv4 and IPv6. As text, they have commas between."""
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class StatedTerms(BaseModel):
    """The terms that a source states of its own. None: the setting of the same name applies, which for `addresses` is
    that of webhooks; or the default where there is none.
    """

    model_config = ConfigDict(frozen=True)

    timezone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        None, description="time zone of its timestamps, like Asia/Jerusalem"
    )
    amount_unit: AmountUnit | None = Field(None, description="unit of its amounts: minor (agorot) or major (shekels)")
    success_purge_h: int | None = Field(
        None, ge=1, le=8760, description="hours until Cellosign deletes a process that succeeded"
    )
    failure_purge_h: int | None = Field(
        None, ge=1, le=8760, description="hours until Cellosign deletes a process that failed"
    )
    archived_within_s: float | None = Field(
        None, gt=0, le=8760 * 3600, description="seconds after which a submitted process is missing"
    )
    addresses: Networks | None = Field(None, description="networks from which it may send, with commas between")
    signature: HeaderName | None = Field(None, description="header that must have the signature of each body")
    retention: RetentionRule | None = Field(
        None, description="how long archives are kept, like `erase after 7 years`, where their template says nothing"
    )


class SourceSecret(BaseModel):
    """A secret of a source, by its SHA-256 in hex. It opens until a time; None: until it is replaced."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    made_at: AwareDatetime
    until: AwareDatetime | None = None


class Source(BaseModel):
    """A source as the store keeps it. `secrets`: the newest first. A disabled source opens for no secret."""

    model_config = ConfigDict(frozen=True)

    name: SourceName
    created_at: AwareDatetime
    created_by: str
    secrets: tuple[SourceSecret, ...]
    terms: StatedTerms = StatedTerms()
    disabled_at: AwareDatetime | None = None
    disabled_by: str | None = None

    def digests_at(self, now: datetime) -> list[str]:
        """Return the digests of the secrets that open the source at a time."""
        if self.disabled_at:
            return []
        return [each.sha256 for each in self.secrets if each.until is None or each.until > now]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An arrival from a source: the time that it states, as read in its zone, and the time at which it came."""

    event_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ClockFault:
    """Arrivals whose times only another zone explains: `explained` of `arrivals`.

    `ahead_s` is how much later than they arrived they claim to be, in seconds; negative if earlier.
    """

    zone: str
    better_zone: str
    explained: int
    arrivals: int
    ahead_s: int


@dataclass(frozen=True, slots=True)
class ClockWarning:
    """A source whose clock is wrong by a zone: what was found, and what to do."""

    source: str
    fault: ClockFault
    found: str
    to_do: str
