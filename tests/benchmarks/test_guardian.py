"""Every program that a session of tests started ends with the session, however the session ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.platform.processes import command_of_child
from tests.conftest import wait_until

SESSION = Path(__file__).with_name("session.py")
SOME = {"postgres", "weed", "adapters.documents.pdf_examiner", "benchmarks.floor"}
ALL = {
    "postgres",
    "weed",
    "clamd",
    "chromium",
    "cli.programs.prefect_server",
    "cli.main worker",
    "cli.main api",
    "cellar up",
}
OTHERS = [pytest.param(each, marks=pytest.mark.faults) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


@pytest.mark.parametrize("how", [signal.SIGKILL, *OTHERS])
def test_servers_end_with_the_session_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    with session("test_some_services", tmp_path) as started:
        assert_running(SOME, tmp_path)

        assert_ends(started, how, tmp_path)


@pytest.mark.faults
def test_servers_end_with_the_worker_of_xdist_that_started_them(tmp_path: Path) -> None:
    with session("test_some_services", tmp_path, "--numprocesses", "1") as worker:
        assert_running(SOME, tmp_path)

        assert_ends(worker, signal.SIGKILL, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_installation_and_browser_end_with_the_session_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    with session("test_all_services", tmp_path) as started:
        assert_running(ALL, tmp_path)

        assert_ends(started, how, tmp_path)


@contextmanager
def session(test: str, folder: Path, *options: str) -> Iterator[int]:
    """Run a test of `session.py`, and yield the id of its process once all its services have started.

    Every process of the session carries the path of a file in `folder`.
    """
    ready = folder / "ready"
    pytest_ = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, f"{SESSION}::{test}"]
    environment = os.environ | {"SESSION_OF_TESTS": str(ready)}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command_of_child(pytest_), env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(lambda: _is_whole(ready) or started.poll() is not None)
        assert started.poll() is None, (folder / "log").read_text()
        yield int(ready.read_text())
    finally:
        started.kill()
        started.wait()


def _is_whole(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def assert_running(names: set[str], folder: Path) -> None:
    commands = [each.command for each in of_session(folder)]
    assert {name for name in names if not any(name in command for command in commands)} == set()


def assert_ends(pid: int, how: signal.Signals, folder: Path) -> None:
    """Signal a process, and wait until it and every process of its session have ended."""
    before = of_session(folder)
    os.kill(pid, how)
    wait_until(lambda: not (before & living() or of_session(folder)))


@dataclass(frozen=True)
class Process:
    """A process that has not ended. A later process may have the same number, but not the same start."""

    pid: int
    started_at: int
    parent: int = field(compare=False)
    command: str = field(compare=False)
    environment: bytes = field(compare=False)


def of_session(folder: Path) -> set[Process]:
    """Return the processes with the session's variable, and their descendants, which may have overwritten it."""
    every, mark = living(), f"SESSION_OF_TESTS={folder / 'ready'}".encode()
    found = {each for each in every if mark in each.environment.split(b"\0")}
    while more := {each for each in every - found if each.parent in {above.pid for above in found}}:
        found |= more
    return found


def living() -> set[Process]:
    return {found for entry in Path("/proc").iterdir() if entry.name.isdecimal() and (found := _process(entry))}


def _process(entry: Path) -> Process | None:
    with suppress(OSError):
        state, parent, *fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
        if state not in "ZX":  # Z, X: ended, and not yet waited for
            return Process(int(entry.name), int(fields[17]), int(parent), command, (entry / "environ").read_bytes())
    return None
