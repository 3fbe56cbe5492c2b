"""A loop that ends is restarted, and is reported as down until it has run for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress

import pytest

from adapters.platform.loops import loops_down, next_pause, supervised
from tests.conftest import wait_until


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
