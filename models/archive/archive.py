"""The archive that Cellosign sends when a process ends."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import BigInteger, Field

from models.archive.content import Content
from models.archive.form_field import FormField
from models.archive.judgement import Judgement
from models.archive.session import Session
from models.archive.signature import Signature
from models.archive.verdict import Verdict
from models.archive.warning import ArchiveWarning, WarningCode
from models.columns import Json, Moment, index_where, text_index
from models.payments.payment import Payment
from models.runs.cause import CauseColumns
from models.runs.receipt import DEFAULT_SOURCE


class State(StrEnum):
    """The state of a receipt. An archive has the state of its newest receipt."""

    RECEIVED = "received"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive read from its skeleton. Tuples follow the payload's order."""

    reference: str
    event_at: datetime | None
    process_number: int | None
    template_id: str | None
    sessions: tuple[Session, ...]
    signatures: tuple[Signature, ...]
    fields: tuple[FormField, ...]
    contents: tuple[Content, ...]
    payments: tuple[Payment, ...]
    warnings: tuple[ArchiveWarning, ...]
    signed_document_verdict: Verdict | None = None
    """The verdict at arrival. None where there is no signed document."""
    arrival_roots: str | None = None
    """The digest of the trust roots of that verdict. None where it was not recorded."""
    judgements: tuple[Judgement, ...] = ()
    """The later judgements, oldest first."""

    @property
    def newest_verdict(self) -> Verdict | None:
        return self.judgements[-1].verdict if self.judgements else self.signed_document_verdict

    @property
    def newest_roots(self) -> str | None:
        return self.judgements[-1].roots if self.judgements else self.arrival_roots

    @property
    def is_locked(self) -> bool:
        """Whether the archive's sealed values read as null because its key is missing or damaged."""
        return any(warning.code is WarningCode.SECRETS_LOCKED for warning in self.warnings)


class ArchiveRow(CauseColumns, table=True):
    """One row per process reference. State and cause are those of its newest receipt.

    Process number and template are those of the first delivery until a version is current. `source` is that of the
    first delivery until a version is archived, then that of the first version. `read_on` are the terms on which the
    current version was read, where they are no defaults: settings by name. Rows of earlier builds have none.
    """

    __tablename__ = "archive"
    __table_args__ = (
        text_index("archive", "template_id"),
        Index("ix_archive_cause_code", "cause_code"),
        index_where("ix_archive_failed", "state = 'failed'", "cause_code", "cause_task", "cause_since", "received_at"),
    )

    reference: str = Field(primary_key=True, max_length=255)
    state: str = Field(max_length=16, index=True)
    received_at: datetime = Field(sa_type=Moment, index=True)
    completed_at: datetime | None = Field(default=None, sa_type=Moment)
    template_id: str | None = None
    process_number: int | None = Field(default=None, sa_type=BigInteger, index=True)
    current_receipt_id: str | None = Field(default=None, max_length=64)
    source: str = Field(default=DEFAULT_SOURCE, index=True, max_length=64)
    read_on: dict[str, Any] | None = Field(default=None, sa_type=Json)
