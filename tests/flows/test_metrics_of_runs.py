"""Runs and their tasks are counted by how they end."""

import asyncio
from pathlib import Path

import pytest

from adapters.observation.metrics import WORKER, exposition
from adapters.settings.settings import Settings, settings
from flows.process_archive import process_archive
from tests.flows.conftest import received
from tests.samples import sample_body
from tests.scrapes import Scrape

pytestmark = pytest.mark.usefixtures("prefect")


def _counted() -> dict[str, float]:
    found = Scrape(exposition(WORKER).decode())
    causes = {"Completed": "", "Failed": "BODY_DAMAGED"}
    ends = {state: {"state": state, "cause": cause} for state, cause in causes.items()}
    counted = {state: found.value("cellar_runs_ended_total", labels) for state, labels in ends.items()}
    for end in ("completed", "failed"):
        counted[end] = found.value("cellar_task_seconds_count", {"task": "persist-files", "end": end})
    return {name: value or 0 for name, value in counted.items()}


def _ran(reference: str) -> dict[str, float]:
    """Run the flow, and return what has grown."""

    async def run() -> None:
        await process_archive(reference, return_state=True)

    before = _counted()
    asyncio.run(run())
    after = _counted()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def test_completed_and_failed_runs_are_counted_with_their_tasks(sqlite_installation: Settings) -> None:
    received("sound", sample_body("sound"))
    damaged = received("damaged", sample_body("damaged"))
    body = Path(settings().inbox_location) / "waiting" / f"{damaged.receipt_id}.body"
    body.write_bytes(body.read_bytes().replace(b"SOMEVALUE1", b"SOMEVALUEX"))

    assert _ran("sound") == {"Completed": 1, "completed": 1}
    assert _ran("damaged") == {"Failed": 1, "failed": 1}
