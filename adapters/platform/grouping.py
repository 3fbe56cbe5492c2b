"""Does the work of many callers together, where one transaction for all costs hardly more than one for each."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from adapters.platform.cancellation import until_ended
from models.errors import Transient

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    result: "Future[Result]" = field(default_factory=Future)


class Grouped(Generic[Item, Result]):
    """Does work for the items of many callers, in a thread. What arrives while the work is under way is done together
    afterwards: nobody waits for company, and the groups grow with the load.

    `work` takes items and returns their results in the same order.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._lock = threading.Lock()
        self._is_working = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="grouped")

    async def done(self, item: Item) -> Result:
        """Return the result for an item, whatever becomes of the other items of its group.

        An item is done even if its caller is cancelled: cancellation continues after that.
        """
        result = asyncio.wrap_future(self._begun(item))
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            await until_ended(result)
            raise

    def done_in_thread(self, item: Item) -> Result:
        """Do as `done`, for a caller that is a thread and may wait."""
        return self._begun(item).result()

    def _begun(self, item: Item) -> "Future[Result]":
        waiting = _Waiting[Item, Result](item)
        waiting.result.set_running_or_notify_cancel()  # nobody can cancel it now
        with self._lock:
            self._waiting.append(waiting)
            if not self._is_working:
                self._is_working = True
                self._thread.submit(self._do_all)
        return waiting.result

    def _do_all(self) -> None:
        while group := self._next():
            self._do(group)

    def _next(self) -> list[_Waiting[Item, Result]]:
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._is_working = bool(group)
            return group

    def _do(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = self._work([each.item for each in group])
        except Exception as error:  # noqa: BLE001 -- each caller gets it
            if len(group) > 1 and not isinstance(error, Transient):
                for each in group:  # one item must not fail the others
                    self._do([each])
                return
            for each in group:
                each.result.set_exception(error)
        else:
            for each, result in zip(group, results, strict=True):
                each.result.set_result(result)
