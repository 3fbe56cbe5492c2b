"""Discrepancies in words that a clerk understands."""

import re
from collections.abc import Mapping

from models.payments.discrepancy import DiscrepancyCode

_MOST_SIGNS = 100
_CELLOSIGN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_MEANINGS: Mapping[str, str] = {
    DiscrepancyCode.AGING_HOLD: "Money is held on a card for too long, and is neither charged nor released.",
    DiscrepancyCode.AMBIGUOUS_MATCH: "A row of the settlement fits several payments, so it was matched to none.",
    DiscrepancyCode.AMOUNT_MISMATCH: "The amount of the payment is not the one that the provider states.",
    DiscrepancyCode.BAD_AMOUNT: "An amount of the payment cannot be used, so it was compared with nothing.",
    DiscrepancyCode.BAD_CURRENCY: "The currency of the payment is not known, so its amount counts as nothing.",
    DiscrepancyCode.CARD_CONFLICT: "The payment names two different cards.",
    DiscrepancyCode.CARD_EXPIRED: "The card had expired when the form was submitted.",
    DiscrepancyCode.CHARGED_BACK: "The card's holder has taken the payment back.",
    DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION: "Two transactions are one and the same with the provider.",
    DiscrepancyCode.DUPLICATE_TRANSACTION: "Another archive has the same transaction.",
    DiscrepancyCode.FIELD_WITHOUT_PAYMENT: "The form tells of a payment that the archive does not have.",
    DiscrepancyCode.MISSING_IN_ARCHIVE: "The provider has settled a payment that no archive has.",
    DiscrepancyCode.MISSING_IN_SETTLEMENT: "The provider has not settled a payment that was charged.",
    DiscrepancyCode.PAYMENT_VANISHED: "An earlier version of the archive has a charge that the present one lacks.",
    DiscrepancyCode.PAYMENT_WITHOUT_FIELD: "The archive has a payment that no field of the form refers to.",
    DiscrepancyCode.REFUNDED: "The payment was refunded.",
    DiscrepancyCode.SETTLED_AMOUNT_MISMATCH: "The provider has settled another amount than was charged.",
    DiscrepancyCode.SETTLED_CURRENCY_MISMATCH: "The provider has settled in another currency than was charged.",
    DiscrepancyCode.SETTLED_LATE: "The provider has settled the payment late.",
    DiscrepancyCode.STATUS_CONFLICT: "Whether the payment succeeded is told in two ways that contradict each other.",
    DiscrepancyCode.UNIT_MISMATCH: "The amount and the provider's total are numbers of different units, as agorot and "
    "shekels are; check CELLAR_AMOUNT_UNIT.",
    DiscrepancyCode.UNKNOWN_SESSION: "The payment does not belong to a session of this archive.",
}


def sentence(code: str, expected: str, found: str) -> str:
    """Return what a discrepancy means. It is made of what is stored, so it is stored nowhere. Pure."""
    return f"{_MEANINGS[code]} Expected: {expected}. Found: {found}."


def shown_transaction(code: str, transaction_id: str | None) -> str | None:
    """Return the transaction of a discrepancy as it may be told outside: in messages, and in Prefect. Pure.

    Where a field of the form should name one and no payment has it, anybody may have typed anything: it is told only if
    it is written as Cellosign's ids are.
    """
    if transaction_id is None:
        return None
    if code == DiscrepancyCode.FIELD_WITHOUT_PAYMENT and not _CELLOSIGN_ID.fullmatch(transaction_id):
        return None
    return transaction_id[:_MOST_SIGNS]
