"""Failed archives for tests of batches: rows alone, or waiting bodies that a run cannot find for a while. A driver."""

import asyncio
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.database.transactions import insert_rows, writing
from adapters.settings.settings import settings
from adapters.tables.batches import batches as rows
from models.archive.archive import ArchiveRow, State
from models.runs.receipt import ReceiptRow
from models.said import verbatim
from models.views.batch import BatchView
from services import derived
from services.batches import batches
from tests.killed import Countdown, count_commits, exit_status

UNKNOWN_DRIVER = str(UUID(int=0))
"""A driver that Prefect does not know."""
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def filled(number: int, state: State = State.FAILED, cause: str | None = None, **members: Any) -> dict[str, Any]:
    """Return the members that the rows of an archive and of its only receipt share."""
    failed = state is State.FAILED
    shared = {
        "reference": f"filled-{number:06}",
        "state": state,
        "received_at": HOUR_AGO + timedelta(seconds=number),
        "completed_at": None,
        "cause_code": (cause or "STORE_AWAY") if failed else None,
        "cause_task": "persist-files" if failed else None,
        "cause_error": "Transient" if failed else None,
        "cause_sentence": "The store does not answer." if failed else None,
        "cause_values": {"sentence": verbatim("The store does not answer.").as_json()} if failed else None,
        "cause_attempt": 1 if failed else None,
        "cause_since": HOUR_AGO if failed else None,
    }
    return shared | members


def fill(archives: Iterable[dict[str, Any]], template: str = "lease") -> None:
    """Put archives into the tables, each with one receipt and the entry that it is found by."""
    of_archive = {"template_id": template, "process_number": None, "current_receipt_id": None}
    given = list(archives)
    with writing() as session:
        insert_rows(
            session,
            ReceiptRow,
            [each | {"receipt_id": receipt_id(each["reference"]), "size_bytes": 1} for each in given],
        )
        insert_rows(session, ArchiveRow, [of_archive | each for each in given])
    derived.begin()
    while derived.fill():
        pass


def receipt_id(reference: str) -> str:
    return reference.rjust(64, "0")


@contextmanager
def bodies_away(receipt_ids: Iterable[str]) -> Iterator[None]:
    """Take bodies out of the inbox, a folder, until the end of the block. Runs fail meanwhile with BODY_MISSING."""
    waiting = Path(settings().inbox_location) / "waiting"
    away = settings().data_dir / "away"
    away.mkdir(parents=True)
    bodies = [waiting / f"{each}.body" for each in receipt_ids]
    for body in bodies:
        body.rename(away / body.name)
    yield
    for body in bodies:
        (away / body.name).rename(body)


def driven(batch_id: str) -> BatchView:
    """Drive a confirmed batch, in place of its flow run, until no item waits to be started. Return how far it is."""
    rows.set_driver(batch_id, UNKNOWN_DRIVER)
    asyncio.run(batches.step(batch_id, UNKNOWN_DRIVER, thoroughly=True))
    while batches.view(batch_id).queued:
        asyncio.run(batches.step(batch_id, UNKNOWN_DRIVER))
    return batches.view(batch_id)


def driven_until_killed(batch_id: str, commits: int) -> None:
    """Confirm a batch if it is planned, and drive it in a process that is killed right before the next commit."""
    status = exit_status(_drive_until_killed, batch_id, commits)
    assert status == -signal.SIGKILL, f"the driver ended with {status} before commit {commits}"


def _drive_until_killed(batch_id: str, commits: int) -> None:
    count_commits(Countdown(commits))
    if batches.get(batch_id).state == "planned":
        batches.freeze(batch_id, "dana@desk")
    driven(batch_id)
