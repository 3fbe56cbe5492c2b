"""Runs the receiver, in one process or in several that serve its port together."""

import asyncio

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


def run() -> None:
    """Run the receiver until it is stopped.

    Raises:
        WrongUse: it cannot listen on its port.
        typer.Exit: one of several processes did not end well.
    """
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
