"""Findings: warnings about what a payload says of itself, discrepancies between its payments and the rest."""

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Field, SQLModel


class WarningCode(StrEnum):
    ATTACHMENT_EMPTY = "ATTACHMENT_EMPTY"
    FILE_INFECTED = "FILE_INFECTED"
    FILE_NOT_SCANNED = "FILE_NOT_SCANNED"
    INTEGRATION_FAILED = "INTEGRATION_FAILED"
    MEDIA_TYPE_MISMATCH = "MEDIA_TYPE_MISMATCH"
    OTP_NOT_SENT = "OTP_NOT_SENT"
    SESSION_NOT_SUBMITTED = "SESSION_NOT_SUBMITTED"
    SESSION_REFERENCE_MISMATCH = "SESSION_REFERENCE_MISMATCH"
    SIGNED_DOCUMENT_BROKEN = "SIGNED_DOCUMENT_BROKEN"
    SIGNED_DOCUMENT_CHANGED = "SIGNED_DOCUMENT_CHANGED"
    SIGNED_DOCUMENT_NOT_TRUSTED = "SIGNED_DOCUMENT_NOT_TRUSTED"
    SIGNED_DOCUMENT_TOO_OLD = "SIGNED_DOCUMENT_TOO_OLD"
    SIGNED_DOCUMENT_UNREADABLE = "SIGNED_DOCUMENT_UNREADABLE"
    SIGNED_DOCUMENT_UNSIGNED = "SIGNED_DOCUMENT_UNSIGNED"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    TEXT_REPLACED = "TEXT_REPLACED"
    TIMESTAMP_UNREADABLE = "TIMESTAMP_UNREADABLE"
    WRONG_TYPE = "WRONG_TYPE"


class DiscrepancyCode(StrEnum):
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    BAD_AMOUNT = "BAD_AMOUNT"
    BAD_CURRENCY = "BAD_CURRENCY"
    FIELD_WITHOUT_PAYMENT = "FIELD_WITHOUT_PAYMENT"
    PAYMENT_WITHOUT_FIELD = "PAYMENT_WITHOUT_FIELD"
    UNIT_MISMATCH = "UNIT_MISMATCH"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


@dataclass(frozen=True, slots=True)
class ArchiveWarning:
    """`where` is a JSON path into the payload. `detail` repeats nothing of what was sent."""

    code: WarningCode
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`expected` and `found` are amounts, counts or descriptions, never a person's data."""

    code: DiscrepancyCode
    transaction_id: str | None
    expected: str
    found: str


class WarningRow(SQLModel, table=True):
    __tablename__ = "warning"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    code: str = Field(max_length=64, index=True)
    where: str
    detail: str


class DiscrepancyRow(SQLModel, table=True):
    __tablename__ = "discrepancy"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    code: str = Field(max_length=64, index=True)
    transaction_id: str | None = None
    expected: str
    found: str
