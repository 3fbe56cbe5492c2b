"""The error tree.

CellarError
├── Refused        the payload or the request is wrong: never retried, has a code and a place
├── Transient      an outside system does not work now: retried by the owner of the retry, and only there
│   ├── Unreadable a key in the store cannot be read; other keys may be readable
│   └── Unusable   the database answers, but a person must change its tables or rights
└── Conflict       two records disagree: a person decides
    └── Locked     values cannot be sealed or opened: a key is gone, damaged or not in the settings

Messages say what, which, expected, got and what to do next. They never repeat a value from a payload, since values are
people's data.
"""

from http import HTTPStatus


class CellarError(Exception):
    """Base of every error that cellar raises on purpose."""


class Refused(CellarError):
    """The input is wrong and will stay wrong.

    `code` is stable (`NOT_BASE64`), `where` is a JSON path or the name of a header or parameter, `status` is the HTTP
    status if the input came by HTTP.
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
    """An outside system failed this time. The same call may work later."""


class Unreadable(Transient):
    """A storage cannot read an existing key. Other keys may be readable."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key} cannot be read: {reason}")
        self.key = key
        self.reason = reason


class Unusable(Transient):
    """The database answers, and no call works until a person changes its tables or rights."""


class Conflict(CellarError):
    """Two records disagree and no rule says which is right."""


class Locked(Conflict):
    """Sealed values cannot be opened: a key is gone, damaged or not in the settings.

    The sealed values are not damaged: with the key they can be opened again.
    """
