"""The error tree.

CellarError
├── WrongUse       a setting or an argument of a command is wrong: the command exits with 2
├── Refused        the payload or the request is wrong: never retried, has a code and a place
├── Transient      an outside system does not work now: retried by the owner of the retry, and only there
│   ├── Unreadable a key in the store cannot be read; other keys may be readable
│   └── Unusable   the database answers, but a person must change its tables or rights
├── Conflict       two records disagree: a person decides
│   └── Locked     values cannot be sealed or opened: a key is gone, damaged or not in the settings
└── Unexpected     a fault of cellar, told without the text of the error

Every error has a stable `code`, which groups failures, and what is `said` of it, from which any language can be worded.

Messages say what, which, expected, got and what to do next. They never repeat a value from a payload, since values are
people's data, nor a key in the store, since keys have references. Notes of an error name files and hosts, for a person
at the command line; HTTP answers leave them out.
"""

import traceback
from enum import StrEnum
from http import HTTPStatus
from typing import Literal

from models.said import Said, Sentence, in_english, verbatim

RefusalCode = Literal[
    "BAD_REFERENCE", "COMPRESSED", "EMPTY_BODY", "EVENT_MISSING", "FORM_FIELD_CHANGED", "NOT_AN_OBJECT", "NOT_BASE64",
    "NOT_JSON", "NOT_UTF8", "REFERENCE_MISSING", "SESSIONS_MISSING", "SESSION_MISSING", "SKELETON_TOO_LARGE",
    "TOO_DEEP", "TOO_LARGE", "TOO_MANY_FILES", "TOO_MANY_VALUES", "TRUNCATED", "WRONG_EVENT",
]  # fmt: skip
"""Why a body is refused."""
CauseCode = Literal[
    RefusalCode,
    "BODY_DAMAGED", "BODY_MISSING", "CANCELLED", "CLAMAV_AWAY", "CONFLICT", "CRASHED", "DATABASE_AWAY",
    "DATABASE_UNUSABLE", "ENDPOINT_AWAY", "ERASED", "FILE_LOST", "INTERRUPTED", "KEY_AWAY", "NOT_READ_BACK",
    "NOT_REPAIRABLE", "OTHER_RUN_AWAY", "PREFECT_AWAY", "RECEIPT_LOST", "RUN_TIMEOUT", "STORE_AWAY", "STORE_UNREADABLE",
    "UNEXPECTED", "UNKNOWN_RECEIPT", "UNKNOWN_REFERENCE", "WRONG_REFERENCE",
]  # fmt: skip
"""Why a run failed or waits. `domain/words/causes.py` words each."""
AnswerCode = Literal[
    "BAD_ENDPOINT", "BAD_PARAMETER", "BAD_SECRET", "BODY_TIMEOUT", "DECLARED_ENDPOINT", "DISCREPANCY_CHANGED",
    "DISCREPANCY_CLOSED", "FINDING_CLOSED", "FORBIDDEN", "FORM_FROM_ELSEWHERE", "INTERNAL", "LINK_USED", "NAME_TAKEN",
    "PRIVATE_ENDPOINT", "SECOND_PERSON", "TOO_LARGE_TO_COMPARE", "UNAVAILABLE", "UNKNOWN_ARCHIVE", "UNKNOWN_BATCH",
    "UNKNOWN_DISCREPANCY", "UNKNOWN_ENDPOINT", "UNKNOWN_FILE", "UNKNOWN_FINDING", "UNKNOWN_HOLD", "UNKNOWN_MESSAGE",
    "UNKNOWN_PATH", "UNKNOWN_TEMPLATE", "UNKNOWN_USER", "UNKNOWN_VERSION", "WRONG_METHOD", "WRONG_STATE",
]  # fmt: skip
"""Why an action or a page of the console fails, beside the causes."""
Code = Literal[
    CauseCode,
    AnswerCode,
    "ADDRESS_NOT_ALLOWED", "ALREADY_UP", "AMBIGUOUS_COLUMN", "BAD_ADDRESS", "BAD_CELL", "BAD_CSV", "BAD_ENCODING",
    "BAD_LENGTH", "BAD_LINE", "BAD_LIST_COLUMNS", "BAD_LIST_SIZE", "BAD_LIST_TYPE", "BAD_NAME", "BAD_PASSWORD",
    "BAD_PATH", "BAD_SETTLEMENT_COLUMNS", "BAD_TIME_STAMP", "DAMAGED_FILE",
    "DATA_FOLDER_UNUSABLE", "DEFAULT_SOURCE", "DISCONNECTED",
    "FOLDER_MISSING", "HEADER_TIMEOUT", "HEAD_TOO_LARGE", "LIST_DAMAGED", "LIST_ENCRYPTED",
    "LIST_TOO_LARGE", "MISSING_COLUMN", "NOTHING_THERE",
    "NOT_ARCHIVED", "NOT_CONFIRMED", "NOT_DELIVERABLE", "NOT_EMPTY", "NOT_HTTP", "NOT_PROVEN", "NOT_SUPPORTED",
    "NO_ROWS", "NO_SCOPE", "OTHER_CHECK", "PERSONAL_FACET", "PORT_TAKEN", "SEVERAL_DISCREPANCIES", "SIGN_IN_FAILED",
    "SOURCE_EXISTS", "TARGET_EXISTS", "TOO_MANY_REQUESTS", "UNAUTHORIZED", "UNKNOWN_SOURCE", "UNKNOWN_TOKEN",
    "UNREADABLE", "URL_TOO_LONG", "USER_EXISTS",
]  # fmt: skip
"""Every code of an error. Codes of this list alone are met at the command line, or by programs."""


class System(StrEnum):
    """What a run may have to wait for. The spool folder and the inbox count as the store: they are its local side."""

    STORE = "store"
    DATABASE = "database"
    PREFECT = "Prefect"
    CLAMAV = "ClamAV"
    KEY = "key"
    ENDPOINT = "endpoint"
    OTHER_RUN = "other run"


class CellarError(Exception):
    """Base of every error that cellar raises on purpose. `key`: its place in the store, which no log may show."""

    code = "UNEXPECTED"
    key = ""

    def __init__(self, text: str | Said) -> None:
        self.said = text if isinstance(text, Said) else verbatim(text)
        super().__init__(in_english(self.said))

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error pass from one process to another as it is, whatever its arguments were."""
        return Exception.__new__, (type(self), *self.args), self.__dict__

    def at_place(self) -> Said:
        """Return what is said with the place that it is about."""
        return self.said

    def in_full(self) -> str:
        """Return the text of the error with its key and its notes, which name files and hosts."""
        notes = "; ".join(filter(None, [self.key, *getattr(self, "__notes__", [])]))
        return f"{self} ({notes})" if notes else str(self)


class WrongUse(CellarError):
    """A setting or an argument of a command is wrong. A person changes it and starts the command again."""


class Refused(CellarError):
    """The input is wrong and will stay wrong.

    `code` is stable (`NOT_BASE64`), `where` is a JSON path or the name of a header or parameter, `status` is the HTTP
    status if the input came by HTTP.
    """

    def __init__(
        self, code: Code, detail: str | Said, *, where: str = "", status: int = HTTPStatus.UNPROCESSABLE_ENTITY
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = in_english(self.said)
        self.where = where
        self.status = status

    def at_place(self) -> Said:
        return Sentence.at_place(where=self.where, detail=self.said) if self.where else self.said

    def __str__(self) -> str:
        return f"{self.code} at {self.where}: {self.detail}" if self.where else f"{self.code}: {self.detail}"


class Transient(CellarError):
    """An outside system failed this time. The same call may work later.

    What asks store, inbox, database, witness or Prefect raises it when that does not answer. Docstrings name it only
    where more is to say. `system` is what failed, if that is known.
    """

    def __init__(self, text: str | Said, *, system: System | None = None, key: str = "") -> None:
        super().__init__(text)
        self.system = system
        self.key = key
        self.code = f"{system.name}_AWAY" if system else "INTERRUPTED"


class Unreadable(Transient):
    """A storage cannot read an existing key. Other keys may be readable."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(Sentence.file_unreadable(reason=reason), system=System.STORE, key=key)
        self.code = "STORE_UNREADABLE"
        self.reason = reason


class Unusable(Transient):
    """The database answers, and no call works until a person changes its tables or rights."""

    def __init__(self, text: str | Said) -> None:
        super().__init__(text, system=System.DATABASE)
        self.code = "DATABASE_UNUSABLE"


class Conflict(CellarError):
    """Two records disagree and no rule says which is right."""

    def __init__(self, text: str | Said, *, code: str = "CONFLICT", key: str = "") -> None:
        super().__init__(text)
        self.code, self.key = code, key


class Locked(Conflict):
    """Sealed values cannot be opened: a key is gone, damaged or not in the settings.

    The sealed values are not damaged: with the key they can be opened again.
    """

    def __init__(self, text: str | Said) -> None:
        super().__init__(text, code="KEY_AWAY")


class Unexpected(CellarError):
    """A fault of cellar. The text of the error is left out, since it may repeat a value of a payload.

    `error_class` is the name of the error's class. `frames` says where the error was raised, for the log.
    """

    def __init__(self, error: BaseException) -> None:
        self.error_class = type(error).__name__
        super().__init__(Sentence.fault_of_cellar(name=self.error_class))
        self.frames = "".join(traceback.format_tb(error.__traceback__))
