"""`cellar api`: runs the receiver, in one process or in several that serve its port together."""

import asyncio
import os
import sys

import structlog
import typer

from adapters.files.private import shut_folders
from adapters.inbox.move_mark import check_not_moved
from adapters.settings.settings import settings
from cli.programs.receiver_process import serve
from cli.programs.receiver_processes import run_processes
from cli.programs.supervisor import Listener, require_free
from models.errors import Refused, WrongUse

log = structlog.get_logger()

# Bodies are large and short-lived. Blocks below 64 MiB come from the heap, which keeps up to 256 MiB, instead of a new
# mmap each: 1.13-1.35 times as fast at 200 MB.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "67108864", "MALLOC_TRIM_THRESHOLD_": "268435456"}


def api() -> None:
    """Run the receiver: webhook, JSON API and public links."""
    _set_up_malloc()
    _require_port()
    check_not_moved()
    shut_folders(settings())
    processes = settings().receiver_processes
    log.info("the receiver listens", host=settings().host, port=settings().port, processes=processes)
    if processes == 1:
        serve()
    elif status := asyncio.run(run_processes(processes)):
        raise typer.Exit(status)


def _require_port() -> None:
    """Check that the port is free: uvicorn would say so in its own words, and exit with 3.

    Raises:
        WrongUse: the receiver cannot listen on its port.
    """
    try:
        require_free([Listener("the receiver", settings().host, settings().port, "CELLAR_PORT")])
    except Refused as refused:
        raise WrongUse(refused.detail) from refused


def _set_up_malloc() -> None:
    """Start this process again if malloc's settings are missing: libc reads them before Python starts."""
    missing = {name: value for name, value in MALLOC.items() if name not in os.environ}
    if missing:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | missing)  # noqa: S606
