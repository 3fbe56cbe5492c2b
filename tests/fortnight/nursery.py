"""Keeps a program running: whenever it is killed, a new process is there at once, with everything imported."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def keep_running(run: Callable[[], None], pid_file: Path) -> None:
    """Run a program in a child of this process, and again whenever it is killed. `pid_file` names the child.

    This process ends with a program that ends by itself.
    """
    while True:
        pid = os.fork()
        if pid == 0:
            run()
            return
        part = pid_file.with_suffix(".part")
        part.write_text(str(pid))
        part.rename(pid_file)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"the program has ended by itself with {os.waitstatus_to_exitcode(status)}")
