"""The receiver, which lives by the clock of the fortnight: `python -m tests.fortnight.receiving CLOCK PID`."""

import sys
from pathlib import Path

import api.app
import api.receiver.protocol  # noqa: F401 -- imported once for all receivers
from cli.main import main
from tests.fortnight.clock import follow_file
from tests.fortnight.nursery import keep_running


def receive(clock: Path) -> None:
    follow_file(clock)
    sys.argv = ["cellar", "api"]
    main()


if __name__ == "__main__":
    clock_file, pid_file = map(Path, sys.argv[1:])
    keep_running(lambda: receive(clock_file), pid_file)
