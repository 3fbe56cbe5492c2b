"""Makes the bodies of messages about many archives, the store, the receiver, or an endpoint."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.messages.bodies.body import MOST_REPORTED, encoded
from domain.payments.sentences import shown_transaction
from models.archive.verdict import Change
from models.messages.bodies import (
    Damage,
    Discrepancies,
    JudgedDocument,
    Judgements,
    Nothing,
    OpenDiscrepancy,
    Refusal,
    Refusals,
    Refusing,
    Test,
)
from models.messages.event import EventType
from models.messages.refusing import TurnedAway
from models.runs.receipt import RefusedDelivery
from models.views.archives.payments import ListedDiscrepancy

MOST_REFUSED_REPORTED = 20


def payments_discrepancies(
    newest: Sequence[ListedDiscrepancy], by_code: Mapping[str, int], *, url: str, at: datetime
) -> bytes:
    """Return the body of the message about open discrepancies: the newest, and their number by code. Pure.

    `url` shows all open discrepancies to holders of a token.
    """
    data = Discrepancies(
        discrepancies=[_open(each) for each in newest[:MOST_REPORTED]],
        discrepancies_in_all=sum(by_code.values()),
        by_code=dict(by_code),
        url=url,
    )
    return encoded(EventType.PAYMENTS_DISCREPANCIES, at, data, "discrepancies")


def _open(found: ListedDiscrepancy) -> OpenDiscrepancy:
    shown = shown_transaction(found.code, found.transaction_id)
    return OpenDiscrepancy.model_validate(found, from_attributes=True).model_copy(update={"transaction_id": shown})


def delivery_refused(
    newest: Sequence[RefusedDelivery], by_code: Mapping[str, int], *, first_at: datetime, url: str, at: datetime
) -> bytes:
    """Return the body of the message about a group of refused deliveries: the newest, and their number by code. Pure.

    `newest` has at least one delivery, and each body once. `first_at` is the time of the oldest delivery in the group.
    `url` shows all refused deliveries to holders of a token.
    """
    data = Refusals(
        deliveries=[Refusal.model_validate(each, from_attributes=True) for each in newest[:MOST_REFUSED_REPORTED]],
        deliveries_in_all=sum(by_code.values()),
        by_code=dict(by_code),
        first_at=first_at,
        last_at=newest[0].received_at,
        url=url,
    )
    return encoded(EventType.DELIVERY_REFUSED, at, data, "deliveries")


def documents_judged_worse(worse: Sequence[Change], contradictions: int, *, url: str, at: datetime) -> bytes:
    """Return the body of the message that signed documents were judged again, and worse than before. Pure.

    `contradictions` is the number of facts in which a kept verdict is better than its document. `url` shows the
    archives that need attention to holders of a token.
    """
    data = Judgements(
        documents=[JudgedDocument.model_validate(each, from_attributes=True) for each in worse[:MOST_REPORTED]],
        documents_in_all=len(worse),
        contradictions=contradictions,
        url=url,
    )
    return encoded(EventType.DOCUMENTS_JUDGED_WORSE, at, data, "documents")


def store_damaged(findings: int, at: datetime) -> bytes:
    """Return the body of the message that a number of files in the store are damaged. Pure."""
    return encoded(EventType.STORE_DAMAGED, at, Damage(findings=findings))


def store_unverified(at: datetime) -> bytes:
    """Return the body of the message that the check of the store failed, so its state is unknown. Pure."""
    return encoded(EventType.STORE_UNVERIFIED, at, Nothing())


def receiver_refusing(turned_away: TurnedAway, *, url: str, at: datetime) -> bytes:
    """Return the body of the message that the receiver turns requests away. `url` says if it is ready. Pure."""
    data = Refusing(
        requests=sum(turned_away.by_code.values()),
        by_code=dict(turned_away.by_code),
        first_at=turned_away.first_at,
        last_at=turned_away.last_at,
        url=url,
    )
    return encoded(EventType.RECEIVER_REFUSING, at, data)


def endpoint_test(endpoint: str, at: datetime) -> bytes:
    """Return the body of the message that tests an endpoint, by its name. Pure."""
    return encoded(EventType.ENDPOINT_TEST, at, Test(endpoint=endpoint))
