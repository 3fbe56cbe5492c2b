"""The verdict on a signed document, from a child process with limits.

A PDF comes from outside, and can be made to cost without end. What reads it is ended when it takes too much memory,
too much of the processor or too long; it holds none of our secrets, and fetches nothing.
"""

import atexit
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM
from threading import BoundedSemaphore, Lock

import structlog
from pydantic import TypeAdapter, ValidationError

from adapters.platform.cancellation import checkpoint
from adapters.platform.processes import command_of_child
from models.archive.verdict import UNREADABLE, Verdict
from models.errors import Transient

log = structlog.get_logger()

# An honest document of 200 KB takes 0.25 s and 50 MB. Each signature hashes the file, a GiB in about a second.
CPU_LIMIT_S = 20
CPU_LIMIT_S_PER_GIB = 10
MEMORY_LIMIT_BYTES = 1 << 30
"""Of addresses. On top comes the size of the file: pyHanko holds what it compares."""
TIME_LIMIT_PER_CPU_LIMIT = 6
"""The processor may have other work."""
ANSWER_LIMIT_BYTES = 1 << 20

_LOOK_AGAIN_S = 0.05
_TO_END_S = 1
_FROM_OUTSIDE = {-SIGHUP, -SIGINT, -SIGTERM}
_PASSED_ON = ("LD_LIBRARY_PATH", "PYTHONPATH")  # what an interpreter may need; settings hold secrets
_VERDICT = TypeAdapter(Verdict)
_ENDED = b"\n\n%d" % -SIGKILL
"""In place of the answer of a child that was ended here."""
_STATUS = re.compile(rb"-?\d+")


def examine(path: Path, roots: Sequence[Path], *, now: datetime) -> Verdict:
    """Return the verdict on the PDF at `path`. Whatever is wrong with it is in the verdict.

    Two are examined at a time, whoever asks: each may take as much memory as it is allowed.

    Args:
        roots: Files of trusted root certificates, PEM or DER.

    Raises:
        Transient: the child could not be started, could not read the roots, or was ended by somebody else.
    """
    while not _PLACES.acquire(timeout=_LOOK_AGAIN_S):
        checkpoint()
    try:
        size_bytes = path.stat().st_size
        cpu_s = CPU_LIMIT_S + CPU_LIMIT_S_PER_GIB * size_bytes // (1 << 30)
        files = [str(file.absolute()) for file in (path, *roots)]
        request = json.dumps([MEMORY_LIMIT_BYTES + size_bytes, cpu_s, now.isoformat(), *files]).encode()
        deadline = time.monotonic() + TIME_LIMIT_PER_CPU_LIMIT * cpu_s
        answer = _answered(request, deadline)
        if _was_killed(answer):
            answer = _answered(request, deadline)
        return _verdict(answer)
    except OSError as error:
        raise Transient(f"the check of a signed document could not be started: {error.strerror}") from error
    finally:
        _PLACES.release()


class _Examiner:
    """The process that forks a child for each document, in a session of its own: Ctrl-C at a terminal is not for it."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, ExitStack() as stack:
            stack.callback(self._requests.close)
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                command_of_child([sys.executable, "-P", "-m", "adapters.documents.pdf_examiner"]),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # an exception may repeat what stands in the document
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,
            )
            stack.pop_all()

    def ask(self, request: bytes, answer: int) -> None:
        socket.send_fds(self._requests, [request], [answer])

    def end(self) -> None:
        self._requests.close()
        self._process.kill()
        self._process.wait()


def _was_killed(answer: bytes) -> bool:
    """Whether somebody else has killed the child, or the examiner with the request in its hands: where memory is short,
    the kernel does. What we have ended ourselves has no process id in its first line.
    """
    return not answer or (answer != _ENDED and answer.endswith(b"\n%d" % -SIGKILL))


def _answered(request: bytes, deadline: float) -> bytes:
    output, theirs = os.pipe()
    try:
        try:
            examiner = _ask(request, theirs)
        finally:
            os.close(theirs)
        answer = _answer(output, deadline)
    finally:
        os.close(output)
    if not answer:
        _bury(examiner)
    return answer


def _ask(request: bytes, theirs: int) -> _Examiner:
    """Have a document examined, and return who does it. An examiner that has died is replaced."""
    with _STARTING:
        if not _examiners:
            _examiners.append(_Examiner())
        try:
            _examiners[0].ask(request, theirs)
        except OSError:
            _end_examiner()
            _examiners.append(_Examiner())
            _examiners[0].ask(request, theirs)
        return _examiners[0]


def _bury(examiner: _Examiner) -> None:
    """End an examiner that was killed with a request in its hands: while it dies, it may take the next one too."""
    with _STARTING:
        if examiner in _examiners:
            _end_examiner()


def _end_examiner() -> None:
    while _examiners:
        _examiners.pop().end()


def _answer(output: int, deadline: float) -> bytes:
    """Return what came until the output was closed; a child that is too late or says too much is ended."""
    answer = bytearray()
    readable = select.poll()
    readable.register(output, select.POLLIN)
    try:
        while time.monotonic() < deadline and len(answer) <= ANSWER_LIMIT_BYTES:
            checkpoint()
            if readable.poll(1000 * _LOOK_AGAIN_S):
                part = os.read(output, ANSWER_LIMIT_BYTES)
                if not part:
                    return bytes(answer)
                answer += part
    except BaseException:
        _end_child(bytes(answer), readable)
        raise
    _end_child(bytes(answer), readable)
    return _ENDED


def _end_child(answer: bytes, readable: select.poll) -> None:
    """End the child that has not closed its output, so that its process id is still its own, and see it closed."""
    process_id, told, _ = answer.partition(b"\n")
    if told:
        with suppress(ProcessLookupError):
            os.kill(int(process_id), SIGKILL)
    else:
        with _STARTING:
            _end_examiner()
    readable.poll(1000 * _TO_END_S)


def _verdict(answer: bytes) -> Verdict:
    verdict, _, status_text = answer.partition(b"\n")[2].rpartition(b"\n")
    status = int(status_text) if _STATUS.fullmatch(status_text) else None  # else its keeper was ended before it
    if status is None or status in _FROM_OUTSIDE:
        raise Transient("the check of a signed document was ended from outside; try again")
    if status == os.EX_CONFIG:
        raise Transient("a file of trusted root certificates holds none; expected PEM or DER")
    try:
        return _VERDICT.validate_json(verdict)
    except ValidationError:
        log.warning("signed_document_unreadable", exit_status=status)
        return UNREADABLE


_STARTING = Lock()
_PLACES = BoundedSemaphore(2)
_examiners: list[_Examiner] = []  # at most one
atexit.register(_end_examiner)
