"""Dismisses refused bodies that are no archive, or will not come in order. Needs neither database nor Prefect."""

from collections.abc import Iterable
from datetime import datetime

from adapters.inbox import quarantine
from models.runs.receipt import RefusedDelivery
from models.views.parameters import Dismissal


def dismiss(deliveries: Iterable[RefusedDelivery], dismissal: Dismissal, now: datetime) -> list[RefusedDelivery]:
    """Record durably that refused deliveries need nobody any more, and return those that did until now.

    Their bodies stay in quarantine, and can be released later. The sweep brings the records into the database.

    Raises:
        Transient: the inbox does not answer. The deliveries before it are dismissed.
    """
    return [
        quarantine.set_dismissed(each, dismissal.by, dismissal.why, now)
        for each in deliveries
        if each.released_at is None and each.dismissed_at is None
    ]
