"""Runs the receiver, in one process or in several: starts them, replaces those that end or hang, stops them all.

With several, this process listens, and the others accept from its socket. So a connection that waits is not lost with a
process that is killed, and goes to a process that has time for it. With a socket each (SO_REUSEPORT), the kernel would
give a hung process its share, and reset the connections that wait for a killed one.

Run as a program, this file is one process of a receiver of several.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import structlog
import typer

from adapters.database.outages import Program, connect_as
from adapters.files.private import shut_folders
from adapters.inbox.restore_mark import check_complete
from adapters.observation.log import set_up_log
from adapters.observation.metrics import folders_of_processes
from adapters.platform.imports import uncollected
from adapters.platform.loops import next_pause
from adapters.platform.processes import command_of_child
from adapters.settings.environment import settings_environment
from adapters.settings.settings import settings
from api.receiver.processes import BEATS, Processes, made_memory
from cli.programs.supervisor import Listener, require_free
from models.access import Role
from models.errors import CellarError, Refused, WrongUse

log = structlog.get_logger()

_STOP_WITHIN_S = 10
_BACKLOG = 2048  # as uvicorn's; the kernel bounds it
_LOOK_S = 1.0
_HANGS_AFTER_LOOKS = 30
_MARGIN_S = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    server = uvicorn.Server(configured)
    threading.Thread(target=print_first_login, daemon=True).start()  # a system that does not answer delays no start
    with suppress(KeyboardInterrupt):  # uvicorn repeats the signal when it has drained
        server.run(list(listening) or None)
    if not server.started:
        sys.exit(uvicorn.config.STARTUP_FAILURE)


async def run_processes(processes: int) -> int:
    """Serve the receiver's port by several processes until SIGTERM or SIGINT. Return the exit status.

    If a process ends before any has served, the others would end as well: all stop, with its exit status.
    """
    with ExitStack() as held:
        receiver = _Receiver(processes, [held.enter_context(each) for each in _listening()])
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, receiver.stop)
        await receiver.run()
        return receiver.status


class _Receiver:
    """The processes, by their numbers."""

    def __init__(self, processes: int, listening: Sequence[socket.socket]) -> None:
        self.status = 0
        self._processes = processes
        self._listening = listening
        self._memory = made_memory(processes)
        port_folder = settings().data_dir.absolute() / f"metrics-{settings().port}"
        self._metrics = folders_of_processes(processes, port_folder)
        self._running: dict[int, Process] = {}
        self._stopping = asyncio.Event()
        self._has_served = False

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self._processes)]
        watch = asyncio.create_task(self._watch())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            # A keeper ends early only by an error: it is raised below, after all have stopped.
            await asyncio.wait([*keepers, watch, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            await self._end_all()
            for task in (watch, stopping):
                task.cancel()
            ended = await asyncio.gather(*keepers, watch, stopping, return_exceptions=True)
        for each in ended:
            if isinstance(each, Exception):
                raise each

    async def _keep(self, number: int) -> None:
        """Run the process with a number, and replace it whenever it ends."""
        pause_s = 0.0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                process = self._running[number] = await self._started(number)
            except OSError as error:
                pause_s = next_pause(pause_s, 0)
                log.error("a process cannot be started", process=number, why=error.strerror, again_in_s=pause_s)
                await self._pause(pause_s)
                continue
            status = await process.wait()
            self._has_served |= self._memory.total(BEATS) > 0
            self._memory.clear(number)
            if self._stopping.is_set():
                return
            if not self._has_served:
                self.status = status if status > 0 else 1
                self._stopping.set()
                return
            pause_s = next_pause(pause_s, time.monotonic() - began_s)
            ended_by = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            log.warning("a process of the receiver has ended", process=number, by=ended_by, again_in_s=pause_s)
            await self._pause(pause_s)

    async def _pause(self, pause_s: float) -> None:
        """Wait, no longer than until all have to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(pause_s, 0.001))

    async def _started(self, number: int) -> Process:
        # -P: a folder `api` or `cli` in the current directory must not take the place of ours.
        descriptors = (self._memory.descriptor, *(each.fileno() for each in self._listening))
        arguments = map(str, (number, self._processes, os.getpid(), *descriptors))
        command = [sys.executable, "-P", "-m", "cli.programs.receiver", *arguments]
        # The settings of this process: a `.env` that has changed since would give its processes different limits.
        made = settings_environment(settings()) | {"PROMETHEUS_MULTIPROC_DIR": self._metrics[number]}
        return await asyncio.create_subprocess_exec(
            *command_of_child(command), env=os.environ | made, pass_fds=descriptors, stdin=DEVNULL
        )

    async def _watch(self) -> None:
        """Kill a process whose event loop has stood still for 30 s: it holds its senders, and none would notice.

        This process counts its own looks, so that a machine that was paused does not kill its processes.
        """
        seen = [(0, 0)] * self._processes
        while True:
            await asyncio.sleep(_LOOK_S)
            for number, beats in enumerate(self._memory.column(BEATS)):
                before, looks = seen[number]
                looks = looks + 1 if beats and beats == before else 0
                seen[number] = (beats, looks)
                if looks == _HANGS_AFTER_LOOKS:
                    log.error("a process of the receiver hangs and is killed", process=number)
                    self._signal(number, signal.SIGKILL)

    async def _end_all(self) -> None:
        """Let all processes finish what they receive. Those that take too long are killed.

        Nobody listens meanwhile: a connection that nobody accepts would wait for nothing.
        """
        for each in self._listening:
            each.close()
        for number in self._running:
            self._signal(number, signal.SIGTERM)
        waits = [asyncio.create_task(each.wait()) for each in self._running.values()]
        if waits:
            await asyncio.wait(waits, timeout=_STOP_WITHIN_S + _MARGIN_S)
        for number in self._running:
            self._signal(number, signal.SIGKILL)

    def _signal(self, number: int, what: signal.Signals) -> None:
        if self._running[number].returncode is None:
            with suppress(ProcessLookupError):
                self._running[number].send_signal(what)


def _listening() -> Iterator[socket.socket]:
    """Yield a socket that listens on each of the receiver's addresses: `localhost` has two. Raises WrongUse if this
    machine does not let the receiver listen there.
    """
    found = socket.getaddrinfo(settings().host, settings().port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in dict.fromkeys(found):
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError as error:
            why = f"the receiver cannot listen on {settings().host}, port {settings().port}: {error.strerror}"
            raise WrongUse(f"{why}; check CELLAR_HOST and CELLAR_PORT") from error
        listening.setblocking(False)
        yield listening


def run() -> None:
    """Run the receiver until it is stopped.

    Raises:
        WrongUse: it cannot listen on its port.
        typer.Exit: one of several processes did not end well.
    """
    try:  # uvicorn would say in its own words that the port is taken, and exit with 3
        require_free([Listener("the receiver", settings().host, settings().port, "CELLAR_PORT")])
    except Refused as refused:
        raise WrongUse(refused.detail) from refused
    check_complete()
    shut_folders(settings())
    processes = settings().receiver_processes
    log.info("the receiver listens", host=settings().host, port=settings().port, processes=processes)
    if processes == 1:
        serve()
    elif status := asyncio.run(run_processes(processes)):
        raise typer.Exit(status)


def print_first_login(role: Role = Role.ADMINISTRATOR) -> None:
    """At the first start of an installation, make its first user, with a file that has the link that sets the password.

    A terminal shows the link too. Output that is kept, as a file or a journal, names the file.
    """
    from services.access import users  # noqa: PLC0415 -- for the process that serves
    from services.health.probes import found_root  # noqa: PLC0415

    with suppress(CellarError, OSError):  # then `cellar users` makes another link
        found_root()
        if (link := users.add_first(role, datetime.now(UTC))) is None:
            return
        path = settings().secret_path(users.FIRST_LOGIN)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(f"{link}\n")
        if sys.stdout.isatty():
            typer.echo(f"First login: {link}\nIt sets the password of {users.FIRST}, {role}, once, within a day.")
            return
        text = "the first login: the link in this file sets the password, once, within a day"
        log.info(text, user=users.FIRST, role=role, file=str(path))


def main() -> None:
    """Be a process of a receiver: its number, how many there are, its parent, and the descriptors that it inherits."""
    number, processes, parent, memory, *listening = map(int, sys.argv[1:])
    set_up_log()
    from api.app import app  # noqa: PLC0415  # slow to import

    app.state.processes = Processes.joined(memory, processes, number, parent)
    serve([socket.socket(fileno=each) for each in listening])


if __name__ == "__main__":
    main()
