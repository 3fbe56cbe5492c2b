"""Returns the verdict on a signed document, from a child process with limits.

A PDF comes from outside, and a crafted PDF can cost unlimited time and memory. The child that reads it is ended at its
limit of memory, processor time or elapsed time. The child has none of our secrets and fetches nothing.
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
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from adapters.platform.cancellation import checkpoint
from adapters.platform.processes import command_of_child
from models.archive.verdict import UNREADABLE, Verdict, Wanted
from models.errors import Transient
from models.said import Sentence, because

log = structlog.get_logger()
Found = TypeVar("Found")

# An honest document of 200 KB takes 0.25 s and 50 MB. Each signature hashes the file, about 1 GiB a second.
CPU_LIMIT_S = 20
CPU_LIMIT_S_PER_GIB = 10
MEMORY_LIMIT_BYTES = 1 << 30
"""The limit of address space. The size of the file is added, since pyHanko holds the compared parts in memory."""
TIME_LIMIT_PER_CPU_LIMIT = 6
"""Elapsed time may exceed processor time, since the processor may have other work."""
ANSWER_LIMIT_BYTES = 1 << 20

_LOOK_AGAIN_S = 0.05
_TO_END_S = 1
_FROM_OUTSIDE = {-SIGHUP, -SIGINT, -SIGTERM}
_PASSED_ON = ("LD_LIBRARY_PATH", "PYTHONPATH")  # an interpreter may need these; other variables may be secrets
_ENDED = b"\n\n%d" % -SIGKILL
"""Replaces the answer of a child that this module has ended."""
_STATUS = re.compile(rb"-?\d+")


@dataclass(frozen=True, slots=True)
class Examination:
    """A verdict, and the OCSP answers and CRLs that would complete it."""

    verdict: Verdict
    wanted: tuple[Wanted, ...] = ()


def examine(
    path: Path, roots: Sequence[Path], *, now: datetime, lists: Sequence[Path] = (), fetched: Path | None = None
) -> Verdict:
    """Return the verdict on the PDF at `path`, as `examination` does."""
    return examination(path, roots, now=now, lists=lists, fetched=fetched).verdict


def examination(
    path: Path, roots: Sequence[Path], *, now: datetime, lists: Sequence[Path] = (), fetched: Path | None = None
) -> Examination:
    """Return the verdict on the PDF at `path`. The verdict contains every fault of the PDF.

    This process has at most two PDFs examined at a time, since each may take its whole limit of memory.

    Args:
        roots: Files of trusted root certificates, PEM or DER.
        now: The time of the judgement. The document is known to have existed then, so for a judgement made later this
            is the time at which the document arrived.
        lists: Files of trust lists, TOML or XML.
        fetched: File of OCSP answers and CRLs that were fetched for the PDF.

    Raises:
        Transient: the child could not be started, could not read the roots, or was killed by another process.
    """
    trusted = {name: [str(file.absolute()) for file in files] for name, files in (("roots", roots), ("lists", lists))}
    asked = {"now": now.isoformat(), "fetched": str(fetched.absolute()) if fetched else None, **trusted}
    found = _result(_asked(path, asked), _EXAMINATION)
    return found or Examination(replace(UNREADABLE, **because(reason=Sentence.too_expensive())))


def draw_changed_pages(path: Path, field: str, folder: Path) -> list[int]:
    """Draw the pages that look different since the signature of a field, as `pdf.changed_pages.draw_changed_pages`.

    Returns no number if the PDF cannot be drawn within the limits. Raises Transient as `examination` does.
    """
    asked = {"field": field, "folder": str(folder.absolute()), "roots": [], "lists": []}
    return _result(_asked(path, asked), _NUMBERS) or []


def _asked(path: Path, request: dict[str, Any]) -> bytes:
    """Have a child read a PDF within its limits, and return its answer. Raises Transient if it cannot be started."""
    while not _PLACES.acquire(timeout=_LOOK_AGAIN_S):
        checkpoint()
    try:
        size_bytes = path.stat().st_size
        cpu_s = CPU_LIMIT_S + CPU_LIMIT_S_PER_GIB * size_bytes // (1 << 30)
        limits = {"memory_bytes": MEMORY_LIMIT_BYTES + size_bytes, "cpu_s": cpu_s, "path": str(path.absolute())}
        deadline = time.monotonic() + TIME_LIMIT_PER_CPU_LIMIT * cpu_s
        asked = json.dumps(limits | request).encode()
        answer = _answered(asked, deadline)
        return _answered(asked, deadline) if _was_killed(answer) else answer
    except OSError as error:
        raise Transient(Sentence.examiner_not_started(reason=error.strerror)) from error
    finally:
        _PLACES.release()


class _Examiner:
    """The process that forks a child for each document. In a session of its own, so that Ctrl-C does not end it."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, ExitStack() as stack:
            stack.callback(self._requests.close)
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                command_of_child([sys.executable, "-P", "-m", "adapters.documents.pdf_examiner"]),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # an exception may repeat text of the document
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
    """Return whether the child, or the examiner while it held the request, was killed by another process. The kernel
    kills when memory is short. The answer of a child that we have ended has no process id in its first line.
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
        _end_killed(examiner)
    return answer


def _ask(request: bytes, theirs: int) -> _Examiner:
    """Request the examination of a document, and return its examiner. A dead examiner is replaced."""
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


def _end_killed(examiner: _Examiner) -> None:
    """End an examiner that was killed while it held a request: a dying examiner may take the next request too."""
    with _STARTING:
        if examiner in _examiners:
            _end_examiner()


def _end_examiner() -> None:
    while _examiners:
        _examiners.pop().end()


def _answer(output: int, deadline: float) -> bytes:
    """Return the bytes until the output is closed. End a child that exceeds the deadline or the size of an answer."""
    answer = bytearray()
    readable = select.poll()
    readable.register(output, select.POLLIN)
    try:
        while time.monotonic() < deadline and len(answer) <= ANSWER_LIMIT_BYTES:
            checkpoint(may_pause=False)  # other work waits for this place
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
    """End a child and wait until its output is closed. The output is still open, so the process id is still its own."""
    process_id, told, _ = answer.partition(b"\n")
    if told:
        with suppress(ProcessLookupError):
            os.kill(int(process_id), SIGKILL)
    else:
        with _STARTING:
            _end_examiner()
    readable.poll(1000 * _TO_END_S)


def _result(answer: bytes, of: TypeAdapter[Found]) -> Found | None:
    """Return what a child found; None if it ended without a result."""
    result, _, status_text = answer.partition(b"\n")[2].rpartition(b"\n")
    status = int(status_text) if _STATUS.fullmatch(status_text) else None  # the keeper ended first
    if status is None or status in _FROM_OUTSIDE:
        raise Transient(Sentence.examiner_killed())
    if status == os.EX_CONFIG:
        raise Transient(Sentence.no_trust_root())
    if status == os.EX_DATAERR:
        raise Transient(Sentence.no_trust_list())
    try:
        return of.validate_json(result)
    except ValidationError:
        log.warning("signed_document_unreadable", exit_status=status)
        return None


_EXAMINATION = TypeAdapter(Examination)
_NUMBERS = TypeAdapter(list[int])
_STARTING = Lock()
_PLACES = BoundedSemaphore(2)
_examiners: list[_Examiner] = []  # at most one
atexit.register(_end_examiner)
