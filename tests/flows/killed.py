"""Runs the flow in a process that is killed with SIGKILL right before a given write becomes durable.

Writes are counted where they take effect, whoever makes them: commits of our database, and links, renames and removals
of files under the data folder. Between two of them nothing changes that the next run could see.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from adapters.database import engine
from adapters.settings import settings
from flows.process_archive import process_archive


class Countdown:
    def __init__(self, writes: int) -> None:
        self.left = writes

    def write(self, *_: Any) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def main(reference: str, receipt_id: str, writes: int) -> None:
    countdown = Countdown(writes)
    event.listen(engine(), "commit", countdown.write)
    for name in ("link", "rename", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name), countdown))
    asyncio.run(process_archive(reference, receipt_id))


def counted(call: Callable[..., Any], countdown: Countdown) -> Callable[..., Any]:
    folder = str(settings().data_dir.absolute())

    def counted(path: str | Path, *rest: Any, **options: Any) -> Any:
        if str(path).startswith(folder):
            countdown.write()
        return call(path, *rest, **options)

    return counted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
