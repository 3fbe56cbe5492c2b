"""Limits how many bodies, and how many bytes, the receiver takes in at the same time.

Each body in flight costs memory, a file and its share of the disk. Beyond the limits a sender is asked to send again
later, so that the bodies in flight get through.

An address gets at most three quarters of the places and of the bytes, and always one place, so that a slow sender
leaves room for other senders. The share is no smaller because all of Cellosign may come from one address. uvicorn
determines the address: the connection's, or, if that is a proxy which uvicorn trusts (`FORWARDED_ALLOW_IPS`, this
machine by default), the last address in `X-Forwarded-For` that is no such proxy. From other senders it ignores this
header, since a sender can write any address there.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.settings.settings import settings
from models.errors import Transient

_SHARE_OF_AN_ADDRESS = 0.75


@dataclass(slots=True)
class _Load:
    """The requests in flight and their bytes: the announced bytes, or the received bytes if these are more."""

    requests: int = 0
    size_bytes: int = 0

    def check_request(self, share: float, whose: str) -> None:
        if self.requests >= max(1, int(settings().max_requests_in_flight * share)):
            raise Transient(f"{self.requests} archives{whose} are being received; send this archive again later")

    def check_bytes(self, more_bytes: int, share: float, whose: str) -> None:
        if self.requests > 1 and self.size_bytes + more_bytes > settings().max_bytes_in_flight * share:
            raise Transient(
                f"{self.size_bytes} bytes of archives{whose} are being received; send this archive again later"
            )


class Admission:
    """The requests in flight, in all and of each address."""

    def __init__(self) -> None:
        self.admitted = 0
        """Requests since the start."""
        self._all = _Load()
        self._by_address: defaultdict[str, _Load] = defaultdict(_Load)

    @property
    def in_flight(self) -> tuple[int, int]:
        """The number of requests in flight, and their bytes."""
        return self._all.requests, self._all.size_bytes

    @contextmanager
    def place(self, address: str) -> Iterator["Place"]:
        """Hold a place for a request from an address.

        Raises:
            Transient: no place is free.
        """
        self._all.check_request(1, "")
        own = self._by_address[address]
        own.check_request(_SHARE_OF_AN_ADDRESS, " from your address")
        place = Place(self._all, own)
        self._all.requests += 1
        own.requests += 1
        self.admitted += 1
        try:
            yield place
        finally:
            self._all.requests -= 1
            self._all.size_bytes -= place.size_bytes
            own.requests -= 1
            own.size_bytes -= place.size_bytes
            if not own.requests:
                del self._by_address[address]


class Place:
    """The place of a request, with the bytes that are reserved for it."""

    def __init__(self, load: _Load, own: _Load) -> None:
        self._all = load
        self._own = own
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """Reserve room for a body of `size_bytes` in all. A body that is alone may have any size.

        Raises:
            Transient: there is no room.
        """
        more_bytes = max(0, size_bytes - self.size_bytes)
        self._all.check_bytes(more_bytes, 1, "")
        self._own.check_bytes(more_bytes, _SHARE_OF_AN_ADDRESS, " from your address")
        self._all.size_bytes += more_bytes
        self._own.size_bytes += more_bytes
        self.size_bytes += more_bytes
