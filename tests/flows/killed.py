"""Runs the flow in a process that is killed with SIGKILL right before a given write becomes durable."""

import asyncio

from tests.killed import Countdown, count_writes


def run_until(writes: int, reference: str, receipt_id: str) -> None:
    from flows.process_archive import process_archive  # noqa: PLC0415 -- with the settings of the forked process

    count_writes(Countdown(writes))
    asyncio.run(process_archive(reference, receipt_id))
