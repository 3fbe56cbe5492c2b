"""Measures anew what was measured a while ago, and serves the old value meanwhile."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from models.errors import Transient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T
    at_s: float


@dataclass(slots=True)
class Recent(Generic[T]):
    """A value that is measured in a thread, once at a time, while somebody asks for it.

    A value younger than `fresh_s` is served as it is. An older value is served while it is measured anew. A value older
    than `old_s` is not served.
    """

    measure: Callable[[], T]
    fresh_s: float
    old_s: float
    _result: _Result[T] | None = None
    _ended: threading.Event | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Begin to measure unless the value is fresh, or is being measured."""
        with self._lock:
            if self._ended is None and self._value(self.fresh_s) is None:
                self._ended = threading.Event()
                threading.Thread(target=self._measure, args=(self._ended,), daemon=True).start()

    def value(self, within_s: float) -> T | None:
        """Return the value. Without a value that may be served, wait up to `within_s` for it, then return None."""
        self.begin()
        with self._lock:
            ended = self._ended
        if self._value(self.old_s) is None and ended:
            ended.wait(within_s)
        return self._value(self.old_s)

    def settle(self) -> None:
        """Wait until nothing is being measured."""
        with self._lock:
            ended = self._ended
        if ended:
            ended.wait()

    def _value(self, youngest_s: float) -> T | None:
        result = self._result
        return result.value if result and time.monotonic() - result.at_s < youngest_s else None

    def _measure(self, ended: threading.Event) -> None:
        try:
            value = self.measure()
        except (Transient, OSError):  # nothing is known now; the next question measures again
            pass
        else:
            self._result = _Result(value, time.monotonic())
        finally:
            with self._lock:
                self._ended = None
            ended.set()
