"""Payments that stand more than once: under another reference, or under another transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.cards import masked
from models.discrepancy import Discrepancy, DiscrepancyCode

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
        own: the payments of the archive.
        by_transaction: payments of all archives by their transaction ids, the archive's own among them.
        by_provider: the same by the fingerprints of the provider's transactions.
    """
    found: list[Discrepancy] = []
    for payment in own:
        same = by_transaction.get(payment.transaction_id or "", ())
        elsewhere = {each.reference for each in same if each.reference != payment.reference}
        if elsewhere:
            expected, subject = "the transaction in one archive", ""
            found.append(_found(DiscrepancyCode.DUPLICATE_TRANSACTION, payment, expected, elsewhere, subject))
        subject = payment.cguid_fingerprint or ""
        twice = {each.reference for each in by_provider.get(subject, ()) if _is_another(payment, each)}
        if twice:
            expected = "the provider's transaction under one id"
            found.append(_found(DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, payment, expected, twice, subject))
    return found


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
