"""Keeps the definitions of endpoints in the store, so that the database can be rebuilt, and seals their secrets.

A definition is sealed whole: its URL may hold a token.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator

from adapters.files.store import store
from adapters.store import seals
from models.errors import Conflict
from models.messages.notification import EndpointRow

OnDamaged = Callable[[str, str], None]
"""Called with the key of a definition that cannot be restored, and with the reason."""

_FORMAT = 1
_NOT_KEPT = {"failing_since", "failing_messages", "paused_until"}
"""What the next attempt finds out anyway."""


def sealed(name: str, what: str, clear: str) -> str:
    """Return a value of an endpoint, sealed, as base64. Raises as `seals.sealed_of_record` does."""
    return b64encode(seals.sealed_of_record(seals.ENDPOINTS_KEY, name, what, clear.encode(), _has_any)).decode()


def opened(name: str, what: str, text: str) -> str:
    """Return a value that `sealed` has sealed. Raises as `seals.opened_of_record` does."""
    try:
        ciphertext = b64decode(text, validate=True)
    except ValueError as error:
        raise Conflict(f"a sealed value of the endpoint {name} is no base64; restore a backup") from error
    return seals.opened_of_record(seals.ENDPOINTS_KEY, name, what, ciphertext).decode()


def _has_any() -> bool:
    return next(store().listed(seals.ENDPOINTS), None) is not None


def keep(row: EndpointRow) -> None:
    """Keep the definition of an endpoint in place of an earlier definition.

    Raises Locked if the key of all endpoints is not available.
    """
    definition = sealed(row.name, "definition", row.model_dump_json(exclude=_NOT_KEPT))
    store().overwrite_bytes(json.dumps({"format": _FORMAT, "sealed": definition}).encode(), key_of(row.name))


def find(name: str) -> EndpointRow | None:
    """Return the kept definition of an endpoint, None if there is none. Raises Conflict if it is damaged or locked."""
    return _read(key_of(name)) if store().size(key_of(name)) is not None else None


def kept(on_damaged: OnDamaged) -> Iterator[EndpointRow]:
    """Yield the endpoints whose definitions are in the store, by name. A damaged or locked one is passed to
    `on_damaged`, and blocks no other.
    """
    for key, _ in list(store().listed(seals.ENDPOINTS)):
        try:
            yield _read(key)
        except Conflict as conflict:
            on_damaged(key, str(conflict))


def _read(key: str) -> EndpointRow:
    name = key.removeprefix(f"{seals.ENDPOINTS}/").removesuffix(".json")
    try:
        document = json.loads(store().read_bytes(key))
        sealed_text, is_ours = document["sealed"], document["format"] == _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise Conflict(f"the definition of the endpoint {name} is damaged; add the endpoint again") from error
    if not is_ours:
        raise Conflict(f"expected the endpoint {name} in format {_FORMAT}, got a newer format; use a newer cellar")
    return EndpointRow.model_validate(json.loads(opened(name, "definition", sealed_text)))


def key_of(name: str) -> str:
    """Return under which key of the store the definition of an endpoint is kept."""
    return f"{seals.ENDPOINTS}/{name}.json"
