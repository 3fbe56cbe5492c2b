"""Finds payments that appear more than once: in another archive, or under another transaction id."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from domain.payments.discrepancies import discrepancy
from domain.secrets.cards import masked
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.said import Said, Sentence

MOST_NAMED = 3  # other archives in a message; naming all would change the message of each whenever an archive is added
MOST_NEEDED = MOST_NAMED + 2
"""Members of a group that suffice for every message: the archive, `MOST_NAMED` archives, another for "and others"."""


@dataclass(frozen=True, slots=True)
class Booked:
    """The identifiers of a payment."""

    reference: str
    payment_id: str
    transaction_id: str | None
    cguid_fingerprint: str | None


def duplicates(
    own: Iterable[Booked], by_transaction: Mapping[str, Sequence[Booked]], by_provider: Mapping[str, Sequence[Booked]]
) -> list[Discrepancy]:
    """Return a discrepancy for each payment of an archive that also appears elsewhere. Pure.

    Several attempts at one transaction are one payment. Two payments without a transaction id that share a provider's
    transaction are duplicates.

    Args:
        own: the payments of the archive; a payment with several transactions at the provider appears once for each.
        by_transaction: payments of all archives, including this archive, by transaction id.
        by_provider: the same payments by the fingerprint of the provider's transaction.
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
        expected = Sentence.in_one_archive()
        yield _found(DiscrepancyCode.DUPLICATE_TRANSACTION, payment, expected, elsewhere, "")


def _of_provider(payment: Booked, by_provider: Mapping[str, Sequence[Booked]]) -> Iterator[Discrepancy]:
    subject = payment.cguid_fingerprint or ""
    twice = {each.reference for each in by_provider.get(subject, ()) if _is_another(payment, each)}
    if twice:
        expected = Sentence.in_one_payment()
        yield _found(DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, payment, expected, twice, subject)


def _is_another(payment: Booked, other: Booked) -> bool:
    if payment.transaction_id:
        return payment.transaction_id != other.transaction_id
    return payment.payment_id != other.payment_id


def _found(
    code: DiscrepancyCode, payment: Booked, expected: Said, references: Collection[str], subject: str
) -> Discrepancy:
    transaction_id = masked(payment.transaction_id) if payment.transaction_id else None
    also = Sentence.also_in_more if len(references) > MOST_NAMED else Sentence.also_in
    found = also(named=sorted(references)[:MOST_NAMED])
    return discrepancy(code, transaction_id, expected, found, subject, payment.payment_id)
