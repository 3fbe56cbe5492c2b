"""Work in a thread ends before the caller that awaits it."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path

import pytest

from adapters.platform.cancellation import (
    Deadline,
    Stopped,
    at_once,
    checkpoint,
    clock,
    in_thread,
    limited,
    one_fate,
    pausing,
)
from adapters.settings.settings import settings
from adapters.store.objects.requests import stored_request
from models.errors import Transient
from services.processing.persisting import persist
from tests.conftest import LONGEST_S
from tests.flows.conftest import received
from tests.samples import sample_body

who: ContextVar[str] = ContextVar("who", default="nobody")


class Endless:
    """Work that runs until a checkpoint stops it, then cleans up until `may_end` is set."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()
        self.was_stopped = False
        self.has_ended = False

    def __call__(self) -> None:
        self.began.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.001)
        except Stopped:
            self.was_stopped = True
            time.sleep(0.2)
            self.may_end.wait(LONGEST_S)
            raise
        finally:
            self.has_ended = True


async def begun(work: Endless) -> "asyncio.Task[None]":
    waiting = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(work.began.wait, LONGEST_S)
    return waiting


def test_work_gets_arguments_and_context_and_returns_a_result() -> None:
    def greet(greeting: str, *, mark: str) -> str:
        return f"{greeting} {who.get()}{mark}"

    async def ask() -> str:
        who.set("caller")
        return await in_thread(greet, "hello", mark="!")

    assert asyncio.run(ask()) == "hello caller!"


def test_error_of_the_work_reaches_the_caller() -> None:
    def fail() -> None:
        raise Transient("the world is down")

    with pytest.raises(Transient, match="the world is down"):
        asyncio.run(in_thread(fail))


def test_checkpoint_outside_of_a_thread_does_nothing() -> None:
    checkpoint()


@pytest.mark.parametrize("cancellations", [1, 2, 3])
def test_cancelled_work_ends_before_its_caller(cancellations: int) -> None:
    work = Endless()
    work.may_end.clear()

    async def run() -> bool:
        waiting = await begun(work)
        for _ in range(cancellations):
            waiting.cancel()
            await asyncio.sleep(0.02)
        assert not waiting.done()
        work.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return work.has_ended

    assert asyncio.run(run())
    assert work.was_stopped


def test_work_past_its_deadline_stops_and_can_be_retried() -> None:
    """The process was suspended, so that no event loop has stopped the thread."""
    work = Endless()

    async def run() -> None:
        deadline = Deadline(clock() + 60)
        with limited(deadline.check):
            waiting = await begun(work)
            deadline.at_s = clock()
            with pytest.raises(Transient, match="stood still"):
                await waiting
            with pytest.raises(Transient, match="stood still"):
                await in_thread(checkpoint)
            deadline.at_s = clock() + 60
            await in_thread(checkpoint)

    asyncio.run(run())
    assert work.has_ended


def test_work_that_is_cancelled_in_a_pause_does_not_go_on() -> None:
    pauses, may_go_on, went_on = threading.Event(), threading.Event(), list[str]()

    def _pause() -> None:
        pauses.set()
        may_go_on.wait(LONGEST_S)

    def _work() -> None:
        went_on.append("went on")

    async def run() -> None:
        with pausing(_pause):
            waiting = asyncio.create_task(in_thread(_work))
        await asyncio.to_thread(pauses.wait, LONGEST_S)
        waiting.cancel()
        await asyncio.sleep(0.02)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert not went_on


def test_cancelling_one_work_does_not_stop_another() -> None:
    cancelled, other = Endless(), Endless()

    async def run() -> None:
        first, second = await begun(cancelled), await begun(other)
        first.cancel()
        await asyncio.wait({first})
        assert not second.done()
        assert not other.was_stopped
        second.cancel()
        await asyncio.wait({second})

    asyncio.run(run())


def test_timeout_around_work_stops_it_and_raises_timeout_error() -> None:
    work = Endless()

    async def run() -> None:
        async with asyncio.timeout(None) as limit:
            waiting = await begun(work)
            limit.reschedule(0)
            await waiting

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert work.has_ended


@pytest.mark.usefixtures("sqlite_installation")
def test_cancelled_persisting_stops_early_and_leaves_nothing_behind() -> None:
    body = sample_body(signed_document={"content": "QUJD" * (25 << 20)})
    delivery = received("process-1", body)
    spool = Path(settings().store_location) / "spool"

    async def run() -> int:
        persisting = asyncio.create_task(in_thread(persist, "process-1", delivery.receipt_id))
        while not _written_bytes(spool):
            assert not persisting.done()
            await asyncio.sleep(0.001)
        persisting.cancel()
        most_bytes = 0
        while not persisting.done():
            most_bytes = max(most_bytes, _written_bytes(spool))
            await asyncio.sleep(0.001)
        assert persisting.cancelled()
        return most_bytes

    assert asyncio.run(run()) < 3 * (25 << 20)
    assert list(spool.iterdir()) == []
    assert stored_request("process-1", delivery.receipt_id) is None
    assert persist("process-1", delivery.receipt_id)


def _written_bytes(spool: Path) -> int:
    """Return the size of the largest unfinished file."""
    sizes = [0]
    with suppress(FileNotFoundError):  # removed since it was listed
        for path in spool.rglob("*.part"):
            sizes.append(path.stat().st_size)
    return max(sizes)


def test_threads_of_a_block_stop_when_the_block_fails() -> None:
    def work() -> None:
        while True:
            checkpoint()
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as threads:
        with suppress(KeyboardInterrupt), one_fate():
            working = threads.submit(copy_context().run, work)
            raise KeyboardInterrupt

        assert isinstance(working.exception(timeout=LONGEST_S), Stopped)
    checkpoint()


def test_works_at_once_run_beside_each_other_in_the_context_of_the_caller() -> None:
    together, seen = threading.Barrier(3, timeout=LONGEST_S), list[str]()
    who.set("caller")

    def work() -> None:
        together.wait()
        seen.append(who.get())

    at_once(*[work] * 3)

    assert seen == ["caller"] * 3


def test_failure_of_one_of_many_works_is_raised_after_the_begun_works_and_before_the_other_works() -> None:
    may_end, begun, ended = threading.Event(), list[int](), list[int]()

    def fail() -> None:
        may_end.set()
        raise Transient("the bucket is away")

    def work(number: int) -> None:
        begun.append(number)
        may_end.wait(LONGEST_S)
        time.sleep(0.2)
        ended.append(number)

    with pytest.raises(Transient, match="away"):
        at_once(fail, *(partial(work, number) for number in range(100)))

    assert sorted(begun) == sorted(ended)
    assert len(begun) < 100
    checkpoint()  # the caller may go on
