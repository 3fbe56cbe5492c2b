"""Makes the events about many archives, the store and the payments, with the bodies that endpoints receive.

A subject tells an event from others of its type: what found it, such as a run of a flow.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.settings.settings import settings
from adapters.tables.runs import refused
from domain.messages.bodies import report_bodies
from models.archive.verdict import Change
from models.messages.event import Event, EventType
from models.messages.refusing import TurnedAway
from models.views.archives.payments import ListedDiscrepancy


def payments_discrepancies(
    subject: str, newest: Sequence[ListedDiscrepancy], by_code: Mapping[str, int], at: datetime
) -> Event:
    """Return the event that discrepancies are open: the newest, and the number of all by code."""
    url = f"{settings().receiver_url}/api/discrepancies?state=open"
    body = report_bodies.payments_discrepancies(newest, by_code, url=url, at=at)
    return Event(EventType.PAYMENTS_DISCREPANCIES, subject, at, body)


def documents_judged_worse(subject: str, worse: Sequence[Change], contradictions: int, at: datetime) -> Event:
    """Return the event that signed documents are judged worse than before."""
    url = f"{settings().receiver_url}/api/archives?attention=true"
    body = report_bodies.documents_judged_worse(worse, contradictions, url=url, at=at)
    return Event(EventType.DOCUMENTS_JUDGED_WORSE, subject, at, body)


def store_damaged(subject: str, findings: int, at: datetime) -> Event:
    """Return the event that files of the store are damaged."""
    return Event(EventType.STORE_DAMAGED, subject, at, report_bodies.store_damaged(findings, at))


def store_unverified(subject: str, at: datetime) -> Event:
    """Return the event that the check of the store broke."""
    return Event(EventType.STORE_UNVERIFIED, subject, at, report_bodies.store_unverified(at))


def delivery_refused(group: str, at: datetime) -> Event:
    """Return the event that a group of deliveries was refused. A group never changes.

    Raises:
        Transient: the database does not answer.
    """
    found = refused.group(group, report_bodies.MOST_REFUSED_REPORTED)
    url = f"{settings().receiver_url}/api/refused"
    body = report_bodies.delivery_refused(found.newest, found.by_code, first_at=found.first_at, url=url, at=at)
    return Event(EventType.DELIVERY_REFUSED, group, at, body)


def receiver_refusing(subject: str, turned_away: TurnedAway, at: datetime) -> Event:
    """Return the event that the receiver turns requests away."""
    body = report_bodies.receiver_refusing(turned_away, url=f"{settings().receiver_url}/readyz", at=at)
    return Event(EventType.RECEIVER_REFUSING, subject, at, body)
