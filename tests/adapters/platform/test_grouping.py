"""Work of many callers that is done together."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from adapters.platform.grouping import Grouped
from models.errors import Transient
from tests.conftest import LONGEST_S


class Ledger:
    """Doubles numbers, and remembers its groups. The first group waits until it may end."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        self.has_begun.set()
        self.may_end.wait(LONGEST_S)
        if -1 in numbers:
            raise ValueError("no such number")
        if 0 in numbers:
            raise Transient("away")
        return [2 * each for each in numbers]


async def _first_then(ledger: Ledger, grouped: Grouped[int, int], numbers: Sequence[int]) -> list[int | BaseException]:
    first = asyncio.create_task(grouped.done(1))
    await asyncio.to_thread(ledger.has_begun.wait, LONGEST_S)
    others = [asyncio.create_task(grouped.done(each)) for each in numbers]
    await asyncio.sleep(0)
    ledger.may_end.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_items_that_arrive_during_the_work_are_done_together_in_groups_of_a_size() -> None:
    ledger = Ledger()

    results = asyncio.run(_first_then(ledger, Grouped(ledger, most=3), [2, 3, 4, 5]))

    assert results == [2, 4, 6, 8, 10]
    assert ledger.groups == [[1], [2, 3, 4], [5]]


def test_item_that_fails_fails_no_other_item_of_its_group() -> None:
    ledger = Ledger()

    first, second, third, fourth = asyncio.run(_first_then(ledger, Grouped(ledger, most=10), [2, -1, 4]))

    assert (first, second, fourth) == (2, 4, 8)
    assert isinstance(third, ValueError)


def test_group_that_meets_an_outage_is_not_tried_item_by_item() -> None:
    ledger = Ledger()

    _, *others = asyncio.run(_first_then(ledger, Grouped(ledger, most=10), [2, 0]))

    assert [type(each) for each in others] == [Transient, Transient]
    assert ledger.groups == [[1], [2, 0]]


def test_item_of_a_cancelled_caller_is_done_before_the_cancellation_goes_on() -> None:
    ledger = Ledger()
    grouped = Grouped(ledger, most=10)

    async def cancelled() -> bool:
        caller = asyncio.create_task(grouped.done(1))
        await asyncio.to_thread(ledger.has_begun.wait, LONGEST_S)
        caller.cancel()
        await asyncio.sleep(0)
        was_done = caller.done()
        ledger.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return was_done

    assert asyncio.run(cancelled()) is False


def test_callers_of_several_loops_share_a_group() -> None:
    ledger = Ledger()
    ledger.may_end.set()
    grouped = Grouped(ledger, most=10)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(grouped.done(7)))) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert results == [14] * 5
