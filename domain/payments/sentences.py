"""Words discrepancies so that a clerk understands them."""

import re

from domain.words.findings import DISCREPANCIES
from models.payments.discrepancy import DiscrepancyCode

_MOST_SIGNS = 100
_CELLOSIGN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def meaning(code: str) -> str:
    """Return what a discrepancy of a code means, without its values. Pure."""
    return DISCREPANCIES[code].what


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
