"""What tells payments and discrepancies apart: their ids, and authorisation numbers in one spelling."""

import hashlib
import json

from models.payments.discrepancy import Discrepancy


def payment_id(reference: str, transaction_id: str | None, name: str) -> str:
    """Return the id of a payment, the same in every version of its archive. Pure.

    A payment goes by its transaction; one without a transaction goes by its name among such payments.
    """
    return _id("payment", reference, transaction_id, name if transaction_id is None else None)


def discrepancy_id(reference: str | None, discrepancy: Discrepancy) -> str:
    """Return the id of a discrepancy, always the same for the same cause. Pure."""
    return _id("discrepancy", reference, discrepancy.code, discrepancy.transaction_id, discrepancy.subject)


def plain_authorisation(text: str) -> str:
    """Return what is the same for all spellings of a number: spreadsheets take the zeros away that it begins with, and
    reports differ in blanks and, where it has letters, in their case. Pure.
    """
    plain = "".join(text.split()).lower()
    return plain.lstrip("0") or plain[-1:]


def _id(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
