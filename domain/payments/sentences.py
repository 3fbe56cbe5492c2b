"""Words discrepancies so that a clerk understands them."""

import re
from dataclasses import replace

from domain.words.catalogue import word
from domain.words.findings import DISCREPANCIES
from models.payments import Discrepancy, DiscrepancyCode
from models.said import Said

_MOST_SIGNS = 100
_CELLOSIGN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def discrepancy(
    code: DiscrepancyCode,
    transaction_id: str | None,
    expected: Said,
    found: Said,
    subject: str = "",
    payment_id: str | None = None,
) -> Discrepancy:
    """Return a discrepancy of what is said to be expected and found. Pure."""
    return worded(Discrepancy(code, transaction_id, "", "", subject, payment_id), expected, found)


def worded(about: Discrepancy, expected: Said, found: Said) -> Discrepancy:
    """Return a discrepancy that says other values. Pure."""
    values = {"expected": expected.as_json(), "found": found.as_json()}
    return replace(about, expected=word(expected), found=word(found), values=values)


def sentence(code: str, expected: str, found: str) -> str:
    """Return the sentence for a discrepancy. It follows from stored members, so it is not stored itself. Pure."""
    return f"{DISCREPANCIES[code].what} Expected: {expected}. Found: {found}."


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
