"""Installations that several faults share, and the table of recovery times at the end of the run."""

import time
from collections.abc import Iterator

import pytest

from tests.conftest import wait_until
from tests.distributed.stack import Stack
from tests.faults.installation import Installation, distributed, embedded
from tests.faults.kept_once import assert_kept_once, not_yet_completed
from tests.faults.load import Sent
from tests.installations import installed

GOAL_S = 60
_COMPLETED_WITHIN_S = 600  # this machine may be busy; the figure itself is printed
_recovered: list[tuple[str, int, float]] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _recovered:
        terminalreporter.section(f"seconds from the end of a fault to all Completed (goal: {GOAL_S})")
        for fault, archives, seconds in _recovered:
            terminalreporter.write_line(f"{fault:<58} {archives:>5} archives {seconds:>7.1f} s")


@pytest.fixture(scope="session")
def embedded_parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with embedded(tmp_path_factory.mktemp("embedded")) as made:
        yield made


@pytest.fixture(scope="session")
def distributed_parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with distributed(tmp_path_factory.mktemp("distributed")) as made:
        yield made


@pytest.fixture(params=["embedded_parts", "distributed_parts"])
def parts(request: pytest.FixtureRequest) -> Installation:
    made: Installation = request.getfixturevalue(request.param)
    return made


def completed(made: Installation | Stack, sent: Sent, fault: str, ended_s: float) -> None:
    """Wait until everything is Completed, note how long it took since the fault ended, and check it."""
    with installed(made.folder, **_values(made)):
        wait_until(lambda: not_yet_completed(sent) == 0, timeout_s=_COMPLETED_WITHIN_S)
        _recovered.append((fault, len(sent.acknowledged), time.monotonic() - ended_s))
        assert_kept_once(sent)


def _values(made: Installation | Stack) -> dict[str, str]:
    if isinstance(made, Installation):
        return made.values
    return {name: value for name, value in made.environment.items() if name.startswith(("CELLAR_", "AWS_"))}
