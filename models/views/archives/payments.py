"""Payments and discrepancies as the JSON API and the command line show them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from models.discrepancies import DiscrepancyCode, DiscrepancyState
from models.payments import PaymentFacts
from models.views.parameters import NOT_KEPT, Page, PageQuery, RequestBody, Statement, Text


class PaymentView(PaymentFacts):
    """A payment in an archive, with its standing in the ledger."""


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
