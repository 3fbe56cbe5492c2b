"""Finds the card secrets of a skeleton: the values that are kept sealed.

These are values with the provider's names for secrets, in any spelling, and every value from provider or client that
contains a card number. An id is never a secret, though one id in thirty looks like a card number. A provider's result
in an unknown text format is sealed as a whole.
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
"""Members of a payment, or of its provider's result at any depth, of any type."""
_SECRET_NAMES = frozenset(map(plain_name, SECRET_NAMES))
_TELLS_OF_SECRETS = re.compile("card_?id|session_?cd|auth_?number|cg_?uid", re.IGNORECASE)
_ID_NAMES = frozenset(
    {"id", "transaction_id", "session_id", "provider_transaction_reference", "internal_transaction_id"}
)
"""Names as Cellosign writes them. `internal_transaction_id` is the provider's own, in its result."""

_TOKEN = re.compile(rb'("(?:[^"\\]++|\\.)*+")([ \t\n\r]*+:)?+|([{\[])|([}\]])|[^ \t\n\r"{}\[\],:]++', re.DOTALL)


class _Zone(Enum):
    """The part of an archive that a value belongs to. A list's values belong to the zone of the list."""

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
    """An open object or list. `zone` and `name` belong to its next value."""

    own_zone: _Zone
    zone: _Zone
    begin: int
    found_before: int
    name: str = ""
    is_payment_field: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A secret value, unless it turns out to be the transaction id in a payment field."""

    begin: int
    end: int
    text: str = ""
    field: _Container | None = None


def is_secret(name: str) -> bool:
    """Return whether a member with this name, of a payment or of a provider's result, is a secret."""
    return plain_name(name) in _SECRET_NAMES


def secret_ranges(skeleton: bytes) -> list[tuple[int, int]]:
    """Return where the secrets of a skeleton begin and end, as whole JSON values in their order. Pure, linear in time.

    Every duplicate key counts. If a key contains a card number, its whole object is a secret.

    Args:
        skeleton: a JSON object, as the scan returns it.
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
    """Return the zone of a member of an object."""
    if own_zone in _WITH_SECRETS and is_secret(name):
        return _Zone.SECRET
    otherwise = own_zone if own_zone in _SEARCHED else _Zone.ELSEWHERE
    if own_zone is _Zone.PAYMENTS and name not in _ID_NAMES:
        otherwise = _Zone.VALUE
    return _MEMBERS.get((own_zone, name), otherwise)


def _is_unknown_text(around: _Container, token: bytes) -> bool:
    """Return whether a text of a provider's result may contain secrets in an unknown format: the result itself is text,
    or the text contains a name of a secret.
    """
    if around.zone is not _Zone.RESULT:
        return False
    is_named = around.own_zone is _Zone.RESULT and around.name
    return not is_named or _TELLS_OF_SECRETS.search(_text(token)) is not None


def _text(token: bytes) -> str:
    """Return the text of a string, or a number or literal as written. Whole numbers are written in digits."""
    if token.startswith(b'"'):
        text: str = json.loads(token) if b"\\" in token else token[1:-1].decode()
        return text
    if any(mark in token for mark in b".eE") and token[:1] in b"-0123456789":
        return number_text(Decimal(token.decode()))
    return token.decode()
