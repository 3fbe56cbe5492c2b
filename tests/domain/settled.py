"""Payments and settlement entries for tests."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from models.payments import Standing
from models.settlements.settlement import Candidate, Entry, EntryKind

FIRST = date(2026, 1, 1)
COLUMNS = """
[columns]
settled_on = "settled"
paid_on = "paid"
amount = "amount"
currency = "currency"
cguid = "cguid"
authorisation = "auth"
card = "card"
fee = "fee"
kind = "kind"
instalment = "part"
"""
HEAD = "settled,paid,amount,currency,cguid,auth,card,fee,kind,part"


def day(number: int) -> date:
    """Return the day that is `number` days after the first of January."""
    return FIRST + timedelta(days=number)


def payment(reference: str = "r", **values: Any) -> Candidate:
    """Return a charge of 21.00 ILS on day 0."""
    made = Candidate(
        reference=reference,
        payment_id=f"payment of {reference}",
        transaction_id=f"transaction of {reference}",
        standing=Standing.CHARGED,
        amount_minor=2100,
        currency="ILS",
        paid_on=day(0),
        cguid_fingerprint="c",
        authorisation_fingerprint="a",
        card_last4="1234",
        instalments=None,
        first_minor=None,
        periodical_minor=None,
    )
    return replace(made, **values)


def entry(number: int = 1, **values: Any) -> Entry:
    """Return the entry of that charge, settled on day 2."""
    made = Entry(
        entry_id=f"{number:032}",
        line=number + 1,
        kind=EntryKind.CHARGE,
        settled_on=day(2),
        paid_on=day(0),
        amount_minor=2100,
        fee_minor=None,
        currency="ILS",
        cguid_fingerprint="c",
        authorisation_fingerprint="a",
        card_last4="1234",
        instalment=None,
        instalments=None,
    )
    return replace(made, **values)
