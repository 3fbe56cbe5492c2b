"""Runs programs as children of the benchmark, each in a process group of its own and with a log."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.platform.processes import command_of_child
from cli.programs.supervisor import Program

_STOP_WITHIN_S = 20
_RUN_WITHIN_S = 120

Process = subprocess.Popen[bytes]


@contextmanager
def running(program: Program, log_folder: Path) -> Iterator[Process]:
    """Run a program until the block ends. The program also gets SIGTERM when the benchmark is killed."""
    process = _started(program, log_folder)
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_WITHIN_S)
                break


def run(program: Program, log_folder: Path) -> None:
    """Run a program to its end.

    Raises:
        ChildProcessError: the program failed; its log says why.
    """
    if _started(program, log_folder).wait(_RUN_WITHIN_S):
        raise ChildProcessError(f"{program.name} failed; see {log_folder}")


def _started(program: Program, log_folder: Path) -> Process:
    with (log_folder / f"{program.name}.log").open("ab") as log:
        return subprocess.Popen(
            command_of_child(program.command),
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
