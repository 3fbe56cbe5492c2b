"""Serves the receiver's port in this process.

Run as a program, this file is one process of a receiver of several; `receiver_processes` starts it.
"""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from adapters.database.outages import Program, connect_as
from adapters.observation.log import set_up_log
from adapters.platform.imports import uncollected
from adapters.settings.settings import settings

STOP_WITHIN_S = 10


def serve(listening: Sequence[socket.socket] = ()) -> None:
    """Serve until a signal comes: on sockets that listen already, or on the port of the settings."""
    connect_as(Program.RECEIVER)
    with uncollected():
        import uvicorn  # noqa: PLC0415  # slow to import, and no other command needs it

        from api.app import app  # noqa: PLC0415
        from api.receiver.protocol import Protocol  # noqa: PLC0415

    configured = uvicorn.Config(
        app,
        host=settings().host,
        port=settings().port,
        http=Protocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = uvicorn.Server(configured)
    with suppress(KeyboardInterrupt):  # uvicorn repeats the signal when it has drained
        server.run(list(listening) or None)
    if not server.started:
        sys.exit(uvicorn.config.STARTUP_FAILURE)


def main() -> None:
    """Be a process of a receiver: its number, how many there are, its parent, and the descriptors that it inherits."""
    number, processes, parent, memory, *listening = map(int, sys.argv[1:])
    set_up_log()
    from api.app import app  # noqa: PLC0415  # slow to import
    from api.receiver.processes import Processes  # noqa: PLC0415

    app.state.processes = Processes.joined(memory, processes, number, parent)
    serve([socket.socket(fileno=each) for each in listening])


if __name__ == "__main__":
    main()
