"""The sources in the store, `sources/NAME.json` each, and the terms on which they send.

The store has them because the receiver may not ask the database before an acknowledgement, and because a rebuild reads
archives on the terms of their source. Only digests of secrets are kept.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.settings.settings import Settings, settings
from adapters.store.records import Records
from domain.payments.terms import SETTINGS
from models.payments import PaymentTerms
from models.retention import KEEP
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source, SourceTerms

RECORDS = Records("sources", Source, "source", lambda each: each.name)
"""The sources by name. They are disabled and never removed."""


def terms_of(source: str) -> SourceTerms:
    """Return the terms of a source: its own, and those of the settings where it states none or is unknown.

    In a receiver it asks nobody: it is answered from memory.
    """
    terms = settings().source_terms
    if source == DEFAULT_SOURCE or (found := RECORDS.held().get(source)) is None:
        return terms
    own = found.terms
    return SourceTerms(
        timezone=own.timezone or terms.timezone,
        amount_unit=own.amount_unit or terms.amount_unit,
        purged_after_success=_hours(own.success_purge_h) or terms.purged_after_success,
        purged_after_failure=_hours(own.failure_purge_h) or terms.purged_after_failure,
        archived_within=timedelta(seconds=own.archived_within_s) if own.archived_within_s else terms.archived_within,
        addresses=own.addresses or terms.addresses,
        signature=own.signature or "",
        retention=own.retention or KEEP,
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
