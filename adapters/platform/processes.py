"""Starts and ends Linux child processes so that none is left behind.

Run as a program, this file starts a supervised child, see `main`. It imports only the standard library, so that the
child starts fast.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_AGAIN_S = 0.05


def command_of_child(command: Sequence[str]) -> list[str]:
    """Return the command that starts `command` as a child that ends when this process ends, even by SIGKILL.

    It starts an interpreter that `command` replaces after 20 ms: `preexec_fn` is not safe beside the threads of a
    progress display.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends.

    Prefect's worker starts each flow run in a session of its own, so ending the worker's process group misses the runs.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap(spared: Collection[int]) -> None:
    """Reap the adopted children that have ended, except `spared`. No other code waits for them."""
    for pid, state in _children():
        if state == "Z" and pid not in spared:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


async def end_children(spared: Collection[int] = (), *, within_s: float) -> None:
    """End every child that is not spared: SIGTERM, then SIGKILL after `within_s`. Return when none is left.

    The children of a child that ends become children of this process (`adopt_orphans`) and are ended as well.
    """
    await _end(lambda: (pid for pid, state in _children() if state != "Z" and pid not in spared), within_s)


async def end_marked(mark: str, *, within_s: float) -> int:
    """End every process whose initial environment contains the mark `NAME=value`, and return how many."""
    return await _end(lambda: (pid for pid in _pids() if pid != os.getpid() and _carries(pid, mark)), within_s)


async def _end(left: Callable[[], Iterable[int]], within_s: float) -> int:
    deadline = time.monotonic() + within_s
    told: set[int] = set()
    while pids := list(left()):
        late = time.monotonic() >= deadline
        for pid in pids if late else set(pids) - told:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        told.update(pids)
        await asyncio.sleep(_LOOK_AGAIN_S)
    return len(told)


def _children() -> Iterator[tuple[int, str]]:
    """Yield the process id and the state (`Z`: ended, not reaped) of each child of this process."""
    for pid in _pids():
        with suppress(OSError):
            # The program's name in the middle may contain spaces and parentheses.
            state, parent, *_ = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                yield pid, state


def _carries(pid: int, mark: str) -> bool:
    with suppress(OSError):
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) failed")


def end_with(parent: int) -> None:
    """Let this process get SIGTERM when its parent ends, and end at every signal that asks for it.

    Signals are reset to their defaults: otherwise a signal that the parent ignores stays ignored, and a shell starts
    background jobs with SIGINT ignored.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The supervisor ended before this program started; start cellar again.")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def main() -> None:
    """Become the program in `sys.argv[2:]`. It gets SIGTERM when the process with the id `sys.argv[1]` ends."""
    parent, *command = sys.argv[1:]
    end_with(int(parent))
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
