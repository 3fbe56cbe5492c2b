"""Receiver, worker and Prefect server get SIGTERM under load, as in a deployment, and are started again."""

import time
from collections.abc import Callable

import pytest

from tests.faults.installation import Installation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", ["receiver", "worker", "prefect"])
def test_archives_are_completed_once_when_a_process_is_stopped_under_load(
    parts: Installation, survives: Callable[..., None], name: str
) -> None:
    def _fault() -> None:
        for _ in range(2):
            time.sleep(3)
            parts.parts[name].terminate()
            parts.parts[name].start()

    survives(parts, _fault)
