"""Each process is killed at random moments and started again, as systemd does.

KILLS=1000 kills each of them a thousand times (default: 3).
"""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.faults.installation import Installation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(36_000)]

_KILLS = int(os.environ.get("KILLS", "3"))
_SEED = int(os.environ.get("SEED", "20261126"))
_ARCHIVES_A_KILL = 8


@pytest.mark.parametrize("name", ["receiver", "worker", "prefect"])
def test_acknowledged_archives_are_kept_once_when_a_process_is_killed(
    parts: Installation, survives: Callable[..., None], name: str
) -> None:
    _kill_again_and_again(parts, survives, name)


@pytest.mark.parametrize("name", ["database", "s3"])
def test_acknowledged_archives_are_kept_once_when_a_server_is_killed(
    distributed_parts: Installation, survives: Callable[..., None], name: str
) -> None:
    _kill_again_and_again(distributed_parts, survives, name)


def _kill_again_and_again(made: Installation, survives: Callable[..., None], name: str) -> None:
    chance = random.Random(f"{_SEED} {name}")

    def _fault() -> None:
        for _ in range(_KILLS):
            time.sleep(chance.uniform(0.1, 3))
            made.parts[name].kill()
            made.parts[name].start()

    survives(made, _fault, archives=_ARCHIVES_A_KILL * _KILLS, pause_s=0.5)
