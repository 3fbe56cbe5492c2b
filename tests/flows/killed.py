"""Runs the flow in a process that is killed with SIGKILL right before a given write becomes durable.

Writes are counted where they take effect: commits of our database; links, renames and removals of files under the data
folder; uploads to a bucket and removals from it. Between two writes nothing changes that the next run could see.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from adapters.database.transactions import engine
from adapters.files import bucket
from adapters.settings.settings import settings
from flows.process_archive import process_archive


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


def main(reference: str, receipt_id: str, writes: int) -> None:
    count_writes(Countdown(writes))
    asyncio.run(process_archive(reference, receipt_id))


def count_writes(countdown: Countdown) -> None:
    event.listen(engine(), "commit", countdown.write)
    for name in ("link", "rename", "replace", "unlink"):
        setattr(os, name, _counted(getattr(os, name), countdown))
    if "://" in settings().store_location + settings().inbox_location:
        bucket.client().meta.events.register("before-send.s3", countdown.request)


def _counted(call: Callable[..., Any], countdown: Countdown) -> Callable[..., Any]:
    folder = str(settings().data_dir.absolute())

    def counted(path: str | Path, *rest: Any, **options: Any) -> Any:
        if str(path).startswith(folder):
            countdown.write()
        return call(path, *rest, **options)

    return counted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
