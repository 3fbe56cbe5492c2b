"""A measurement that hangs occupies one thread, and delays no scrape beyond its patience."""

import asyncio
import threading
from collections.abc import Iterator
from threading import Event

from models.errors import Transient
from services.monitoring.measuring import Measurement
from tests.conftest import LONGEST_S


def test_hanging_measurement_is_missing_until_it_ends() -> None:
    may_end = Event()

    def measure() -> int:
        may_end.wait(LONGEST_S)
        return 7

    async def scrapes() -> tuple[list[int | None], int | None]:
        before = set(threading.enumerate())
        measurement = Measurement("hanging", measure)
        meanwhile = await asyncio.gather(*(measurement.recent() for _ in range(10)))
        assert len(set(threading.enumerate()) - before) == 1
        may_end.set()
        return meanwhile, await measurement.recent()

    assert asyncio.run(scrapes()) == ([None] * 10, 7)


def test_one_measurement_serves_the_scrapes_of_some_seconds() -> None:
    measured: list[int] = []

    def measure() -> int:
        measured.append(len(measured))
        return measured[-1]

    async def scrapes() -> list[int | None]:
        measurement = Measurement("counting", measure)
        return [await measurement.recent() for _ in range(3)]

    assert asyncio.run(scrapes()) == [0, 0, 0]


def test_what_does_not_answer_is_measured_again_at_the_next_scrape() -> None:
    answers: Iterator[int | Exception] = iter([Transient("away"), OSError("gone"), 3])

    def measure() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scrapes() -> list[int | None]:
        measurement = Measurement("away", measure)
        return [await measurement.recent() for _ in range(3)]

    assert asyncio.run(scrapes()) == [None, None, 3]
