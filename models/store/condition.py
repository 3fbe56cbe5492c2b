"""Conditions: what is wrong now with the installation, until it is well again. `adapters/tables` finds them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment
from models.store.fixity import Fault


class Subject(StrEnum):
    """What a condition is about."""

    ARCHIVE = "archive"
    STORE = "store"
    SYSTEM = "system"
    DELIVERY = "delivery"
    PROCESS = "process"
    DISCREPANCY = "discrepancy"
    ENDPOINT = "endpoint"
    MESSAGE = "message"


class Severity(StrEnum):
    """Whether a person has to act: `wrong` makes `cellar status` fail; `info` needs nobody."""

    WRONG = "wrong"
    WARNING = "warning"
    INFO = "info"


class ConditionCode(StrEnum):
    """What is wrong with a complete archive or the store. `RUN_FAILED`: its last run failed. Checks find the others."""

    RUN_FAILED = "RUN_FAILED"
    FILE_DAMAGED = "FILE_DAMAGED"
    FILE_MISSING = "FILE_MISSING"
    FILE_EXTRA = "FILE_EXTRA"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    ROWS_DIFFER = "ROWS_DIFFER"
    ROWS_STALE = "ROWS_STALE"
    STORE_ABSENT = "STORE_ABSENT"


OF_FAULTS: Mapping[Fault, ConditionCode] = {
    Fault.DAMAGED: ConditionCode.FILE_DAMAGED,
    Fault.MISSING: ConditionCode.FILE_MISSING,
    Fault.EXTRA: ConditionCode.FILE_EXTRA,
    Fault.UNREADABLE: ConditionCode.FILE_UNREADABLE,
    Fault.DIFFERS: ConditionCode.ROWS_DIFFER,
    Fault.STALE: ConditionCode.ROWS_STALE,
    Fault.ABSENT: ConditionCode.STORE_ABSENT,
}
"""The condition of each fault. What was interrupted heals by itself, and is none."""
OF_FILES = frozenset(OF_FAULTS.values()) - {ConditionCode.ROWS_DIFFER, ConditionCode.ROWS_STALE}
"""The conditions in which what the store holds is not what was written."""


OF_CHECKS = frozenset(OF_FAULTS.values())
"""What checks of the store find, of archives and of the store itself."""


class ConditionRow(SQLModel, table=True):
    """An open condition of an archive by its reference, or of the store, which has no name. When it is over it has no
    row. `count`: its findings, or the failed runs in a row.

    `values`: of a failed run its `cause`, `task` and `sentence`; of a check the first `files`, and whether it was
    `quick`.
    """

    __tablename__ = "condition"

    kind: str = Field(primary_key=True, max_length=16)
    subject: str = Field(primary_key=True, max_length=255)
    code: str = Field(primary_key=True, max_length=32)
    since: datetime = Field(sa_type=Moment)
    found_at: datetime = Field(sa_type=Moment)
    count: int
    values: dict[str, Any] = Field(sa_type=Json)


class StoredObjectRow(SQLModel, table=True):
    """When an object of the store was checked last, and when the newest anchor that has it was made.

    The empty key stands for the store, and the last check that began at its root.
    """

    __tablename__ = "stored_object"

    key: str = Field(primary_key=True, max_length=255)
    checked_at: datetime | None = Field(default=None, sa_type=Moment)
    anchored_at: datetime | None = Field(default=None, sa_type=Moment)
