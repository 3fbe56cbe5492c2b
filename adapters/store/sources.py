"""The sources in the store, `sources/NAME.json` each, and the terms on which they send.

The store has them because the receiver may not ask the database before an acknowledgement, and because a rebuild reads
archives on the terms of their source. Only digests of secrets are kept.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from pydantic import ValidationError

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from domain.payments.terms import SETTINGS
from models.errors import Conflict, Unreadable
from models.payments import PaymentTerms
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import NO_SIGNATURE, Source, SourceTerms

log = structlog.get_logger()

FOLDER = "sources"
_HELD_FOR_S = 5.0


@dataclass(frozen=True, slots=True)
class _Held:
    """The sources as they were read last, and until when nobody needs to read them again."""

    location: str
    sources: Mapping[str, Source]
    until_s: float


_held: _Held | None = None


def all_sources(on_damaged: Callable[[str], None] = lambda _: None) -> dict[str, Source]:
    """Read the sources, by name. A damaged source is logged and left out, and `on_damaged` is called with its key."""
    return {each.name: each for each in _readable(on_damaged)}


def refresh(for_s: float = _HELD_FOR_S) -> Mapping[str, Source]:
    """Read the sources again, and hold them for a time.

    A source that is damaged now, or gone with a disk that is not mounted, stays as it was held: sources are disabled
    and never removed.

    Raises:
        Transient: the store does not answer. What is held stays.
    """
    global _held  # noqa: PLW0603 -- one cache per process
    location = settings().store_location
    before = _held.sources if _held and _held.location == location else {}
    _held = _Held(location, {**before, **all_sources()}, time.monotonic() + for_s)
    return _held.sources


def held() -> Mapping[str, Source]:
    """Return the sources, as they were at most 5 s ago; in a receiver, as its loop has read them last."""
    if _held and _held.location == settings().store_location and time.monotonic() < _held.until_s:
        return _held.sources
    return refresh()


def change(name: str, changed: Callable[[Source | None], Source]) -> Source:
    """Replace a source by what `changed` makes of it, durably, and return that. None stands for no source.

    Raises:
        Conflict: the record is damaged, or somebody else changes the source at the same time.
    """
    key = f"{FOLDER}/{name}.json"
    before = store().found_bytes(key)
    try:
        after = changed(None if before is None else Source.model_validate_json(before))
    except ValidationError as error:
        raise Conflict(f"the record {key} of the store is damaged; restore it from a copy of the store") from error
    if not store().replace_bytes(before, after.model_dump_json(indent=1).encode(), key):
        raise Conflict(f"somebody else changes the source {name} at this moment; repeat the command")
    refresh()
    return after


def default_terms() -> SourceTerms:
    """Return the terms of the settings, which every source has that states none of its own."""
    made = settings()
    return SourceTerms(
        timezone=made.timezone,
        amount_unit=made.amount_unit,
        purged_after_success=timedelta(hours=made.success_purge_h),
        purged_after_failure=timedelta(hours=made.failure_purge_h),
        archived_within=timedelta(seconds=made.archived_within_s),
        keeps_unknown_events=made.unknown_events == "keep",
        addresses=made.webhook_addresses,
        signature=made.webhook_signature,
    )


def terms_of(source: str) -> SourceTerms:
    """Return the terms of a source: its own, and those of the settings where it states none or is unknown."""
    terms = default_terms()
    if source == DEFAULT_SOURCE or (found := held().get(source)) is None:
        return terms
    own, signature = found.terms, found.terms.signature or terms.signature
    return SourceTerms(
        timezone=own.timezone or terms.timezone,
        amount_unit=own.amount_unit or terms.amount_unit,
        purged_after_success=_hours(own.success_purge_h) or terms.purged_after_success,
        purged_after_failure=_hours(own.failure_purge_h) or terms.purged_after_failure,
        archived_within=timedelta(seconds=own.archived_within_s) if own.archived_within_s else terms.archived_within,
        keeps_unknown_events=own.unknown_events == "keep" if own.unknown_events else terms.keeps_unknown_events,
        addresses=own.addresses or terms.addresses,
        signature="" if signature == NO_SIGNATURE else signature,
    )


def payment_terms_of(source: str) -> PaymentTerms:
    """Return the terms of payments of a source: its unit of amounts, and its days without CELLAR_BUSINESS_TIMEZONE."""
    made = settings().payment_terms
    if source == DEFAULT_SOURCE:
        return made
    terms = terms_of(source)
    zone = made.zone if settings().business_timezone else ZoneInfo(terms.timezone)
    return replace(made, unit=terms.amount_unit, zone=zone)


def stated_terms_of(source: str) -> dict[str, Any]:
    """Return the terms on which archives of a source are read now, where they are no defaults: settings by name."""
    terms = terms_of(source)
    made = {name: getattr(settings(), name) for name in SETTINGS}
    made |= {"timezone": terms.timezone, "amount_unit": terms.amount_unit}
    return {name: value for name, value in made.items() if value != Settings.model_fields[name].default}


def with_defaults(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings by which archives are read, from what `stated_terms_of` has returned."""
    return {name: Settings.model_fields[name].default for name in SETTINGS} | dict(stated)


def _hours(number: int | None) -> timedelta | None:
    return timedelta(hours=number) if number else None


def _readable(on_damaged: Callable[[str], None]) -> Iterator[Source]:
    for key, _ in store().listed(FOLDER):
        try:
            record = store().found_bytes(key)
            source = record and Source.model_validate_json(record)
            if source and key == f"{FOLDER}/{source.name}.json":
                yield source
            elif source:
                raise ValueError("a source has the name of another")
        except (ValueError, Unreadable) as error:
            on_damaged(key)
            log.error("a source is damaged; restore it from a copy of the store", key=key, why=type(error).__name__)
