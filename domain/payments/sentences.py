"""Words discrepancies so that a clerk understands them."""

import re
from collections.abc import Mapping

from models.payments import DiscrepancyCode

_MOST_SIGNS = 100
_CELLOSIGN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_MEANINGS: Mapping[str, str] = {
    DiscrepancyCode.AGING_HOLD: "Money has been held on a card for too long, neither charged nor released.",
    DiscrepancyCode.AMBIGUOUS_MATCH: "A row of the settlement report fits several payments, so it was matched to none.",
    DiscrepancyCode.AMOUNT_MISMATCH: "The amount of the payment differs from the amount that the provider states.",
    DiscrepancyCode.BAD_AMOUNT: "An amount of the payment is unusable, so it was not compared.",
    DiscrepancyCode.BAD_CURRENCY: "The currency of the payment is unknown, so its amount is not counted.",
    DiscrepancyCode.CARD_CONFLICT: "The payment names two different cards.",
    DiscrepancyCode.CARD_EXPIRED: "The card had expired when the form was submitted.",
    DiscrepancyCode.CHARGED_BACK: "The cardholder has charged the payment back.",
    DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION: "Two payments are the same transaction at the provider.",
    DiscrepancyCode.DUPLICATE_TRANSACTION: "Another archive has the same transaction.",
    DiscrepancyCode.FIELD_WITHOUT_PAYMENT: "The form refers to a payment that the archive does not have.",
    DiscrepancyCode.MISSING_IN_ARCHIVE: "The provider has settled a payment that no archive has.",
    DiscrepancyCode.MISSING_IN_SETTLEMENT: "The provider has not settled a payment that was charged.",
    DiscrepancyCode.PAYMENT_VANISHED: "An earlier version of the archive has a charge that the current version lacks.",
    DiscrepancyCode.PAYMENT_WITHOUT_FIELD: "The archive has a payment that no field of the form refers to.",
    DiscrepancyCode.REFUNDED: "The payment was refunded.",
    DiscrepancyCode.SETTLED_AMOUNT_MISMATCH: "The provider has settled a different amount than was charged.",
    DiscrepancyCode.SETTLED_CURRENCY_MISMATCH: "The provider has settled in a different currency than was charged.",
    DiscrepancyCode.SETTLED_LATE: "The provider has settled the payment late.",
    DiscrepancyCode.STATUS_CONFLICT: "The archive contradicts itself about whether the payment succeeded.",
    DiscrepancyCode.UNIT_MISMATCH: "The amount and the provider's total are in different units, such as agorot and "
    "shekels; check CELLAR_AMOUNT_UNIT.",
    DiscrepancyCode.UNKNOWN_SESSION: "The payment does not belong to a session of this archive.",
}


def meaning(code: str) -> str:
    """Return what a discrepancy of a code means, without its values. Pure."""
    return _MEANINGS[code]


def sentence(code: str, expected: str, found: str) -> str:
    """Return the sentence for a discrepancy. It follows from stored members, so it is not stored itself. Pure."""
    return f"{_MEANINGS[code]} Expected: {expected}. Found: {found}."


def shown_transaction(code: str, transaction_id: str | None) -> str | None:
    """Return the transaction id of a discrepancy as messages and Prefect may show it, or None. Pure.

    In a form field without a payment, the client may have typed anything. Its id is shown only if it has the form of
    Cellosign's ids.
    """
    if transaction_id is None:
        return None
    if code == DiscrepancyCode.FIELD_WITHOUT_PAYMENT and not _CELLOSIGN_ID.fullmatch(transaction_id):
        return None
    return transaction_id[:_MOST_SIGNS]
