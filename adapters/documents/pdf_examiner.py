# ruff: noqa: E402 -- parts of pyHanko are left out before it is imported
"""The program that `adapters/documents/examination.py` starts. It forks a child for each document to judge it.

If a child ends without a verdict, by an exception or a limit, the document counts as unreadable.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def _leave_out_signing() -> None:
    """Replace `pyhanko.sign` and `pyhanko.sign.signers` by empty packages: their `__init__` imports the making of
    signatures and an HTTP client. The check of an encrypted document's MAC needs only one module of the signers.

    This halves the time to start. Code that tries to fetch something nevertheless finds no client.
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
from dataclasses import asdict
from datetime import datetime
from typing import Any, NoReturn

from pyhanko.keys import load_certs_from_pemder

from adapters.documents.pdf.changed_pages import draw_changed_pages
from adapters.documents.pdf_signatures import judge
from adapters.documents.trust.evidence import NO_EVIDENCE, kept
from adapters.documents.trust.trust_lists import BadList, Listed, read_lists
from models.archive.verdict import verdict_as_json

_LONGEST_REQUEST_BYTES = 64 << 10
_DEEPEST = 20_000  # calls; pyHanko follows a chain of a thousand bookmarks by recursion


def _usable(paths: Sequence[str]) -> list[Any]:
    """Return the certificates in these files. Raises ValueError if a file contains no certificate."""
    roots = []
    for path in paths:
        certificates = list(load_certs_from_pemder([path]))  # type: ignore[no-untyped-call]
        if not certificates:
            raise ValueError("no certificate")
        for certificate in certificates:
            certificate.native  # noqa: B018 -- asn1crypto parses lazily
        roots += certificates
    return roots


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Limit this process. At the limits the kernel refuses memory, and ends the process by SIGXCPU. So a SIGKILL comes
    from elsewhere. No core file is written.
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
    """Judge documents, each in a child of its own, until the other end is closed. Importing all modules takes 0.2 s.

    A request is a JSON object: the limits of memory in bytes and of the processor in seconds, the PDF, files of trusted
    roots and trust lists, the time, and a file of what was fetched; or, to draw what was changed, the field of a
    signature and a folder for the pictures. A descriptor for the answer comes with it. An answer is a line with the
    child's process id, JSON with the verdict and with what is wanted, or with numbers of pages, and a line with the
    child's exit code by `os.waitstatus_to_exitcode`; `EX_CONFIG` if a root is no certificate, `EX_DATAERR` if a list is
    no trust list.
    """
    logging.disable()  # pyHanko's warnings contain names of people
    sys.setrecursionlimit(_DEEPEST)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the exit status of a keeper is not used
    gc.freeze()  # else each child copies every page that the garbage collector touches
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST_BYTES, 1)
        if not request:
            return
        _listed_or_none(json.loads(request)["lists"])  # read here, so that each child inherits the lists
        if os.fork() == 0:
            requests.close()
            _keep(request, descriptors[0])
        os.close(descriptors[0])


def _keep(request: bytes, answer: int) -> NoReturn:
    """Have a child judge a document, and report how the child ended: the kernel may end it at any moment."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        _answer(request, answer)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):  # the reader of the answer has closed it
        os.write(answer, b"\n%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _answer(request: bytes, answer: int) -> NoReturn:
    status = os.EX_SOFTWARE
    try:
        os.write(answer, b"%d\n" % os.getpid())
        asked = json.loads(request)
        listed = _listed_or_none(asked["lists"])
        _limit(asked["memory_bytes"], asked["cpu_s"])
        roots = _usable_or_none(asked["roots"])
        if roots is None:
            status = os.EX_CONFIG
        elif listed is None:
            status = os.EX_DATAERR
        else:
            found = _drawn(asked) if "folder" in asked else _judged(asked, roots, listed)
            with os.fdopen(answer, "w", closefd=False) as out:
                json.dump(found, out)
            status = os.EX_OK
    finally:
        os._exit(status)


def _drawn(asked: dict[str, Any]) -> list[int]:
    return draw_changed_pages(Path(asked["path"]), asked["field"], Path(asked["folder"]))


def _judged(asked: dict[str, Any], roots: Sequence[Any], listed: Sequence[Listed]) -> dict[str, Any]:
    now = datetime.fromisoformat(asked["now"])
    fetched = kept(Path(asked["fetched"])) if asked["fetched"] else NO_EVIDENCE
    verdict, wanted = asyncio.run(judge(Path(asked["path"]), roots, listed, now, fetched))
    return {"verdict": verdict_as_json(verdict), "wanted": [asdict(each) for each in wanted]}


def _usable_or_none(paths: Sequence[str]) -> list[Any] | None:
    try:
        return _usable(paths)
    except (OSError, ValueError):
        return None


def _listed_or_none(paths: Sequence[str]) -> tuple[Listed, ...] | None:
    try:
        return read_lists(paths)
    except (OSError, BadList):
        return None


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
