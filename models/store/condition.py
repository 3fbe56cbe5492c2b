"""Conditions: what is wrong now with the installation, until it is well again. `adapters/tables` finds them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment
from models.said import FindingCode, finding
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


_RESTORE = (
    "Put it back from a backup: of an archive, by cellar restore REFERENCE. Without a backup, let Cellosign send the "
    "archive again, which replaces its contents. Then run cellar verify."
)
_CONFIRM = "Ask the operator of the endpoint. The page of the endpoint shows each attempt."


class ConditionCode(FindingCode):
    """What is wrong with a complete archive or the store. `RUN_FAILED`: its last run failed. `TIME_STAMP_ENDS`: the
    last anchor found it. Comparisons with anchors find the last two, and checks the others.
    """

    RUN_FAILED = finding(
        "The last run failed, so the archive may be damaged although it was complete.",
        "Run cellar verify: it names each damaged file and what to do. Then run the archive again.",
        short="Last run failed",
    )
    FILE_DAMAGED = finding("The store has other bytes than were written.", _RESTORE, short="Damaged")
    FILE_MISSING = finding("The store has lost a file.", _RESTORE, short="File missing")
    FILE_EXTRA = finding(
        "The store has a file that cellar has not written.",
        "Find out who made it, remove it, then run cellar verify.",
        short="Unknown file",
    )
    FILE_UNREADABLE = finding(
        "A file in the store cannot be read.",
        "Check the disk or bucket. Run cellar restore REFERENCE where something else stands in the place of a file. "
        "Then run cellar verify.",
        short="Unreadable",
    )
    ROWS_DIFFER = finding(
        "The database says otherwise than the store, which is right.",
        "Run the archive again (cellar rerun), which loads its rows from the store. Lost receipts and deliveries "
        "come back by `cellar rebuild` alone, into an empty database.",
        short="Data differs",
    )
    ROWS_STALE = finding(
        "The data was read with other settings than those of today. Nothing is lost.",
        "Run the archive again (cellar rerun), or set the settings back. Very many archives are read again by "
        "cellar rebuild, into an empty database.",
        short="Data of other settings",
    )
    STORE_ABSENT = finding(
        "The store is not there: nothing was ever archived in its place.",
        "Mount its disk, or correct CELLAR_STORE_URL, then run cellar verify.",
        short="Store not there",
    )
    TIME_STAMP_ENDS = finding(
        "The certificates of the newest time stamps end within a year.",
        "Name an authority in CELLAR_TIME_STAMP_URLS whose certificates end later, add its root to "
        "CELLAR_TIME_STAMP_ROOTS, then run cellar anchor: its time stamp covers all earlier ones.",
        short="Time stamps that end",
    )
    NOT_AS_ANCHORED = finding(
        "The store is not what an anchor says: somebody has removed or rewritten it together with its digests.",
        "Keep the disk as it is, and find out who did it. Restore what was anchored from a backup, then run "
        "cellar anchor, which compares again.",
        short="Not as anchored",
    )
    STORE_UNCOMPARED = finding(
        "The store could not be compared with its anchors, so a rewritten or removed archive would not be found.",
        "Run cellar status, which says whether the witness answers. Then run cellar anchor, which compares again.",
        short="Not compared",
    )

    STORE_UNCHECKED = finding(
        "A check of the store broke off, so damage would not be found.",
        "See the last run of verify-archives in Prefect, and run cellar status. The next check that comes to its end "
        "ends this.",
        short="Store not checked",
    )
    BACKUP_FAILED = finding(
        "The last backup did not come to its end, or could not read all files.",
        "Run cellar backup, which says why. Earlier backups are not touched.",
        short="Backup failed",
    )
    TOMBSTONES_UNSENT = finding(
        "The place of the backups does not know yet what was erased. A restore would have to be told.",
        "Mount its disk, or check CELLAR_BACKUP_URL. The next sweep sends it.",
        short="Backups without tombstones",
    )


class DerivedCode(FindingCode):
    """What is wrong by the rows of other tables, without a row of `condition`."""

    ARCHIVE_FAILED = finding(
        "Runs have failed, and none is on its way.", "Run cellar failures.", short="Failed archives"
    )
    PROCESS_MISSING = finding(
        "A process should have been archived, and Cellosign will delete it.",
        "Let Cellosign send it again before that.",
        short="Missing processes",
    )
    SYSTEM_AWAY = finding(
        "Archives wait for a system, and go on by themselves once it is back.",
        "Run cellar status.",
        short="Runs wait for a system",
    )
    DELIVERY_REFUSED = finding(
        "Deliveries were refused; their bodies are in quarantine.",
        "Release or dismiss each of them.",
        short="Refused bodies",
    )
    REQUESTS_REFUSED = finding(
        "The receiver turns requests to the webhook away, and Cellosign deletes what it cannot deliver.",
        "Run cellar status, and see the log of the receiver. This ends two hours after the last hour with many.",
        short="Requests turned away",
    )
    DISCREPANCY_OPEN = finding(
        "Payments, forms or settlement reports contradict each other.",
        "Explain each discrepancy.",
        short="Open discrepancies",
    )
    ENDPOINT_FAILING = finding("An endpoint does not confirm its messages.", _CONFIRM, short="Endpoints that fail")
    ENDPOINT_DISABLED = finding(
        "An endpoint is disabled, and gets no messages.", "Enable it once it works again.", short="Disabled endpoints"
    )
    BREAK_GLASS_USED = finding(
        "Somebody signed in by break-glass, past the provider.",
        "Ask why, and see what they did with cellar access. This ends a day after their login.",
        short="Logins by break-glass",
    )
    ACCESS_LOG_UNSENT = finding(
        "The access log has waited for an hour to be sent elsewhere.",
        "Check CELLAR_ACCESS_LOG_URL, and the log of the receiver. Nothing is lost.",
        short="Access log that is not taken",
    )
    ERASED_RETURNED = finding(
        "Something of an erased archive has come again, and was removed.",
        "Ask the sender why it is still there. This ends a day after the last delivery.",
        short="Erased archives that came again",
    )
    RETENTION_DUE = finding(
        "The retention of archives has ended. They are due for a review, or for the erasure that a person plans.",
        "List them with cellar list --due. Plan their erasure, put them on hold, or change their rule of retention.",
        short="Archives that are due",
    )
    MESSAGES_DEAD = finding(
        "Messages were given up.", "Send them again once their endpoint works again.", short="Messages given up"
    )


AnyCode = ConditionCode | DerivedCode
ALL_CODES: tuple[AnyCode, ...] = (*DerivedCode, *ConditionCode)

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
OF_COMPARISONS = frozenset({ConditionCode.NOT_AS_ANCHORED, ConditionCode.STORE_UNCOMPARED})
"""What comparisons with anchors find."""
OF_FILES = {*OF_FAULTS.values(), ConditionCode.NOT_AS_ANCHORED} - {ConditionCode.ROWS_DIFFER, ConditionCode.ROWS_STALE}
"""The conditions in which what the store holds is not what was written."""

OF_ALL_ARCHIVES = {ConditionCode.STORE_ABSENT, ConditionCode.NOT_AS_ANCHORED}
"""The conditions of the store in which nobody knows of any archive that it is unaltered."""
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
