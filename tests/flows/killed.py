"""Runs a flow in a process that is killed with SIGKILL right before a given write, or step on the way to Postgres."""

import asyncio

from tests.killed import Countdown, count_sent, count_writes


def run_until(writes: int, reference: str, receipt_id: str) -> None:
    from flows.process_archive import process_archive  # noqa: PLC0415 -- with the settings of the forked process

    countdown = Countdown(writes)
    count_writes(countdown)
    count_sent(countdown)
    asyncio.run(process_archive(reference, receipt_id))


def take_in_until(writes: int, location: str) -> None:
    from services.imports import take_in  # noqa: PLC0415 -- likewise

    count_writes(Countdown(writes))
    list(take_in([location], "default"))


def drain_until(writes: int) -> None:
    from flows.import_archives import import_archives  # noqa: PLC0415 -- likewise

    count_writes(Countdown(writes))
    asyncio.run(import_archives())
