"""Payments and discrepancies as the JSON API and the command line show them."""

from collections import Counter
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.discrepancies import DiscrepancyCode, DiscrepancyState
from models.payments import PaymentFacts, Standing
from models.views.parameters import NOT_KEPT, Moment, Page, PageQuery, RequestBody, Statement, Text


class PaymentView(PaymentFacts):
    """A payment in an archive, with its standing in the ledger."""


class PaymentQuery(PageQuery):
    """The filters of a list of payments, all of which must match. The days are those of two moments, both included."""

    standing: Standing | None = None
    currency: Text | None = None
    source: Text | None = None
    acquirer: Text | None = None
    paid_from: Moment | None = Field(None, description="without it, a week before `paid_to`, or before today")
    paid_to: Moment | None = Field(None, description="without it, today and later")
    undated: bool = Field(False, description="payments without a day, in place of those of some days")


class ListedPayment(PaymentView):
    """A payment in a list, with what the reports say of it."""

    reference: str
    source: str
    settled_minor: int | None
    revenue_minor: int | None


class PaymentPage(Page[ListedPayment]):
    """A page of payments, newest day first. `next` is the cursor of the following page."""


_WENT_BACK = ("refunded_minor", "charged_back_minor")


class PaymentTotals(Counter[str]):
    """The sums of payments of one currency and standing, exact also beyond 64 bits: `payments`, each number of the
    ledger by its name, and as `known NAME` how many payments have that number.
    """

    def sum_of(self, name: str) -> int | None:
        """Return a sum by the ledger's rules: None if no payment has the number. What went back is None if one payment
        lacks it.
        """
        known = self[f"known {name}"]
        return self[name] if known and (known == self["payments"] or name not in _WENT_BACK) else None


class Explanation(RequestBody):
    """A person's reason why a discrepancy is in order. `expected` and `found` limit it to exactly these values."""

    by: Text = Field("", description=NOT_KEPT)
    why: Statement
    expected: str | None = None
    found: str | None = None


class ExplanationView(BaseModel):
    """The reason why a discrepancy is in order, and the person who gave it."""

    by: str
    why: str
    at: datetime


class DiscrepancyView(BaseModel):
    """A discrepancy. `opened_at` is the time of its last opening. `explanation` and `closed_at` are later.

    `values` says `expected` and `found` as codes with values.
    """

    discrepancy_id: str
    code: str
    transaction_id: str | None
    expected: str
    found: str
    values: dict[str, Any] = {}
    sentence: str
    state: str
    opened_at: datetime
    explanation: ExplanationView | None
    closed_at: datetime | None


class DiscrepancyQuery(PageQuery):
    """The filters of a list of discrepancies, all of which must match. No state: discrepancies that are not closed."""

    state: DiscrepancyState | None = Field(None, description="without it, open and explained discrepancies")
    code: DiscrepancyCode | None = Field(None, description="a code, like AMOUNT_MISMATCH")
    reference: Text | None = Field(None, description="reference of an archive; empty: discrepancies of no archive")
    source: Text | None = Field(None, description="the name of the source of their archives")


class ListedDiscrepancy(DiscrepancyView):
    """A discrepancy in a list. `reference` is null if a row of a settlement report belongs to no archive."""

    reference: str | None


class DiscrepancyPage(Page[ListedDiscrepancy]):
    """A page of discrepancies in the order of their codes. `next` is the cursor of the following page."""
