"""Whole numbers in memory that several processes share.

The memory has a part for each process. A process writes its own part alone and reads all parts, so nobody waits for a
lock, and what a killed process has left can be cleared by its parent. Each number is written at once: no reader sees
half of it.
"""

import fcntl
import mmap
import os

_BYTES = 8


class SharedNumbers:
    """Parts of `width` whole numbers each, all 0 at first. Numbers are signed and have 64 bits."""

    def __init__(self, descriptor: int, parts: int, width: int) -> None:
        """Use the memory behind a descriptor of `made`, which the processes inherit."""
        self.descriptor = descriptor
        self._width = width
        self.parts = parts
        self._memory = mmap.mmap(descriptor, parts * width * _BYTES)
        self._numbers = memoryview(self._memory).cast("q")

    @classmethod
    def made(cls, parts: int, width: int) -> "SharedNumbers":
        """Make new memory. It is gone with the last process that has it."""
        descriptor = os.memfd_create("cellar")
        os.ftruncate(descriptor, parts * width * _BYTES)
        return cls(descriptor, parts, width)

    def get(self, part: int, place: int) -> int:
        return self._numbers[part * self._width + place]

    def put(self, part: int, place: int, number: int) -> None:
        self._numbers[part * self._width + place] = number

    def column(self, place: int) -> list[int]:
        """Return the number at a place of each part."""
        return self._numbers[place :: self._width].tolist()

    def total(self, place: int) -> int:
        """Return the sum of the numbers at a place of all parts."""
        return sum(self._numbers[place :: self._width])

    def place_of(self, number: int, part: int, first: int, end: int) -> int | None:
        """Return where a number stands among the places from `first` to `end` of a part. None if it is not there."""
        sought = number.to_bytes(_BYTES, "little", signed=True)
        begin_byte = part * self._width * _BYTES
        at, end_byte = begin_byte + first * _BYTES, begin_byte + end * _BYTES
        while (at := self._memory.find(sought, at, end_byte)) >= 0:
            if at % _BYTES == 0:
                return (at - begin_byte) // _BYTES
            at += 1
        return None

    def clear(self, part: int) -> None:
        """Set a part to 0. Its process must have ended."""
        begin = part * self._width * _BYTES
        self._memory[begin : begin + self._width * _BYTES] = bytes(self._width * _BYTES)

    def is_leader(self) -> bool:
        """Take the lead, which one process at a time has, and return whether this process has it now.

        The kernel lets another process have it when this process ends, even by SIGKILL.
        """
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError:
            return False
        return True
