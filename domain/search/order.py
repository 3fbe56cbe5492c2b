"""Numbers entries in the order of the list: by the time at which an archive was received. Pure."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS = 256
"""Numbers per millisecond. Numbers that lie close together take little room in the text index."""


def first_id_at(moment: datetime) -> int:
    """Return the smallest number of an archive that was received in the millisecond of a moment, or later."""
    return (moment - _EPOCH) // timedelta(milliseconds=1) * _SLOTS


def first_id_after(moment: datetime) -> int:
    """Return the smallest number of an archive that was received after the millisecond of a moment."""
    return first_id_at(moment) + _SLOTS


def ids_for(reference: str, received_at: datetime) -> Iterator[int]:
    """Yield the numbers that an archive may take, best first: the first that no other archive has is its number.

    Within a millisecond, numbers follow the microseconds. Archives of the same 4 microseconds are in no order.
    """
    micros = (received_at - _EPOCH) // timedelta(microseconds=1) % 1000
    start = first_id_at(received_at) + micros * _SLOTS // 1000
    yield start
    step = 1 + hashlib.sha256(reference.encode()).digest()[0] % 7
    number = start
    while True:
        number += step
        yield number
