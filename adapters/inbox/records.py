"""Names and reads the records and bodies in the inbox."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import structlog

from adapters.files.storage import Storage
from models.errors import Unreadable

log = structlog.get_logger()
R = TypeVar("R")

ARRIVED_AT = "%Y%m%dT%H%M%S.%fZ"
"""The time of arrival, with which the id of a delivery begins."""


def body_name(receipt_id: str) -> str:
    return f"{receipt_id}.body"


def readable(read: Callable[[Storage, str], R], place: Storage, pattern: str) -> Iterator[R]:
    """Yield the readable records whose name matches, in the order of their names."""
    for name in place.names(pattern):
        try:
            record = read(place, name)
        except FileNotFoundError:
            continue  # another process has just removed it
        except (ValueError, TypeError, KeyError, Unreadable) as error:
            # A damaged record must not delay the other records. Its body stays, and a person has to examine it.
            log.error(
                "a record is unreadable; send its archive again and remove it", record=name, why=type(error).__name__
            )
            continue
        yield record
