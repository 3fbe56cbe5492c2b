"""Sources: the projects of Cellosign. Payloads do not name their project; the URL does to which they are sent."""

from dataclasses import dataclass
from datetime import timedelta

from models.payments.payment_terms import AmountUnit


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """What an installation knows about a source and no payload states.

    Cellosign deletes a process `purged_after_success` after its success, and `purged_after_failure` after its failure.
    An archive is missing `archived_within` after its form was submitted.
    """

    timezone: str
    amount_unit: AmountUnit
    purged_after_success: timedelta
    purged_after_failure: timedelta
    archived_within: timedelta
    keeps_unknown_events: bool
