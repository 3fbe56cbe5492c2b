"""The error tree.

CellarError
├── Refused        the payload or the request is wrong: never retried, has a code and a place
├── Transient      the world is down: retried by whoever owns the retry, and only there
│   └── Unreadable one thing in the store cannot be read, whatever the rest does
└── Conflict       two truths: a person looks
    └── Locked     what is sealed cannot be opened or sealed: a key is gone, damaged or not among the settings

Messages say what, which, expected, got and what to do next. They never repeat a value from a payload: those are
people's data.
"""

from http import HTTPStatus


class CellarError(Exception):
    """Base of every error that cellar raises on purpose."""


class Refused(CellarError):
    """The input is wrong and will stay wrong.

    `code` is stable (`NOT_BASE64`), `where` is a JSON path or the name of a header or parameter, `status` the HTTP
    status that fits when the input came by HTTP.
    """

    def __init__(
        self, code: str, detail: str, *, where: str = "", status: int = HTTPStatus.UNPROCESSABLE_ENTITY
    ) -> None:
        super().__init__(f"{code} at {where}: {detail}" if where else f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.where = where
        self.status = status


class Transient(CellarError):
    """Something outside did not work this time; the same call may work later."""


class Unreadable(Transient):
    """A storage does not give what lies under a key, which is there; others it may give."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key} cannot be read: {reason}")
        self.key = key
        self.reason = reason


class Conflict(CellarError):
    """Two records disagree and no rule says which is right."""


class Locked(Conflict):
    """What is sealed cannot be opened: a key is gone or damaged, or is not among those of the settings.

    It is no damage: with the key all is right again.
    """
