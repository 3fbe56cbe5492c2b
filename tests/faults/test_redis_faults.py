"""Redis, which carries the messages between Prefect's servers, loses everything or is killed.

Runs the whole distributed form (`tests/distributed/stack.py`), which needs the packages valkey and nginx.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from redis import Redis

from tests.distributed.stack import Stack, distributed
from tests.faults.conftest import completed
from tests.faults.load import under_load
from tests.installations import installed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

_ARCHIVES = 30


@dataclass(frozen=True)
class _Distributed:
    stack: Stack

    @contextmanager
    def looked_into(self) -> Iterator[None]:
        given = {name: value for name, value in self.stack.environment.items() if name.startswith(("CELLAR_", "AWS_"))}
        with installed(self.stack.folder, **given):
            yield


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with distributed(tmp_path_factory.mktemp("redis-faults")) as made:
        yield made


def test_archives_are_completed_once_when_redis_is_flushed(stack: Stack) -> None:
    def _fault() -> None:
        with Redis.from_url(stack.redis_url) as server:
            for _ in range(3):
                time.sleep(2)
                server.flushall()

    _survives(stack, _fault, "Redis flushed three times")


def test_archives_are_completed_once_when_redis_is_killed(stack: Stack) -> None:
    def _fault() -> None:
        time.sleep(2)
        stack["redis"].kill()
        time.sleep(5)
        stack["redis"].start()

    _survives(stack, _fault, "Redis killed, 5 s away")


def _survives(stack: Stack, fault: Callable[[], None], name: str) -> None:
    references = [f"{name}-{number}" for number in range(_ARCHIVES)]
    with under_load(stack.url, stack.secret, references, 0.3) as sent:
        fault()
        ended_s = time.monotonic()
    completed(_Distributed(stack), sent, name, ended_s)
