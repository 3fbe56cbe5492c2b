"""The receiver is killed at every single system call of an acknowledgement, from the first to the last.

strace (package `strace`) traces one acknowledgement, and then kills a receiver at each call of it. SIGKILL takes effect
before the call does. The sender sends again what was not acknowledged. To attach, strace needs root, or
kernel.yama.ptrace_scope=0.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from adapters.database.migration import migrate
from tests.conftest import free_port
from tests.faults.completing import complete_inbox
from tests.faults.installation import SECRET, Installation
from tests.faults.kept_once import assert_kept_once
from tests.faults.load import Sent
from tests.faults.parts import ending
from tests.faults.tracing import traced

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

_WAITING = {"futex", "epoll_wait", "epoll_pwait", "poll", "clock_nanosleep", "restart_syscall", "select", "pselect6"}
_MEMORY = {"brk", "mmap", "munmap", "madvise", "mprotect", "rt_sigprocmask", "rt_sigaction", "gettid", "getpid"}
_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)


def test_no_acknowledged_archive_is_lost_or_doubled_by_a_kill_at_any_system_call(tmp_path: Path) -> None:
    made = Installation(tmp_path, {"webhook_secrets": SECRET, "PREFECT_API_URL": "http://127.0.0.1:9/api"}, {}, {}, 0)
    made.port = free_port()
    with made.looked_into():
        migrate()
    sent, killed = Sent(), 0
    points = _points(made, tmp_path / "calls.txt", sent)
    for call, number in points:
        killed += _kill_at(made, call, number, sent)

    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        _send_again(made, sent)
    with made.looked_into():
        complete_inbox()
        assert_kept_once(sent)
    print(f"\n{killed} kills at {len(points)} system calls: {Counter(call for call, _ in points)}")  # noqa: T201
    assert killed >= len(points) * 0.9, "a kill does not take place"
    assert {call for call, _ in points} >= {"write", "fsync", "rename"}


def _points(made: Installation, output: Path, sent: Sent) -> list[tuple[str, int]]:
    """Return each call of an acknowledgement: its name, and its number within its thread."""
    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        assert sent.send(made.url, SECRET, "before the trace")  # what happens once is over
        with traced(receiver, output):
            assert sent.send(made.url, SECRET, "traced")
    return _calls_until_the_answer(output.read_text(), receiver.pid)


def _calls_until_the_answer(trace: str, main_thread: int) -> list[tuple[str, int]]:
    """Return the calls of the event loop and of the threads of the inbox. Other threads work after the answer."""
    before, answer, _ = trace.partition('{\\"status\\":\\"0\\"')
    assert answer, "the trace has no answer"
    taking_part = {str(main_thread), *re.findall(r"^(\d+) +\w+\([^\n]*/inbox/", before, re.MULTILINE)}
    most: dict[str, int] = {}
    for (thread, call), times in Counter(_CALL.findall(before)).items():
        if thread in taking_part and call not in _WAITING | _MEMORY:
            most[call] = max(most.get(call, 0), times)
    return [(call, number) for call in sorted(most) for number in range(1, most[call] + 1)]


def _kill_at(made: Installation, call: str, number: int, sent: Sent) -> bool:
    """Send archives to a receiver that dies at a call, and return whether it died.

    The same receiver first gets what the one before it did not acknowledge.
    """
    receiver = made.receiver()
    with ending([receiver]):
        receiver.start()
        _send_again(made, sent)
        with traced(receiver, made.folder / "killed.txt", "-e", f"inject={call}:signal=KILL:when={number}"):
            for each in range(2):
                sent.send(made.url, SECRET, f"{call}-{number}-{each}")
        return not receiver.is_alive()


def _send_again(made: Installation, sent: Sent) -> None:
    """Send what was not acknowledged, and another archive, so that what happens once in a process is over."""
    left = {reference for receipt_id, reference in sent.references.items() if receipt_id not in sent.acknowledged}
    for each in [*left, f"before number {len(sent.references)}"]:
        sent.send_until_acknowledged(made.url, SECRET, each)
