"""The processes of one receiver, as each of them sees the others: what they hold, and how they are.

Each process has a part of a shared memory. A receiver of one process is a part alone.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import lru_cache

from adapters.observation.log import failed_writes
from adapters.platform.loops import in_background, loops_down
from adapters.platform.shared_numbers import SharedNumbers
from adapters.settings.settings import settings

PID, BEATS, REQUESTS, SIZE_BYTES, LOOPS_DOWN, FAILED_LOG_WRITES, SOURCES_STATE, DROPPED, HOUR = range(9)
"""The places of a process's numbers in its part. `BEATS` grows each second, and is 0 until the process serves."""
_TURNED_AWAY = 9
_CODES = (
    *("UNAUTHORIZED", "UNKNOWN_PATH", "TOO_LARGE", "TOO_MANY_FILES", "TOO_MANY_VALUES", "SKELETON_TOO_LARGE"),
    *("ADDRESS_NOT_ALLOWED", "UNAVAILABLE", "INTERNAL", "CONFLICT", "OTHER"),
)
_FIRST_ROW = _TURNED_AWAY + len(_CODES)
_BEAT_S = 1.0
_MOST_KNOWN_SHARERS = 10_000


def made_memory(processes: int) -> SharedNumbers:
    """Make the shared memory of a receiver."""
    return SharedNumbers.made(processes, _width())


class Processes:
    """The processes of this receiver, seen from one of them."""

    def __init__(self, memory: SharedNumbers, number: int, parent: int | None = None) -> None:
        """Join as the process `number`, counted from 0. `parent` started the processes."""
        self._memory = memory
        self._own = number
        self._parent = parent
        self._rows = _rows()
        self._free = list(range(self._rows))
        self._row_of: dict[int, int] = {}
        self.set(PID, os.getpid())

    @classmethod
    def alone(cls) -> "Processes":
        """Return the view of a process that is the whole receiver."""
        return cls(made_memory(1), 0)

    @classmethod
    def joined(cls, descriptor: int, processes: int, number: int, parent: int) -> "Processes":
        """Return the view of a process that was started beside others, from the descriptor of `made_memory`."""
        return cls(SharedNumbers(descriptor, processes, _width()), number, parent)

    def set(self, place: int, number: int) -> None:
        self._memory.put(self._own, place, number)

    def add(self, place: int, number: int) -> None:
        self._memory.put(self._own, place, self._memory.get(self._own, place) + number)

    def total(self, place: int) -> int:
        return self._memory.total(place)

    @property
    def in_flight(self) -> tuple[int, int]:
        """The number of requests in flight in all processes, and their bytes."""
        return self.total(REQUESTS), self.total(SIZE_BYTES)

    def of_others(self, place: int) -> int:
        return self._memory.total(place) - self._memory.get(self._own, place)

    def worst(self, place: int) -> int:
        """Return the largest number at a place of the processes that serve."""
        pairs = zip(self._memory.column(place), self._memory.column(BEATS), strict=True)
        return max((number for number, beats in pairs if beats), default=self._memory.get(self._own, place))

    @property
    def serving(self) -> int:
        """How many processes serve."""
        return sum(map(bool, self._memory.column(BEATS)))

    @property
    def pids(self) -> list[int]:
        """The processes of the receiver, its parent first."""
        return [pid for pid in (self._parent, *self._memory.column(PID)) if pid]

    def is_leader(self) -> bool:
        """Return whether this process leads: it searches the inbox for all processes of the receiver."""
        return self._memory.is_leader()

    def add_turned_away(self, code: str, hour: int) -> None:
        """Count a request that this process turned away in an hour of the clock, which is numbered."""
        if self._memory.get(self._own, HOUR) != hour:
            for place in range(_TURNED_AWAY, _FIRST_ROW):
                self.set(place, 0)
            self.set(HOUR, hour)
        self.add(_TURNED_AWAY + _CODES.index(code if code in _CODES else "OTHER"), 1)

    def turned_away(self, hour: int) -> dict[str, int]:
        """Return how many requests all processes turned away in an hour, by code."""
        parts = [part for part, its_hour in enumerate(self._memory.column(HOUR)) if its_hour == hour]
        by_code = {
            code: sum(self._memory.get(part, place) for part in parts)
            for place, code in enumerate(_CODES, _TURNED_AWAY)
        }
        return {code: number for code, number in by_code.items() if number}

    def add_of_sharer(self, sharer: str, requests: int, size_bytes: int) -> None:
        """Count requests and bytes of a sharer, a source at an address, among those of this process."""
        key = _key_of(sharer)
        if key not in self._row_of:
            self._row_of[key] = self._free.pop()
            self.set(_FIRST_ROW + self._row_of[key], key)
        row = self._row_of[key]
        self.add(_FIRST_ROW + self._rows + row, requests)
        self.add(_FIRST_ROW + 2 * self._rows + row, size_bytes)
        if not self._memory.get(self._own, _FIRST_ROW + self._rows + row):
            self.set(_FIRST_ROW + row, 0)
            self._free.append(self._row_of.pop(key))

    def of_sharer(self, sharer: str) -> tuple[int, int]:
        """Return the requests and bytes of a sharer in all processes."""
        key = _key_of(sharer)
        requests = size_bytes = 0
        for part in range(self._memory.parts):
            place = self._memory.place_of(key, part, _FIRST_ROW, _FIRST_ROW + self._rows)
            if place is not None:
                requests += self._memory.get(part, place + self._rows)
                size_bytes += self._memory.get(part, place + 2 * self._rows)
        return requests, size_bytes

    def beating(self, sources_state: Callable[[], int]) -> AbstractAsyncContextManager[None]:
        """Show the others each second that this process serves, and how it is."""
        return in_background(self._beat_repeatedly(sources_state))

    async def _beat_repeatedly(self, sources_state: Callable[[], int]) -> None:
        while True:
            self.show(sources_state())
            self.add(BEATS, 1)
            await asyncio.sleep(_BEAT_S)

    def show(self, sources_state: int) -> None:
        """Show the others how this process is now."""
        self.set(LOOPS_DOWN, len(loops_down()))
        self.set(FAILED_LOG_WRITES, failed_writes())
        self.set(SOURCES_STATE, sources_state)


def _rows() -> int:
    """Return the rows of sharers of a process: all requests in flight, and one that is about to be refused."""
    return settings().max_requests_in_flight + 1


def _width() -> int:
    return _FIRST_ROW + 3 * _rows()


@lru_cache(_MOST_KNOWN_SHARERS)
def _key_of(sharer: str) -> int:
    """Return a number that stands for a sharer, never 0."""
    return int.from_bytes(hashlib.blake2b(sharer.encode(), digest_size=8).digest(), "little", signed=True) or 1
