"""Supervises programs: starts them, watches them, restarts them with back-off, stops them all.

Each program has its own session, so that Ctrl-C reaches only the supervisor, and appends to the one log. A program
gets SIGTERM when the supervisor ends in any way, SIGKILL included. The next start ends a program that survives even
that, and knows it by a mark in its environment (`adapters.platform.processes`).
"""

import asyncio
import errno
import fcntl
import os
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.observation.log_file import PROGRAM_VARIABLE, SharedLog
from adapters.platform.loops import next_pause, supervised
from adapters.platform.processes import adopt_orphans, command_of_child, end_children, reap
from models.errors import Refused, Transient

_ORPHANS_END_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.1
_MOST_KILLED = 3
_KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 0}
"""How a program ends that somebody has killed: by such a signal, or well, once the signal has asked it to."""


@dataclass(frozen=True)
class Program:
    """A program to run. `command` begins with an absolute path; `environment` is the whole of it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_within_s: float = 10.0


@dataclass(frozen=True)
class Listener:
    """An address that must be free to listen on, and the setting that changes it."""

    what: str
    host: str
    port: int
    setting: str


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone. The kernel releases it when the process ends, even by SIGKILL.

    Raises Refused if another process holds the folder, or the folder cannot be made or written.
    """
    where = "CELLAR_DATA_DIR"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "up.lock").open("a+")
    except OSError as error:
        detail = f"the data folder {folder} cannot be used: {error.strerror}; set {where} to a folder of yours"
        raise Refused("DATA_FOLDER_UNUSABLE", detail, where=where) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            detail = (
                f"another `cellar up` (process {lock.read().strip()}) holds the data folder {folder}; stop it first, or"
                f" set {where} to another folder"
            )
            raise Refused("ALREADY_UP", detail, where=where) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def require_free(listeners: Sequence[Listener]) -> None:
    """Check that every port is free. Raises Refused if a port is taken, or two listeners have the same port."""
    with ExitStack() as held:
        for each in listeners:
            try:
                found = socket.getaddrinfo(each.host, each.port, type=socket.SOCK_STREAM)
                family, kind, protocol, _, address = found[0]
                listening = held.enter_context(socket.socket(family, kind, protocol))
                # As the servers do, so that lingering connections of the last run are no obstacle.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(1)
            except OSError as error:
                raise Refused("PORT_TAKEN", _why_not(each, error), where=each.setting) from error


class Supervisor:
    """Runs programs as long as its `async with` block.

    SIGINT, SIGTERM and SIGHUP cancel the block. Its end stops the programs in reverse order of their start. A second
    signal ends the wait for them. A block that a signal has cancelled ends without an error.
    """

    def __init__(self, log: Path, show: Callable[[str], None]) -> None:
        """Let all append to a log. `show` gets each line of it, in a thread."""
        self._path = log
        self._show = show
        self._children: list[_Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        # Held while a child is started or orphans are ended: a child between its fork and its entry in the list looks
        # like an orphan.
        self._family = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._stopping = False

    async def __aenter__(self) -> Self:
        adopt_orphans()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._log = SharedLog(self._path.absolute(), self._show)
        body = asyncio.current_task()
        assert body is not None  # noqa: S101  # a coroutine always runs in a task
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # SIGHUP stays ignored under nohup. SIGINT is handled even in a shell's background job, which ignores it.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self._stop_asked, body)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        asked, self._stopping = self._stopping, True
        if asked and (body := asyncio.current_task()):
            body.uncancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._children:
            await self._stop(self._children[-1])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)
        self._log.close()
        return asked and isinstance(error, asyncio.CancelledError)

    async def start(self, program: Program) -> None:
        """Start a program. Its watch begins when `until` has found it ready."""
        child = _Child(program, self._log)
        self._children.append(child)
        await self._spawn(child)

    async def until(self, name: str, ready: Callable[[], Awaitable[bool]], within_s: float) -> None:
        """Wait until a program is ready, then restart it whenever it ends.

        A program that was killed from outside is started again, three times at most. Another program that ends would
        end again.

        Raises Transient if the program ended, or was not ready in time.
        """
        child = self._child(name)
        deadline, killed, pause = time.monotonic() + within_s, 0, 0.0
        while child.running or (child.was_killed and killed < _MOST_KILLED):
            if not child.running:
                killed, pause = killed + 1, await self._restart(child, pause)
            if await ready():
                self._supervise(f"the watch over {name}", partial(self._keep_running, child))
                return
            if time.monotonic() >= deadline:
                raise Transient(f"{name} was not ready within {within_s:g} s. {self._where()}")
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise Transient(f"{name} ended with {child.outcome()} before it was ready. {self._where()}")

    async def run(self, program: Program) -> None:
        """Run a program to its end. Raises Transient if the program failed."""
        await self.start(program)
        child = self._child(program.name)
        await child.process.wait()
        self._children.remove(child)
        if child.process.returncode:
            raise Transient(f"{program.name} ended with {child.outcome()}. {self._where()}")

    def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(supervised(name, loop)))

    def _tell(self, what: str) -> None:
        self._log.append("up", what)

    def _where(self) -> str:
        return f"Its lines are above, and in {self._log.path}."

    async def _keep_running(self, child: "_Child") -> None:
        pause = 0.0
        while True:
            await child.process.wait()
            pause = await self._restart(child, pause)

    async def _restart(self, child: "_Child", pause: float) -> float:
        """Start a program that has ended, and return the last pause: it grows while the program cannot be started."""
        pause = next_pause(pause, child.age_s())
        when = f"in {pause:g} s" if pause else "at once"
        ended = f"{child.program.name} ended with {child.outcome()} after {child.age_s():.0f} s"
        self._tell(f"{ended} and starts again {when}.")
        await self._end_orphans()
        while True:
            await asyncio.sleep(pause)
            try:
                await self._spawn(child)
            except OSError as error:
                pause = next_pause(pause, lived_s=0)
                self._tell(f"{child.program.name} cannot be started: {error.strerror}; again in {pause:g} s")
            else:
                return pause

    async def _spawn(self, child: "_Child") -> None:
        async with self._family:
            await child.spawn()

    async def _stop(self, child: "_Child") -> None:
        """Stop a program, and end the orphans that it leaves."""
        if child.running:
            child.signal(signal.SIGTERM)
            await self._wait_for(child)
        if child.running:
            self._tell(f"{child.program.name} does not stop by itself and is killed.")
            child.signal(signal.SIGKILL)
            await child.process.wait()
        self._children.remove(child)
        await self._end_orphans()

    async def _wait_for(self, child: "_Child") -> None:
        """Wait until a child has ended, its time to stop is over, or a second signal came."""
        waits = [asyncio.create_task(child.process.wait()), asyncio.create_task(self._hurry.wait())]
        await asyncio.wait(waits, timeout=child.program.stop_within_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _end_orphans(self) -> None:
        async with self._family:
            ours = {child.process.pid for child in self._children if child.running}
            await end_children(ours, within_s=0 if self._hurry.is_set() else _ORPHANS_END_WITHIN_S)
            reap(ours)

    def _stop_asked(self, body: asyncio.Task[None]) -> None:
        if self._stopping:
            self._hurry.set()
        else:
            self._stopping = True
            self._tell("Stopping. A second Ctrl-C does not wait for anything.")
            body.cancel()

    def _child(self, name: str) -> "_Child":
        return next(child for child in self._children if child.program.name == name)


class _Child:
    """A program with its process."""

    process: Process

    def __init__(self, program: Program, log: SharedLog) -> None:
        self.program = program
        self._log = log
        self._started = 0.0

    async def spawn(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *command_of_child(self.program.command),
            env=dict(self.program.environment) | {PROGRAM_VARIABLE: self.program.name},
            stdin=DEVNULL,
            stdout=self._log.descriptor,
            stderr=STDOUT,
            start_new_session=True,
        )
        self._started = time.monotonic()

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    @property
    def was_killed(self) -> bool:
        return self.process.returncode in _KILLED

    def age_s(self) -> float:
        return time.monotonic() - self._started

    def signal(self, number: int) -> None:
        """Send a signal to all processes of the program's process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def outcome(self) -> str:
        code = self.process.returncode
        return f"exit status {code}" if code is None or code >= 0 else signal.Signals(-code).name


def _why_not(listener: Listener, error: OSError) -> str:
    place = f"port {listener.port} on {listener.host}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{place} is taken, and {listener.what} wants to listen there; stop the other program or set"
            f" {listener.setting} to a free port"
        )
    settings = f"CELLAR_HOST and {listener.setting}"
    return f"{listener.what} cannot listen on {place}: {error.strerror}; check {settings}"
