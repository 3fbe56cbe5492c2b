"""Work is durable, grouped, restarted when it ends, and counted beside other processes."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.platform.durable import write_file
from adapters.platform.grouping import Grouped
from adapters.platform.loops import loops_down, next_pause, supervised
from adapters.platform.shared_numbers import SharedNumbers
from models.errors import Transient
from tests.conftest import LONGEST_S, wait_until


def test_write_makes_its_folder_and_leaves_nothing_if_it_fails(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "folder" / "file", b"data")
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"data"

    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "new", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


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


@pytest.mark.parametrize("lived_s", [0, 5, 30])
def test_pauses_of_what_ends_soon_after_its_start_double_up_to_thirty_seconds(lived_s: float) -> None:
    pauses = [next_pause(0, lived_s)]
    for _ in range(6):
        pauses.append(next_pause(pauses[-1], lived_s))
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("previous_s", [0, 1, 30])
def test_what_was_healthy_begins_again_at_once_whatever_it_waited_before(previous_s: float) -> None:
    assert next_pause(previous_s, lived_s=30.1) == 0
    assert next_pause(0, lived_s=5) == 1


class Loop:
    """A loop that ends at its first start and keeps running from its second start."""

    def __init__(self, end: BaseException | None) -> None:
        self._end = end
        self.starts = 0

    async def __call__(self) -> None:
        self.starts += 1
        if self.starts > 1:
            await asyncio.Event().wait()
        if self._end:
            raise self._end


def test_restarted_loop_is_down_until_it_has_run_for_a_while_however_it_ended() -> None:
    loops = {
        "RuntimeError": Loop(RuntimeError()),
        "CancelledError": Loop(asyncio.CancelledError()),
        "no error": Loop(None),
    }

    async def _watch() -> None:
        down = {why: why for why in loops}
        await _until(lambda: loops_down() == down)
        await _until(lambda: all(each.starts == 2 for each in loops.values()))
        assert loops_down() == down
        await _until(lambda: not loops_down())

    asyncio.run(_beside(loops, _watch))


def test_loop_that_keeps_ending_stays_down() -> None:
    starts: list[dict[str, str]] = []

    async def _loop() -> None:
        starts.append(loops_down())
        raise RuntimeError

    asyncio.run(_beside({"the loop": _loop}, lambda: _until(lambda: len(starts) == 3)))

    assert starts == [{}, {"the loop": "RuntimeError"}, {"the loop": "RuntimeError"}]
    assert loops_down() == {}


class Broken(logging.Handler):
    """A handler that raises at every record."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(28, record.name)


@pytest.fixture
def broken_log() -> Iterator[None]:
    handler = Broken()
    logging.getLogger("adapters.platform.loops").addHandler(handler)
    yield
    logging.getLogger("adapters.platform.loops").removeHandler(handler)


@pytest.mark.usefixtures("broken_log")
def test_loop_restarts_even_when_logging_its_end_fails() -> None:
    loop = Loop(RuntimeError())

    asyncio.run(_beside({"the loop": loop}, lambda: _until(lambda: loop.starts == 2)))

    assert loop.starts == 2


async def _beside(loops: Mapping[str, Callable[[], Awaitable[None]]], watch: Callable[[], Awaitable[None]]) -> None:
    tasks = [asyncio.create_task(supervised(name, loop)) for name, loop in loops.items()]
    try:
        await watch()
        assert not any(each.done() for each in tasks)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
_WRITE = """
import sys
from adapters.platform.shared_numbers import SharedNumbers
shared = SharedNumbers(int(sys.argv[1]), 2, 3)
shared.put(1, 2, -5)
print(shared.total(2), shared.is_leader())"""


@given(st.lists(NUMBERS, min_size=12, max_size=12), NUMBERS)
def test_number_is_found_where_it_stands_in_its_part(numbers: list[int], sought: int) -> None:
    """Also where the bytes of two neighbours contain those of the sought number."""
    shared = SharedNumbers.made(3, 4)
    for index, number in enumerate(numbers):
        shared.put(index // 4, index % 4, number)
    for candidate in (sought, *numbers):
        for part in range(3):
            of_part = numbers[4 * part + 1 : 4 * part + 4]
            expected = 1 + of_part.index(candidate) if candidate in of_part else None
            assert shared.place_of(candidate, part, 1, 4) == expected


def test_clearing_a_part_leaves_the_others() -> None:
    shared = SharedNumbers.made(2, 2)
    for part in range(2):
        for place in range(2):
            shared.put(part, place, 1 + part)

    shared.clear(0)

    assert (shared.column(0), shared.column(1), shared.total(1)) == ([0, 2], [0, 2], 2)


def test_other_process_writes_its_part_and_gets_the_turn_when_it_is_free() -> None:
    shared = SharedNumbers.made(2, 3)
    shared.put(0, 2, 7)
    assert shared.is_leader()
    assert shared.is_leader()  # it keeps it

    assert said_by_another(shared) == "2 False"

    assert shared.column(2) == [7, -5]


def test_killed_process_loses_its_turn_to_another() -> None:
    shared = SharedNumbers.made(2, 3)
    command = [sys.executable, "-c", f"{_WRITE}; sys.stdout.flush(); sys.stdin.read()", str(shared.descriptor)]
    with subprocess.Popen(
        command, pass_fds=[shared.descriptor], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline().strip() == "-5 True"
        assert not shared.is_leader()
        holder.kill()

    assert shared.is_leader()


def said_by_another(shared: SharedNumbers) -> str:
    command = [sys.executable, "-c", _WRITE, str(shared.descriptor)]
    done = subprocess.run(command, pass_fds=[shared.descriptor], capture_output=True, text=True, check=True)
    return done.stdout.strip()
