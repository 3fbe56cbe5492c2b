"""Keeps a program running: whenever it is killed, a new process is there at once, with everything imported."""

import os
from collections.abc import Callable
from pathlib import Path


def keep_running(run: Callable[[], None], pid_file: Path) -> None:
    """Run a program in a child of this process, and again after its end, for ever. `pid_file` names the child."""
    while True:
        pid = os.fork()
        if pid == 0:
            run()
            os._exit(0)
        part = pid_file.with_suffix(".part")
        part.write_text(str(pid))
        part.rename(pid_file)
        os.waitpid(pid, 0)
