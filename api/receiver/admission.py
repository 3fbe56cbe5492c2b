"""Limits how many bodies, and how many bytes, the receiver takes in at the same time.

Each body in flight costs memory, a file and its share of the disk. Beyond the limits a sender is asked to send again
later, so that the bodies in flight get through.

The limits are those of the whole receiver: its processes count in shared memory. A process counts a request first and
then looks whether all together are too many. So the limit holds without a lock, and where two processes count the last
place at the same moment, both may ask their senders to send again.

An address gets at most three quarters of the places and of the bytes, and always one place, so that a slow sender
leaves room for other senders. The share is no smaller because all of Cellosign may come from one address. uvicorn
determines the address: the connection's, or, if that is a proxy which uvicorn trusts (`FORWARDED_ALLOW_IPS`, this
machine by default), the last address in `X-Forwarded-For` that is no such proxy. From other senders it ignores this
header, since a sender can write any address there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.settings.settings import settings
from api.receiver.fellows import REQUESTS, SIZE_BYTES, Fellows
from models.errors import Transient

_SHARE_OF_AN_ADDRESS = 0.75
_OF_ADDRESS = " from your address"


class Admission:
    """The requests in flight, in all and of each address."""

    def __init__(self, fellows: Fellows) -> None:
        self.admitted = 0
        """Requests of this process since its start."""
        self._fellows = fellows

    @property
    def in_flight(self) -> tuple[int, int]:
        """The number of requests in flight in all processes, and their bytes."""
        return self._fellows.total(REQUESTS), self._fellows.total(SIZE_BYTES)

    @contextmanager
    def place(self, address: str) -> Iterator["Place"]:
        """Hold a place for a request from an address.

        Raises:
            Transient: no place is free.
        """
        place = Place(self._fellows, address)
        place.count(1, 0)
        try:
            place.check_request()
            self.admitted += 1
            yield place
        finally:
            place.count(-1, -place.size_bytes)


class Place:
    """The place of a request, with the bytes that are reserved for it: the announced bytes, or the received if more."""

    def __init__(self, fellows: Fellows, address: str) -> None:
        self._fellows = fellows
        self._address = address
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """Reserve room for a body of `size_bytes` in all. A body that is alone may have any size.

        Raises:
            Transient: there is no room.
        """
        more_bytes = size_bytes - self.size_bytes
        if more_bytes <= 0:
            return
        self.count(0, more_bytes)
        try:
            self._check_bytes(more_bytes)
        except Transient:
            self.count(0, -more_bytes)
            raise
        self.size_bytes = size_bytes

    def count(self, requests: int, size_bytes: int) -> None:
        """Add requests and bytes to those in flight."""
        self._fellows.add(REQUESTS, requests)
        self._fellows.add(SIZE_BYTES, size_bytes)
        self._fellows.add_of_address(self._address, requests, size_bytes)

    def check_request(self) -> None:
        """Check that the request that was counted is not one too many.

        Raises:
            Transient: it is.
        """
        most = settings().max_requests_in_flight
        in_all, (of_address, _) = self._fellows.total(REQUESTS), self._fellows.of_address(self._address)
        for found, share, whose in ((in_all, 1, ""), (of_address, _SHARE_OF_AN_ADDRESS, _OF_ADDRESS)):
            if found > max(1, int(most * share)):
                raise Transient(f"{found - 1} archives{whose} are being received; send this archive again later")

    def _check_bytes(self, more_bytes: int) -> None:
        most_bytes = settings().max_bytes_in_flight
        in_all = (self._fellows.total(REQUESTS), self._fellows.total(SIZE_BYTES))
        of_address = self._fellows.of_address(self._address)
        for (requests, size_bytes), share, whose in ((in_all, 1, ""), (of_address, _SHARE_OF_AN_ADDRESS, _OF_ADDRESS)):
            if requests > 1 and size_bytes > most_bytes * share:
                held = f"{size_bytes - more_bytes} bytes of archives{whose}"
                raise Transient(f"{held} are being received; send this archive again later")
