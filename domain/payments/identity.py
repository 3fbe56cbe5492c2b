"""Makes the ids of payments and discrepancies, and normalises authorisation numbers."""

import hashlib
import json

from models.discrepancies import Discrepancy


def payment_id(reference: str, transaction_id: str | None, name: str) -> str:
    """Return the id of a payment, the same in every version of its archive. Pure.

    The id is made from the transaction id, or from the name where a payment has none.
    """
    return _id("payment", reference, transaction_id, name if transaction_id is None else None)


def discrepancy_id(reference: str | None, discrepancy: Discrepancy) -> str:
    """Return the id of a discrepancy. The same cause always has the same id. Pure."""
    return _id("discrepancy", reference, discrepancy.code, discrepancy.transaction_id, discrepancy.subject)


def plain_authorisation(text: str) -> str:
    """Return an authorisation number in its normal form, without leading zeros and blanks, in lower case. Pure.

    Spreadsheets drop leading zeros. Reports differ in blanks and in the case of letters.
    """
    plain = "".join(text.split()).lower()
    return plain.lstrip("0") or plain[-1:]


def _id(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
