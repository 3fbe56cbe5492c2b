"""Runs `cellar move` in a process that is killed with SIGKILL right before a given write becomes durable."""

import sys

from adapters.files import bucket
from cli.main import main
from tests.flows.killed import Countdown, count_writes

if __name__ == "__main__":
    with bucket.patient():  # the move uses the client of patient work
        count_writes(Countdown(int(sys.argv[1])))
    sys.argv = ["cellar", "move", *sys.argv[2:]]
    main()
