"""Adds and changes sources, says on what terms they send, and warns of clocks that are wrong by a time zone.

A secret is made here, shown once to its caller, and kept as a digest alone.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from adapters.database.transactions import writing
from adapters.search import entries
from adapters.settings.digests import digest_of, keyed_digest
from adapters.settings.settings import settings
from adapters.store import sources
from adapters.tables import clocks
from adapters.tables.archives import archives
from domain.completeness.clock import clock_fault
from models.errors import Refused
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import ClockFault, ClockWarning, Source, SourceName, SourceSecret, StatedTerms
from services import derived

_MOST_SECRETS = 5


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A source with its new secret, which nobody can show again."""

    source: Source
    secret: str


def add(name: str, terms: StatedTerms, by: str, now: datetime) -> WithSecret:
    """Add a source, and return it with its secret.

    Raises:
        Refused: the name is no name, or taken.
        Conflict: somebody else adds it at the same time.
    """
    _check_name(name)
    secret = _new_secret()

    def _added(before: Source | None) -> Source:
        if before:
            raise Refused("SOURCE_EXISTS", f"the source {name} exists; `cellar sources rotate NAME` makes a secret")
        return Source(name=name, created_at=now, created_by=by, secrets=(_kept(secret, now),), terms=terms)

    return WithSecret(sources.RECORDS.change(name, _added), secret)


def set_terms(name: str, stated: Mapping[str, object]) -> Source:
    """Change some terms of a source; a term that is None is that of the settings again. Workers apply another retention
    to its archives. Raises as `rotate` does.
    """

    def _changed(before: Source) -> Source:
        terms = StatedTerms.model_validate(before.terms.model_dump() | dict(stated))
        return before.model_copy(update={"terms": terms})

    before = sources.terms_of(name).retention
    changed = _change(name, _changed)
    if sources.terms_of(name).retention != before:
        with writing() as session:
            derived.lock(session)
            entries.outdate(session, name)
            derived.begin_within(session)
    return changed


def rotate(name: str, overlap: timedelta, now: datetime) -> WithSecret:
    """Give a source a new secret. The secrets before it open until the overlap has passed.

    Raises:
        Refused: there is no such source.
        Conflict: the record is damaged, or somebody else changes the source at the same time.
    """
    secret, end = _new_secret(), now + overlap

    def _rotated(before: Source) -> Source:
        ends = [(each, min(each.until or end, end)) for each in before.secrets]
        kept = [each.model_copy(update={"until": until}) for each, until in ends if until > now]
        return before.model_copy(update={"secrets": (_kept(secret, now), *kept[: _MOST_SECRETS - 1])})

    return WithSecret(_change(name, _rotated), secret)


def disable(name: str, by: str, now: datetime) -> Source:
    """Let a source open for no secret. Its archives stay. Raises as `rotate` does."""
    return _change(
        name,
        lambda found: found if found.disabled_at else found.model_copy(update={"disabled_at": now, "disabled_by": by}),
    )


def enable(name: str) -> Source:
    """Let a disabled source open again for the secrets that it has. Raises as `rotate` does."""
    return _change(name, lambda found: found.model_copy(update={"disabled_at": None, "disabled_by": None}))


def check_known(name: str) -> None:
    """Check that a source exists. Raises Refused if it does not."""
    if name != DEFAULT_SOURCE and name not in sources.RECORDS.refresh():
        raise _unknown(name)


def check_filter(name: str | None) -> None:
    """Check the source that a filter names. A source is known by its archives too, since its record may be lost.

    Raises Refused if there is no such source; the error names the sources that there are.
    """
    if name in (None, DEFAULT_SOURCE) or archives.has_source(name) or name in (known := sources.RECORDS.refresh()):
        return
    names = ", ".join(sorted({DEFAULT_SOURCE, *known}))
    raise Refused("BAD_PARAMETER", f"no source has this name; known are {names}", where="source", status=404)


def url_of(name: str) -> str:
    """Return the URL to enter in Cellosign."""
    return f"{settings().receiver_url}/webhooks/cellosign/{name}"


def secrets_of(source: Source | None) -> Sequence[SourceSecret]:
    """Return all secrets of a source; for None, those of the source `default`, whose ages nobody knows."""
    if source:
        return source.secrets
    return [_kept(each, datetime.min.replace(tzinfo=UTC)) for each in settings().active_webhook_secrets()]


def mark_of(digest: str) -> str:
    """Return what stands for a secret in tokens and in the record of its uses."""
    return keyed_digest("mark", digest)


def signing_keys(name: str) -> list[str]:
    """Return the keys of which one signs a body of a source, that of the newest secret first.

    Raises Refused if there is no such source.
    """
    check_known(name)
    found = None if name == DEFAULT_SOURCE else sources.RECORDS.held()[name]
    now = datetime.now(UTC)
    return [signing_key_of(each.sha256) for each in secrets_of(found) if each.until is None or each.until > now]


def signing_key_of(digest: str) -> str:
    """Return the key that signs bodies while a secret is valid. It follows from the secret's digest and a key of the
    installation, so neither the store nor a copy of a request has it.
    """
    return keyed_digest("signature", digest)


def _change(name: str, changed: Callable[[Source], Source]) -> Source:
    if name == DEFAULT_SOURCE:
        detail = (
            "the source default has the secrets and terms of the settings: CELLAR_WEBHOOK_SECRETS, CELLAR_TIMEZONE, …"
        )
        raise Refused("DEFAULT_SOURCE", detail)
    _check_name(name)

    def _of_a_known(before: Source | None) -> Source:
        if before is None:
            raise _unknown(name)
        return changed(before)

    return sources.RECORDS.change(name, _of_a_known)


def _unknown(name: str) -> Refused:
    detail = f"no source has the name {name}; `cellar sources list` shows the names"
    return Refused("UNKNOWN_SOURCE", detail, status=404)


def _check_name(name: str) -> None:
    try:
        TypeAdapter(SourceName).validate_python(name)
    except ValidationError:
        expected = "expected a name of small letters, digits and hyphens, at most 40, like retail-il"
        raise Refused("BAD_NAME", expected) from None
    if name == DEFAULT_SOURCE:
        raise Refused("DEFAULT_SOURCE", "the source default exists: it is the URL without a name; choose another name")


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _kept(secret: str, now: datetime) -> SourceSecret:
    return SourceSecret(sha256=digest_of(secret), made_at=now)


_LOOKED_BACK = timedelta(days=14)


def clock_warning(source: str, now: datetime | None = None) -> ClockWarning | None:
    """Return the warning that the clock of a source is wrong by a zone, None if there is none."""
    zone = sources.terms_of(source).timezone
    fault = clock_fault(clocks.arrivals(source, (now or datetime.now(UTC)) - _LOOKED_BACK), zone)
    return _warning(source, fault) if fault else None


def clock_warnings(now: datetime | None = None) -> list[ClockWarning]:
    """Return the warnings of all sources that are known, by name."""
    at = now or datetime.now(UTC)
    found = (clock_warning(source, at) for source in sorted({DEFAULT_SOURCE, *sources.RECORDS.held()}))
    return [each for each in found if each is not None]


def _warning(source: str, fault: ClockFault) -> ClockWarning:
    hours = f"{round(abs(fault.ahead_s) / 900) / 4:g} h {'before' if fault.ahead_s > 0 else 'after'}"
    found = (
        f"source {source}: {fault.explained} of {fault.arrivals} recent arrivals came about {hours} the time that they "
        f"state; expected them within minutes after it, as times of {fault.better_zone}, not of {fault.zone}"
    )
    setting = f"CELLAR_TIMEZONE={fault.better_zone}"
    if source != DEFAULT_SOURCE:
        setting = f"`cellar sources set {source} --timezone {fault.better_zone}`"
    to_do = f"set {setting}" if source == DEFAULT_SOURCE else f"run {setting}"
    return ClockWarning(source, fault, found, f"{to_do}, then run the archives since again; see docs/reconcile.md")
