"""Archives as the JSON API and the command line show them."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, JsonValue, StringConstraints

from models.archive.archive import State
from models.archive.verdict import Verdict
from models.payments.discrepancy import DiscrepancyCode, DiscrepancyState


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Integer = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Text = Annotated[str, Field(pattern="^[^\0]*$")]
"""Postgres takes no NUL."""


class ArchiveQuery(BaseModel):
    """What a list of archives is narrowed by; all that is set must hold."""

    reference: Text | None = None
    process_number: Integer | None = None
    transaction_number: Integer | None = None
    session: Text | None = None
    label: Text | None = Field(None, description="`KEY=VALUE`")
    template: Text | None = None
    state: State | None = None
    discrepancy: DiscrepancyCode | None = None
    received_after: Moment | None = None
    received_before: Moment | None = None
    q: Text | None = Field(None, description="part of a reference, number, name, label or file name")
    cursor: Text | None = Field(None, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)


class ArchiveSummary(BaseModel):
    """An archive in a list."""

    reference: str
    state: str
    template_id: str | None
    process_number: int | None
    received_at: datetime
    completed_at: datetime | None
    files: int
    warnings: int
    discrepancies: int


class ArchivePage(BaseModel):
    """Archives, newest first. `next` is the cursor of the following page."""

    items: list[ArchiveSummary]
    next: str | None


class VersionView(BaseModel):
    version: int
    receipt_id: str
    received_at: datetime


class DeliveryView(BaseModel):
    receipt_id: str
    received_at: datetime
    outcome: str


class FileView(BaseModel):
    """`looks_like`: the media type that its first bytes show. `infection`: what ClamAV found in it when it came; null
    where it found nothing, and where nobody looked, without a daemon or for its size (`FILE_NOT_SCANNED`).
    """

    role: str
    element_id: str | None
    filename: str | None
    media_type: str | None
    size_bytes: int
    sha256: str
    looks_like: str | None
    infection: str | None


class IntegrationView(BaseModel):
    id: str | None
    type: str | None
    status: str | None
    executed_at: datetime | None
    error: Any


class SessionView(BaseModel):
    id: str | None
    author: str | None
    process_number: int | None
    transaction_number: int | None
    template_id: str | None
    recipient: dict[str, Any]
    submission_details: dict[str, Any]
    labels: dict[str, str]
    created_at: datetime | None
    submitted_at: datetime | None
    integrations: list[IntegrationView]


class SignatureView(BaseModel):
    id: str | None
    signed_at: datetime | None
    signed_by: dict[str, str | None]
    labels: dict[str, Any]


class FieldView(BaseModel):
    id: str | None
    value: Any
    type: str | None
    visible: bool | None
    page: int | None
    top: float | None
    left: float | None
    width: float | None
    height: float | None
    latitude: float | None
    longitude: float | None
    meta: dict[str, Any]


class WarningView(BaseModel):
    code: str
    where: str
    detail: str


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


Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern="^[^\0]*$")]


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


class NotificationView(BaseModel):
    endpoint: str
    event: str
    state: str
    attempts: int


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


class RunView(BaseModel):
    flow_run_id: str
    attempt: int
    state: str
    trigger: str
    failed_task: str | None
    started_at: datetime
    ended_at: datetime | None
    url: str


class ValuesView(BaseModel):
    """A member's value in each of two versions, null where it has none."""

    before: JsonValue
    after: JsonValue


class DifferenceView(BaseModel):
    """What is in one of two versions only, or differs. `withheld` names members that differ and are not shown."""

    kind: str
    key: str
    change: str
    members: dict[str, ValuesView]
    withheld: tuple[str, ...]


class ArchiveView(BaseModel):
    """One archive, whole."""

    reference: str
    state: str
    template_id: str | None
    process_number: int | None
    received_at: datetime
    completed_at: datetime | None
    versions: list[VersionView]
    deliveries: list[DeliveryView]
    files: list[FileView]
    sessions: list[SessionView]
    signatures: list[SignatureView]
    fields: list[FieldView]
    warnings: list[WarningView]
    payments: list[PaymentView]
    discrepancies: list[DiscrepancyView]
    """Those that are not closed."""
    closed_discrepancies: list[DiscrepancyView]
    signed_document_verdict: Verdict | None
    notifications: list[NotificationView]
    runs: list[RunView]
