"""Runs the flow in a process that is killed with SIGKILL right before a given write becomes durable."""

import asyncio
import sys

from flows.process_archive import process_archive
from tests.killed import Countdown, count_writes

if __name__ == "__main__":
    count_writes(Countdown(int(sys.argv[3])))
    asyncio.run(process_archive(sys.argv[1], sys.argv[2]))
