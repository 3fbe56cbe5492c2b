"""Says on what terms a source sends."""

from datetime import timedelta

from adapters.settings.settings import settings
from models.sources.source import SourceTerms


def terms_of(source: str) -> SourceTerms:
    """Return the terms of a source. It has those of the settings where it states none of its own."""
    return default_terms()


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
    )
