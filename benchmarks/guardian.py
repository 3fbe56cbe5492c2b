"""Ends all programs that a process started when that process ends, SIGKILL included.

A test or a benchmark starts servers that start programs of their own: Postgres becomes a daemon, a browser forks, each
program of `cellar up` has a session of its own. No process group holds all of them, and a parent's end signals only its
children. But all inherit the environment. So the process puts a mark into it. A guardian waits at a pipe that the
kernel closes at the end of the process, and then ends every process with the mark.
"""

import asyncio
import os
import secrets
import sys
from functools import cache

from adapters.platform.processes import end_marked

_MARK = "CARRIED_BY_WHAT_ENDS_WITH"  # without cellar's prefix, since tests remove such variables
_END_WITHIN_S = 10


@cache
def guard() -> None:
    """Make every program that this process starts from now on end with it.

    The guardian has a session of its own, so that a signal from the terminal does not end it too.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    its_end, _ours = os.pipe()  # only the kernel closes `_ours`
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", __file__, f"{_MARK}={mark}"],
        {name: value for name, value in os.environ.items() if name != _MARK},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, its_end, 0),
            *((os.POSIX_SPAWN_OPEN, output, os.devnull, os.O_WRONLY, 0) for output in (1, 2)),
        ],
        setsid=True,
    )
    os.close(its_end)
    os.environ[_MARK] = mark


def main() -> None:
    """Wait until the process at the other end of standard input ends, and end the programs that it started."""
    sys.stdin.read()
    asyncio.run(end_marked(sys.argv[1], within_s=_END_WITHIN_S))


if __name__ == "__main__":
    main()
