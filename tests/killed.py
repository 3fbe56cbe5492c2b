"""Runs functions in processes of their own, which may be killed: at any moment, or right before a given write.

Each process is forked from a parent that has imported what they need, because the imports take longer than the work.

Writes are counted where they take effect: commits of our database; links, renames and removals of files under the data
folder; uploads to a bucket and removals from it. Between two writes nothing changes that the next run could see.
"""

import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.waiting import Wait
from sqlalchemy import event

from adapters.database.connections import engine
from adapters.files import bucket
from adapters.settings.settings import settings

FORKED = get_context("forkserver")
FORKED.set_forkserver_preload(["cli.main", "services.batches.batches", "tests.installations", "tests.forked"])
_LONGEST_S = 240


def begun(function: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Start a process that calls a function with the environment and the folder of this process."""
    process = FORKED.Process(target=_call, args=(dict(os.environ), Path.cwd(), function, arguments))
    process.start()
    return process


def exit_status(function: Callable[..., object], *arguments: Any) -> int | None:
    """Return how a process ends that calls a function: 0, or the negative number of the signal that killed it."""
    process = begun(function, *arguments)
    process.join(_LONGEST_S)
    process.kill()  # in case it hangs
    process.join()
    return process.exitcode


def _call(
    environment: Mapping[str, str], folder: Path, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    function(*arguments)


class Countdown:
    """Kills this process right before the write that follows `writes` earlier ones. `made` counts the writes."""

    def __init__(self, writes: int) -> None:
        self._writes = writes
        self.made = 0

    def write(self, *_: Any) -> None:
        if self.made == self._writes:
            os.kill(os.getpid(), signal.SIGKILL)
        self.made += 1

    def request(self, request: Any, **_: Any) -> None:
        """Count a request to a bucket right before it is sent, if it writes."""
        if request.method in ("PUT", "POST", "DELETE"):
            self.write()


def count_writes(countdown: Countdown) -> None:
    event.listen(engine(), "commit", countdown.write)
    for name in ("link", "rename", "replace", "unlink"):
        setattr(os, name, _counted(getattr(os, name), countdown))
    if "://" in settings().store_location + settings().inbox_location:
        bucket.client().meta.events.register("before-send.s3", countdown.request)


def count_commits(countdown: Countdown) -> None:
    """Count each transaction that writes, right before its commit: on Postgres, COMMIT is sent in the pipeline."""
    execute = psycopg.Connection.execute

    def counted(connection: Any, query: Any, *rest: Any, **options: Any) -> Any:
        if query == "COMMIT":
            countdown.write()
        return execute(connection, query, *rest, **options)

    psycopg.Connection.execute = counted  # type: ignore[method-assign, assignment]
    if engine().dialect.name == "sqlite":
        event.listen(engine(), "commit", countdown.write)


def count_sent(countdown: Countdown) -> None:
    """Count each exchange with Postgres twice: before anything is sent, and before an answer is awaited."""
    wait = psycopg.Connection.wait

    def stepped(steps: Any) -> Any:
        countdown.write()
        ready, is_sent = None, False
        while True:
            try:
                wanted = steps.send(ready)
            except StopIteration as end:
                if not is_sent:
                    countdown.write()
                return end.value
            if wanted == Wait.R and not is_sent:
                is_sent = True
                countdown.write()
            ready = yield wanted

    def counted(connection: Any, steps: Any, *rest: Any, **options: Any) -> Any:
        return wait(connection, stepped(steps), *rest, **options)

    psycopg.Connection.wait = counted  # type: ignore[method-assign, assignment]


def _counted(call: Callable[..., Any], countdown: Countdown) -> Callable[..., Any]:
    folder = str(settings().data_dir.absolute())

    def counted(path: str | Path, *rest: Any, **options: Any) -> Any:
        if str(path).startswith(folder):
            countdown.write()
        return call(path, *rest, **options)

    return counted
