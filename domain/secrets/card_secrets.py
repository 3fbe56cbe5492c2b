"""Card secrets: which values of an archive's skeleton are kept sealed.

Those that the provider names so, in any spelling of the names, and every card number in what the provider or the client
has said. An id never is one, though one id in thirty looks like a card number. Text of a result in which nobody knows
where the secrets are is one whole.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from domain.body.json_text import BYTE_ORDER_MARK
from domain.body.node import plain_name
from domain.secrets.cards import has_card_number, number_text

SECRET_NAMES = frozenset({"card_id", "session_cd", "auth_number", "cguid"})
"""Members of a payment or of its provider's result, at any depth in that, whatever their type."""
_SECRET_NAMES = frozenset(map(plain_name, SECRET_NAMES))
_TELLS_OF_SECRETS = re.compile("card_?id|session_?cd|auth_?number|cg_?uid", re.IGNORECASE)
_ID_NAMES = frozenset(
    {"id", "transaction_id", "session_id", "provider_transaction_reference", "internal_transaction_id"}
)
"""As Cellosign writes them; the last is the provider's own, in its result."""

_TOKEN = re.compile(rb'("(?:[^"\\]++|\\.)*+")([ \t\n\r]*+:)?+|([{\[])|([}\]])|[^ \t\n\r"{}\[\],:]++', re.DOTALL)


class _Zone(Enum):
    """What a value is part of. A list's values are part of what the list is part of."""

    ROOT = auto()
    PAYMENTS = auto()
    TRANSACTION_ID = auto()
    RESULT = auto()
    DATA = auto()
    VALUE = auto()
    SECRET = auto()
    ELSEWHERE = auto()


_MEMBERS = {
    (_Zone.ROOT, "payments"): _Zone.PAYMENTS,
    (_Zone.ROOT, "data"): _Zone.DATA,
    (_Zone.PAYMENTS, "transaction_id"): _Zone.TRANSACTION_ID,
    (_Zone.PAYMENTS, "provider_transaction_result"): _Zone.RESULT,
    (_Zone.DATA, "value"): _Zone.VALUE,
    (_Zone.DATA, "meta"): _Zone.VALUE,
}
_SEARCHED = (_Zone.RESULT, _Zone.VALUE)
_WITH_SECRETS = (_Zone.RESULT, _Zone.PAYMENTS)


@dataclass(slots=True)
class _Container:
    """An object or a list that is open. `zone` is that of the value which comes next in it, `name` its name."""

    own_zone: _Zone
    zone: _Zone
    begin: int
    found_before: int
    name: str = ""
    is_payment_field: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A value that is secret, unless it is the id of a transaction in the field of a payment."""

    begin: int
    end: int
    text: str = ""
    field: _Container | None = None


def is_secret(name: str) -> bool:
    """Whether what a payment or its provider's result says under that name is a secret."""
    return plain_name(name) in _SECRET_NAMES


def secret_ranges(skeleton: bytes) -> list[tuple[int, int]]:
    """Return where the values begin and end that are sealed, in their order: whole JSON values. Pure, linear in time.

    Of duplicate keys each one counts. Where a key holds a card number, the whole object is sealed.

    Args:
        skeleton: a JSON object, as a scan leaves it.
    """
    walk = _Walk()
    begin = len(BYTE_ORDER_MARK) if skeleton.startswith(BYTE_ORDER_MARK) else 0
    for token in _TOKEN.finditer(skeleton, begin):
        if token[2]:
            walk.key(token[1])
        elif token[3]:
            walk.open(token.start())
        elif token[4]:
            walk.close(token.end())
        else:
            walk.scalar(token[0], *token.span())
    return walk.ranges()


class _Walk:
    """A walk over the tokens of a skeleton."""

    def __init__(self) -> None:
        self._open = [_Container(_Zone.ROOT, _Zone.ROOT, 0, 0)]
        self._found: list[_Found] = []
        self._transaction_ids: set[str] = set()

    def key(self, token: bytes) -> None:
        around, name = self._open[-1], _text(token)
        if around.own_zone in _SEARCHED:
            around.is_secret = around.is_secret or has_card_number(name)
        around.zone = _zone_of(around.own_zone, name)
        around.name = name

    def open(self, begin: int) -> None:
        zone = self._open[-1].zone
        self._open.append(_Container(zone, zone, begin, len(self._found), is_secret=zone is _Zone.SECRET))

    def close(self, end: int) -> None:
        closed = self._open.pop()
        if closed.is_secret:
            del self._found[closed.found_before :]
            self._found.append(_Found(closed.begin, end))

    def scalar(self, token: bytes, begin: int, end: int) -> None:
        around = self._open[-1]
        if around.zone is _Zone.SECRET or (token.startswith(b'"') and _is_unknown_text(around, token)):
            self._found.append(_Found(begin, end))
        elif around.zone is _Zone.TRANSACTION_ID:
            self._transaction_ids.add(_text(token).strip())
        elif around.zone in _SEARCHED and not (around.own_zone in _SEARCHED and around.name in _ID_NAMES):
            text = _text(token)
            if has_card_number(text):
                field = around if around.own_zone is _Zone.DATA else None
                self._found.append(_Found(begin, end, text.strip(), field))
        elif around.own_zone is _Zone.DATA and around.name == "type":
            around.is_payment_field = _text(token) == "payment"

    def ranges(self) -> list[tuple[int, int]]:
        return [(each.begin, each.end) for each in self._found if not self._is_id(each)]

    def _is_id(self, found: _Found) -> bool:
        return found.field is not None and found.field.is_payment_field and found.text in self._transaction_ids


def _zone_of(own_zone: _Zone, name: str) -> _Zone:
    """That of a member of an object."""
    if own_zone in _WITH_SECRETS and is_secret(name):
        return _Zone.SECRET
    otherwise = own_zone if own_zone in _SEARCHED else _Zone.ELSEWHERE
    if own_zone is _Zone.PAYMENTS and name not in _ID_NAMES:
        otherwise = _Zone.VALUE
    return _MEMBERS.get((own_zone, name), otherwise)


def _is_unknown_text(around: _Container, token: bytes) -> bool:
    """A provider's result that is text, or has text in it that tells of secrets: nobody knows its format, and where in
    it they are.
    """
    if around.zone is not _Zone.RESULT:
        return False
    is_named = around.own_zone is _Zone.RESULT and around.name
    return not is_named or _TELLS_OF_SECRETS.search(_text(token)) is not None


def _text(token: bytes) -> str:
    """What a string says; a number or a literal as it is written, a whole number in digits."""
    if token.startswith(b'"'):
        text: str = json.loads(token) if b"\\" in token else token[1:-1].decode()
        return text
    if any(mark in token for mark in b".eE") and token[:1] in b"-0123456789":
        return number_text(Decimal(token.decode()))
    return token.decode()
