"""What is known of the last anchor, comparison, backup and drill: a record in the store, for status and metrics."""

from typing import Any, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from adapters.files.store import store
from models.errors import Transient

log = structlog.get_logger()
T = TypeVar("T")


def find(kind: type[T]) -> T | None:
    """Return the last record of a kind, None if there was none or it is unreadable."""
    try:
        return TypeAdapter(kind).validate_json(store().found_bytes(_key(kind)) or b"")
    except ValidationError:
        return None


def keep(last: Any) -> None:
    """Keep the record of what was done last. What was done is valid without it."""
    key = _key(type(last))
    try:
        store().write(TypeAdapter(type(last)).dump_json(last), key)
        store().sync()
    except (Transient, OSError) as error:
        log.warning("a record is not kept for status and metrics", record=key, why=type(error).__name__)


def _key(kind: type) -> str:
    return f"last-{kind.__name__.removeprefix('Last').lower()}.json"
