"""Prefect's internals that take items of its queues. The test fails if a release changes them."""

import inspect
import logging
from typing import Any

import pytest
from prefect._internal._logging import SafeLogger, logger
from prefect._internal.concurrency.services import BatchedQueueService, QueueService, _QueueServiceBase

from flows.worker import prefect_queues


class _Lines(BatchedQueueService[int]):
    _max_batch_size, _min_interval = 10, 0.2

    async def _handle_batch(self, items: list[int]) -> None:
        handled.append(items)


class _Events(QueueService[int]):
    async def _handle(self, item: int) -> None:
        handled.append([item])


handled: list[list[int]] = []


@pytest.mark.parametrize(("kind", "expected"), [(_Events, [[1], [2], [3]]), (_Lines, [[1, 2, 3]])])
def test_queues_keep_order_and_end_with_all_items_handled(
    monkeypatch: pytest.MonkeyPatch, kind: Any, expected: list[list[int]]
) -> None:
    assert list(inspect.signature(prefect_queues._take).parameters) == ["self", "timeout"]
    for its, name in ((_QueueServiceBase, "_get_item"), (SafeLogger, "isEnabledFor")):
        monkeypatch.setattr(its, name, getattr(its, name))
    prefect_queues.look_in_turns()
    handled.clear()
    service = kind.instance()
    monkeypatch.setattr(service._queue_get_thread, "submit", None)  # no thread waits for the next item
    for each in (1, 2, 3):
        service.send(each)
    service.drain()
    assert handled == expected
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)
