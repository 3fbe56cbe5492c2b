"""The examiner of signed documents and the child that it forks for each are limited, and end in time."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.documents import examination
from adapters.documents.examination import examine
from adapters.platform.cancellation import limited, pausing
from models.archive.verdict import Outcome, Verdict
from models.errors import Transient
from tests import pdfs


def examined(path: Path, limit: Callable[[], None]) -> Verdict:
    with limited(limit):
        return examine(path, [], now=pdfs.NOW)


class Interrupted(Exception):
    """The checkpoint stops the examination."""


def examining() -> dict[int, int]:
    """Return the processes of the examiner, each with its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state != "Z" and b"adapters.documents.pdf_examiner" in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = int(parent)
    return found


def children() -> list[int]:
    """Return the children of this process that examine a document: each keeper of the examiner has one."""
    parents = examining()
    return [pid for pid, keeper in parents.items() if parents.get(parents.get(keeper, 0)) == os.getpid()]


class ToEachChild:
    """A checkpoint that acts on each child once."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self._act, self.seen = act, list[int]()

    def __call__(self) -> None:
        for pid in set(children()) - set(self.seen):
            self.seen.append(pid)
            self._act(pid)


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    path = tmp_path / "honest.pdf"
    path.write_bytes(pdfs.signed(pdfs.form()))
    return path


@pytest.fixture
def endless_document(tmp_path: Path) -> Path:
    """Write an endless document, since an honest one is judged in 30 ms, too fast to act on its child."""
    path = tmp_path / "endless.pdf"
    path.write_bytes(pdfs.endless())
    return path


def test_checkpoint_that_raises_ends_the_child(endless_document: Path) -> None:
    def stop(_pid: int) -> None:
        raise Interrupted

    checkpoint = ToEachChild(stop)

    with pytest.raises(Interrupted):
        examined(endless_document, checkpoint)

    assert checkpoint.seen
    assert children() == []


def test_checkpoint_is_called_about_every_50_ms(honest: Path) -> None:
    moments = []

    def look() -> None:
        moments.append(time.monotonic())

    examined(honest, look)

    assert len(moments) > moments[-1] - moments[0]  # once a second on the busiest machine


def test_document_can_be_examined_in_a_thread(honest: Path) -> None:
    verdicts = []
    work = threading.Thread(target=lambda: verdicts.append(examine(honest, [], now=pdfs.NOW)))
    work.start()
    work.join()

    assert [verdict.outcome for verdict in verdicts] == [Outcome.SOUND]


def test_examination_does_not_pause_while_it_holds_a_place_that_new_archives_need(honest: Path) -> None:
    pauses = list[str]()

    with pausing(lambda: pauses.append("pause")):
        examine(honest, [], now=pdfs.NOW)

    assert not pauses


def test_hanging_child_is_killed_and_its_document_is_unreadable(
    honest: Path, endless_document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited_s = examination.TIME_LIMIT_PER_CPU_LIMIT * examination.CPU_LIMIT_S
    examined(honest, lambda: None)  # starts the examiner, whose start is not part of the limit below
    monkeypatch.setattr(examination, "TIME_LIMIT_PER_CPU_LIMIT", 0.15)
    checkpoint = ToEachChild(lambda pid: os.kill(pid, signal.SIGSTOP))
    began = time.monotonic()

    assert examined(endless_document, checkpoint).outcome is Outcome.UNREADABLE

    assert checkpoint.seen
    assert children() == []
    assert time.monotonic() - began < unlimited_s / 2


def test_document_whose_child_dies_is_unreadable_and_not_named_in_the_log(endless_document: Path) -> None:
    checkpoint = ToEachChild(lambda pid: os.kill(pid, signal.SIGKILL))

    with capture_logs() as logs:
        assert examined(endless_document, checkpoint).outcome is Outcome.UNREADABLE

    assert logs == [{"event": "signed_document_unreadable", "exit_status": -9, "log_level": "warning"}]


def test_child_killed_once_is_replaced(honest: Path) -> None:
    killed: list[int] = []

    def kill_first(pid: int) -> None:
        if not killed:
            with suppress(ProcessLookupError):  # it has answered already
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    while not killed:
        assert examined(honest, ToEachChild(kill_first)).outcome is Outcome.SOUND


def test_child_terminated_from_outside_is_transient(endless_document: Path) -> None:
    checkpoint = ToEachChild(lambda pid: os.kill(pid, signal.SIGTERM))

    with pytest.raises(Transient):
        examined(endless_document, checkpoint)


def test_examiner_that_cannot_start_is_transient(honest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    examination._end_examiner()

    with pytest.raises(Transient):
        examine(honest, [], now=pdfs.NOW)


def test_missing_file_is_transient(tmp_path: Path) -> None:
    with pytest.raises(Transient):
        examine(tmp_path / "nowhere.pdf", [], now=pdfs.NOW)


def test_memory_of_the_child_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "slow.pdf"
    path.write_bytes(pdfs.many_objects(500_000))
    seen: set[tuple[str, ...]] = set()

    def look() -> None:
        for pid in children():
            with suppress(OSError):
                limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
                seen.update(tuple(line.rsplit(maxsplit=3)[-3:-1]) for line in limits if line.startswith("Max address"))

    examined(path, look)

    memory_bytes = str(examination.MEMORY_LIMIT_BYTES + path.stat().st_size)
    assert (memory_bytes, memory_bytes) in seen


def test_child_has_no_settings_and_a_session_of_its_own(
    endless_document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLAR_WEBHOOK_SECRETS", "a-secret")
    environments, sessions = [], []

    def look(pid: int) -> None:
        environments.append(Path(f"/proc/{pid}/environ").read_bytes())
        sessions.append(os.getsid(pid))
        raise Interrupted

    with pytest.raises(Interrupted):
        examined(endless_document, ToEachChild(look))

    assert environments
    assert not any(b"CELLAR" in environment for environment in environments)
    assert os.getsid(0) not in sessions


def test_examiner_imports_no_network_client() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    command = [sys.executable, "-P", "-X", "importtime", "-m", "adapters.documents.pdf_examiner"]
    with theirs:
        examiner = subprocess.run(command, stdin=theirs.fileno(), capture_output=True, check=True, text=True)

    imported = {line.rpartition("|")[2].strip() for line in examiner.stderr.splitlines()}
    assert "pyhanko.sign.validation.pdf_embedded" in imported
    assert not imported & {"aiohttp", "requests", "httpx", "urllib3", "http.client", "pydantic", "pyhanko.sign.signers"}


def test_dead_examiner_is_replaced(honest: Path) -> None:
    examine(honest, [], now=pdfs.NOW)
    (examiner,) = [pid for pid, parent in examining().items() if parent == os.getpid()]
    os.kill(examiner, signal.SIGKILL)

    assert examine(honest, [], now=pdfs.NOW).outcome is Outcome.SOUND
