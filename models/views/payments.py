"""Payments and discrepancies as the JSON API and the command line show them."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from models.payments.discrepancy import DiscrepancyCode, DiscrepancyState
from models.views.parameters import Said, Text


class PaymentView(BaseModel):
    transaction_id: str | None
    session_id: str | None
    type: str | None
    status: str | None
    amount_minor: int | None
    currency: str | None
    card_mask: str | None
    card_brand: str | None
    card_last4: str | None
    provider_reference: str | None
    standing: str
    attempts: int
    paid_on: date | None
    instalments: int | None
    first_minor: int | None
    periodical_minor: int | None


class Explanation(BaseModel):
    """Who says why a discrepancy is in order. With `expected` and `found` it is for these numbers and no others."""

    by: Said
    why: Said
    expected: str | None = None
    found: str | None = None


class ExplanationView(BaseModel):
    """Why a discrepancy is in order, and who says so."""

    by: str
    why: str
    at: datetime


class DiscrepancyView(BaseModel):
    """`opened_at` is when it opened last; explanation and end are those since then."""

    discrepancy_id: str
    code: str
    transaction_id: str | None
    expected: str
    found: str
    sentence: str
    state: str
    opened_at: datetime
    explanation: ExplanationView | None
    closed_at: datetime | None


class DiscrepancyQuery(BaseModel):
    """What a list of discrepancies is narrowed by; all that is set must hold. Without a state: what is not closed."""

    state: DiscrepancyState | None = None
    code: DiscrepancyCode | None = None
    reference: Text | None = Field(None, description="an archive's; empty: what belongs to no archive")
    cursor: Text | None = Field(None, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)


class ListedDiscrepancy(DiscrepancyView):
    """`reference` is null where a row of a settlement belongs to no archive."""

    reference: str | None


class DiscrepancyPage(BaseModel):
    """Discrepancies in the order of their codes. `next` is the cursor of the following page."""

    items: list[ListedDiscrepancy]
    next: str | None
