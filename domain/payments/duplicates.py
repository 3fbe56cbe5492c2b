"""Payments that stand more than once: under another reference, or under another transaction."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from domain.secrets.cards import masked
from models.payments.discrepancy import Discrepancy, DiscrepancyCode

MOST_NAMED = 3  # of the other archives: a list of all would change in each of them with each that comes
MOST_NEEDED = MOST_NAMED + 2
"""So many of a group tell what is said in each of its archives: one is the archive itself, one more tells of others."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment by what it is told apart by."""

    reference: str
    payment_id: str
    transaction_id: str | None
    cguid_fingerprint: str | None


def duplicates(
    own: Iterable[Booked], by_transaction: Mapping[str, Sequence[Booked]], by_provider: Mapping[str, Sequence[Booked]]
) -> list[Discrepancy]:
    """Return which payments of an archive stand elsewhere too. Pure.

    Several attempts at one transaction are one payment. Two payments without a transaction id that are the same to the
    provider are two.

    Args:
        own: the payments of the archive; one whose attempts are several to the provider is there for each of them.
        by_transaction: payments of all archives by their transaction ids, the archive's own among them.
        by_provider: the same by the fingerprints of the provider's transactions.
    """
    each_by_provider = dict.fromkeys(own)
    each_once = {each.payment_id: each for each in each_by_provider}.values()
    return [
        *chain.from_iterable(_of_transaction(each, by_transaction) for each in each_once),
        *chain.from_iterable(_of_provider(each, by_provider) for each in each_by_provider),
    ]


def _of_transaction(payment: Booked, by_transaction: Mapping[str, Sequence[Booked]]) -> Iterator[Discrepancy]:
    same = by_transaction.get(payment.transaction_id or "", ())
    elsewhere = {each.reference for each in same if each.reference != payment.reference}
    if elsewhere:
        expected = "the transaction in one archive"
        yield _found(DiscrepancyCode.DUPLICATE_TRANSACTION, payment, expected, elsewhere, "")


def _of_provider(payment: Booked, by_provider: Mapping[str, Sequence[Booked]]) -> Iterator[Discrepancy]:
    subject = payment.cguid_fingerprint or ""
    twice = {each.reference for each in by_provider.get(subject, ()) if _is_another(payment, each)}
    if twice:
        expected = "the provider's transaction under one id"
        yield _found(DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, payment, expected, twice, subject)


def _is_another(payment: Booked, other: Booked) -> bool:
    if payment.transaction_id:
        return payment.transaction_id != other.transaction_id
    return payment.payment_id != other.payment_id


def _found(
    code: DiscrepancyCode, payment: Booked, expected: str, references: Collection[str], subject: str
) -> Discrepancy:
    transaction_id = masked(payment.transaction_id) if payment.transaction_id else None
    more = " and others" if len(references) > MOST_NAMED else ""
    found = f"also in {', '.join(sorted(references)[:MOST_NAMED])}{more}"
    return Discrepancy(code, transaction_id, expected, found, subject, payment.payment_id)
