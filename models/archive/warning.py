"""Warnings: remarks on the content of a payload that a person should examine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json


class WarningCode(StrEnum):
    ATTACHMENT_EMPTY = "ATTACHMENT_EMPTY"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    FILE_INFECTED = "FILE_INFECTED"
    FILE_NOT_SCANNED = "FILE_NOT_SCANNED"
    INTEGRATION_FAILED = "INTEGRATION_FAILED"
    MEDIA_TYPE_MISMATCH = "MEDIA_TYPE_MISMATCH"
    MORE_WARNINGS = "MORE_WARNINGS"
    OTP_NOT_SENT = "OTP_NOT_SENT"
    SECRETS_LOCKED = "SECRETS_LOCKED"
    SESSION_NOT_SUBMITTED = "SESSION_NOT_SUBMITTED"
    SESSION_REFERENCE_MISMATCH = "SESSION_REFERENCE_MISMATCH"
    SIGNED_DOCUMENT_BROKEN = "SIGNED_DOCUMENT_BROKEN"
    SIGNED_DOCUMENT_CHANGED = "SIGNED_DOCUMENT_CHANGED"
    SIGNED_DOCUMENT_FIELDS_CHANGED = "SIGNED_DOCUMENT_FIELDS_CHANGED"
    SIGNED_DOCUMENT_NOT_TRUSTED = "SIGNED_DOCUMENT_NOT_TRUSTED"
    SIGNED_DOCUMENT_REVOKED = "SIGNED_DOCUMENT_REVOKED"
    SIGNED_DOCUMENT_TOO_OLD = "SIGNED_DOCUMENT_TOO_OLD"
    SIGNED_DOCUMENT_UNREADABLE = "SIGNED_DOCUMENT_UNREADABLE"
    SIGNED_DOCUMENT_UNSIGNED = "SIGNED_DOCUMENT_UNSIGNED"
    SIGNED_DOCUMENT_WEAK_DIGEST = "SIGNED_DOCUMENT_WEAK_DIGEST"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    SOURCES_DIFFER = "SOURCES_DIFFER"
    TEXT_REPLACED = "TEXT_REPLACED"
    TIMESTAMP_UNREADABLE = "TIMESTAMP_UNREADABLE"
    VERSION_FROM_FUTURE = "VERSION_FROM_FUTURE"
    WRONG_TYPE = "WRONG_TYPE"


@dataclass(frozen=True, slots=True)
class ArchiveWarning:
    """A warning. `where` is a JSON path into the payload. `values` are JSON and repeat no value of the payload."""

    code: WarningCode
    where: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)


class WarningRow(SQLModel, table=True):
    __tablename__ = "warning"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    code: str = Field(max_length=64, index=True)
    where: str
    values: dict[str, Any] = Field(sa_type=Json)
