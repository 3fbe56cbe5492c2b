# ruff: noqa: E402 -- what pyHanko leaves out is settled before it is imported
"""The program that `adapters/documents/examination.py` starts. It forks a child for each document, which judges it.

Where a child ends without a verdict, be it by an exception or by a limit, nobody can say what the document is worth.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def _leave_out_signing() -> None:
    """Have `pyhanko.sign` and `pyhanko.sign.signers` without their own `__init__`: those make signatures, which takes
    an HTTP client. Of the signers, the check of an encrypted document's MAC needs one module.

    It halves the time to start. And what should want to fetch something after all finds no client.
    """
    above = find_spec("pyhanko")
    folders = (above and above.submodule_search_locations) or ()
    for name in ("sign", "sign.signers"):
        package = ModuleType(f"pyhanko.{name}")
        package.__path__ = [str(Path(folder, *name.split("."))) for folder in folders]
        sys.modules[package.__name__] = package
    sys.modules["aiohttp"] = None  # type: ignore[assignment]


if __name__ == "__main__":
    _leave_out_signing()

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

from pyhanko.keys import load_certs_from_pemder

from adapters.documents.pdf_signatures import judge
from models.archive.verdict import verdict_as_json

_LONGEST_REQUEST_BYTES = 64 << 10
_DEEPEST = 20_000  # calls; a thousand bookmarks are a chain that pyHanko follows by calling itself


def _usable(paths: Sequence[str]) -> list[Any]:
    """Return the certificates in these files.

    Raises:
        ValueError: one of them holds none.
    """
    roots = []
    for path in paths:
        certificates = list(load_certs_from_pemder([path]))  # type: ignore[no-untyped-call]
        if not certificates:
            raise ValueError("no certificate")
        for certificate in certificates:
            certificate.native  # noqa: B018 -- asn1crypto reads it only now
        roots += certificates
    return roots


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Past these limits the kernel refuses memory, and ends the process by SIGXCPU: a SIGKILL is somebody else's. It
    leaves no core behind.
    """
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, above = resource.getrlimit(kind)
        most = hard if above == resource.RLIM_INFINITY else min(hard, above)
        resource.setrlimit(kind, (min(soft, most), most))


def serve(requests: socket.socket) -> None:
    """Judge documents, each in a child of its own, until the other end is closed. To read all modules takes 0.2 s.

    A request is JSON: the limits of memory in bytes and of the processor in seconds, the time, the PDF, trusted roots.
    With it comes where the answer goes: the child's process id in a line, the verdict as JSON, and in a line how the
    child ended, as `os.waitstatus_to_exitcode` tells it; `EX_CONFIG` where a trusted root is not a certificate.
    """
    logging.disable()  # pyHanko's warnings name people
    sys.setrecursionlimit(_DEEPEST)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a keeper ended
    gc.freeze()  # or each child would copy whatever the collector touches
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST_BYTES, 1)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _keep(request, descriptors[0])
        os.close(descriptors[0])


def _keep(request: bytes, answer: int) -> NoReturn:
    """Have a child judge, and tell how it ended: the kernel may end it at any moment."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        _answer(request, answer)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):  # whoever asked has had enough
        os.write(answer, b"\n%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _answer(request: bytes, answer: int) -> NoReturn:
    status = os.EX_SOFTWARE
    try:
        os.write(answer, b"%d\n" % os.getpid())
        memory_bytes, cpu_s, now, path, *root_paths = json.loads(request)
        _limit(memory_bytes, cpu_s)
        roots = _usable_or_none(root_paths)
        if roots is None:
            status = os.EX_CONFIG
        else:
            verdict = asyncio.run(judge(Path(path), roots, datetime.fromisoformat(now)))
            with os.fdopen(answer, "w", closefd=False) as out:
                json.dump(verdict_as_json(verdict), out)
            status = os.EX_OK
    finally:
        os._exit(status)


def _usable_or_none(paths: Sequence[str]) -> list[Any] | None:
    try:
        return _usable(paths)
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
