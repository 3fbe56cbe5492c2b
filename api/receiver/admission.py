"""Limits how many bodies, and how many bytes, the receiver takes in at the same time.

Each body in flight costs memory, a file and its share of the disk. Beyond the limits a sender is asked to send again
later, so that the bodies in flight get through.

The limits are those of the whole receiver: its processes count in shared memory. A process counts a request first and
then looks whether all together are too many. So the limit holds without a lock, and where two processes count the last
place at the same moment, both may ask their senders to send again.

A source gets at most three quarters of the places and of the bytes from one address, and always one place, so that it
leaves room for other sources and other addresses. The share is no smaller because all of Cellosign may come from one
address. Whoever asks for a place has proved the secret of its source. uvicorn determines the address: the connection's,
or, if that is a proxy which uvicorn trusts (`FORWARDED_ALLOW_IPS`, this machine by default), the last address in
`X-Forwarded-For` that is no such proxy. From other senders it ignores this header, since a sender can write any address
there.

Where no place is free, the slowest body of this process gives way to the new one, if it is slow: its sender has to send
it again. So a sender that trickles bodies keeps nobody out, and a slow line suffers only while there is no room.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from adapters.settings.settings import settings
from api.receiver.processes import REQUESTS, SIZE_BYTES, Processes
from models.errors import Transient

_SHARE = 0.75
_SLOW_AFTER_S, _SLOW_BYTES_PER_S = 2.0, 64 << 10


class Admission:
    """The requests in flight, in all and of each source and address."""

    def __init__(self, processes: Processes) -> None:
        self.admitted = 0
        """Requests of this process since its start."""
        self._processes = processes
        self._places: set[Place] = set()

    @contextmanager
    def place(self, address: str, source: str) -> Iterator["Place"]:
        """Hold a place for a request to a source from an address. Raises Transient if no place is free."""
        place = Place(self._processes, self._places, f"{address} {source}")
        place.add(1, 0)
        self._places.add(place)
        self.admitted += 1
        try:
            yield place
        finally:
            place.leave()


class Place:
    """The place of a request, with the bytes that are reserved for it: the announced bytes, or the received if more."""

    def __init__(self, processes: Processes, places: set["Place"], sharer: str) -> None:
        self._processes = processes
        self._places = places
        self._sharer = sharer
        self._wait: asyncio.Timeout | None = None
        self._waits_since_s = self._waited_s = 0.0
        self._received_bytes = 0
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """Reserve room for a body of `size_bytes` in all. A body that is alone may have any size.

        Raises Transient if there is no room.
        """
        more_bytes = size_bytes - self.size_bytes
        if more_bytes <= 0:
            return
        self.add(0, more_bytes)
        self.size_bytes = size_bytes

    async def next_chunk(self, chunk: Awaitable[bytes | None], within_s: float) -> bytes | None:
        """Wait for the sender's next chunk, and return it; None at the end.

        Raises:
            Transient: the body is slow, and gave way to another.
            TimeoutError: nothing came within the time.
        """
        self._waits_since_s = time.monotonic()
        try:
            async with asyncio.timeout(within_s) as self._wait:
                received = await chunk
        except TimeoutError:
            self._check_gave_way()
            raise
        finally:
            self._wait = None
            self._waited_s += time.monotonic() - self._waits_since_s
        self._check_gave_way()
        self._received_bytes += len(received or b"")
        return received

    def add(self, requests: int, size_bytes: int) -> None:
        """Add this request, or bytes of it, to those in flight. Slow bodies give way until there is room.

        Raises Transient if there is no room.
        """
        self._count(requests, size_bytes)
        for is_of_sharer, share, whose in ((True, _SHARE, " to your source from your address"), (False, 1, "")):
            while (found := self._in_the_way(is_of_sharer, share, requests, size_bytes)) is not None:
                slowest = self._slowest(is_of_sharer)
                if slowest is None:
                    self._count(-requests, -size_bytes)
                    raise Transient(f"{found}{whose} are being received; send this archive again later")
                slowest.give_way()

    def leave(self) -> None:
        """Free the place, once."""
        if self in self._places:
            self._count(-1, -self.size_bytes)
            self._places.discard(self)

    def _count(self, requests: int, size_bytes: int) -> None:
        self._processes.add(REQUESTS, requests)
        self._processes.add(SIZE_BYTES, size_bytes)
        self._processes.add_of_sharer(self._sharer, requests, size_bytes)

    def _in_the_way(self, is_of_sharer: bool, share: float, requests: int, size_bytes: int) -> str | None:
        """Return what else is in flight, if it leaves no room for what was counted of this request."""
        held, held_bytes = self._processes.of_sharer(self._sharer) if is_of_sharer else self._processes.in_flight
        if requests:
            return f"{held - 1} archives" if held > max(1, int(settings().max_requests_in_flight * share)) else None
        is_full = held > 1 and held_bytes > settings().max_bytes_in_flight * share
        return f"{held_bytes - size_bytes} bytes of archives" if is_full else None

    def _slowest(self, is_of_sharer: bool) -> "Place | None":
        now_s = time.monotonic()
        among = [each for each in self._places if not is_of_sharer or each._sharer == self._sharer]
        slow = [each for each in among if each is not self and each.is_slow(now_s)]
        return min(slow, key=lambda each: each.bytes_per_s(now_s), default=None)

    def is_slow(self, now_s: float) -> bool:
        waited_s = self._waited_s + now_s - self._waits_since_s
        return self._wait is not None and waited_s > _SLOW_AFTER_S and self.bytes_per_s(now_s) < _SLOW_BYTES_PER_S

    def bytes_per_s(self, now_s: float) -> float:
        return self._received_bytes / (self._waited_s + now_s - self._waits_since_s)

    def give_way(self) -> None:
        """Free the place at once, and end the wait for the sender."""
        self.leave()
        if self._wait:
            self._wait.reschedule(asyncio.get_running_loop().time())

    def _check_gave_way(self) -> None:
        if self not in self._places:
            raise Transient("the body came slowly while others had no place; send this archive again later")
