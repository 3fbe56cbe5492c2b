"""Two hundred archives complete exactly once although their worker is killed again and again."""

import asyncio
import json
import random
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import col, func, select

from adapters.database import transactions
from adapters.database.migration import migrate
from adapters.inbox import inbox
from adapters.settings.settings import settings
from adapters.tables.runs import leases, receipts
from models.archive.archive import ArchiveRow, FormFieldRow
from models.runs.receipt import Trigger, VersionRow
from services.triggering.trigger import trigger
from tests.conftest import LONGEST_S, Configure
from tests.flows.conftest import received
from tests.flows.workers import Downstream, worker
from tests.messages import SECRET
from tests.samples import sample_body

ARCHIVES = 200
KILLS = 10


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_two_hundred_runs_complete_although_their_worker_is_killed_ten_times(
    configure: Configure, prefect: str
) -> None:
    with HTTPServer(threaded=True) as server:
        downstream = Downstream(server)
        notified = {"notify_urls": downstream.url, "notify_secret": SECRET, "notify_allow_private": "true"}
        configure(**notified, PREFECT_API_URL=prefect)
        migrate()
        with worker("first"):
            pass
        references = [f"process-{number}" for number in range(ARCHIVES)]
        flow_run_ids = [_created(reference) for reference in references]

        chance = random.Random(20261124)
        for kill in range(KILLS):
            with worker(f"killed-{kill}", "--sole") as process:
                time.sleep(chance.uniform(0.2, 4))
                process.kill()
                process.wait(LONGEST_S)
        with worker("last", "--sole"):
            _until_all_ended(flow_run_ids)
            states = Counter(_states(flow_run_ids).values())

        assert states == {"Completed": ARCHIVES}
        assert _rows() == {"archives": ARCHIVES, "completed": ARCHIVES, "versions": ARCHIVES, "fields": _fields()}
        assert _files() == ARCHIVES * _files_of(references[0])
        assert list(inbox.deliveries()) == []
        assert leases.claimed() == set()
        # At least once: a POST in flight when its worker is killed is sent again under the same id.
        assert len(set(downstream.asked)) == ARCHIVES
        assert len(downstream.asked) - ARCHIVES <= KILLS * 16


def _created(reference: str) -> str:
    """Trigger a delivery as the receiver does. Without a recorded run, each start's sweep would create another."""
    delivery = received(reference, sample_body(reference))
    asyncio.run(trigger(delivery, Trigger.WEBHOOK))
    flow_run_id = receipts.register_all([delivery])[0].flow_run_id
    assert flow_run_id
    return flow_run_id


def _until_all_ended(flow_run_ids: list[str]) -> None:
    deadline = time.monotonic() + 600
    while set(_states(flow_run_ids).values()) & {"Scheduled", "Late", "Pending", "Running", "AwaitingRetry"}:
        assert time.monotonic() < deadline, Counter(_states(flow_run_ids).values())
        time.sleep(2)


def _states(flow_run_ids: list[str]) -> dict[str, str]:
    wanted = {"flow_runs": {"id": {"any_": flow_run_ids}}, "limit": 200}
    found: list[dict[str, Any]] = httpx.post(
        f"{settings().prefect_url}/flow_runs/filter", content=json.dumps(wanted), timeout=LONGEST_S
    ).json()
    return {each["id"]: each["state_name"] for each in found}


def _rows() -> dict[str, int]:
    with transactions.reading() as session:
        completed = select(func.count()).select_from(ArchiveRow).where(col(ArchiveRow.state) == "completed")
        return {
            "archives": session.exec(select(func.count()).select_from(ArchiveRow)).one(),
            "completed": session.exec(completed).one(),
            "versions": session.exec(select(func.count()).select_from(VersionRow)).one(),
            "fields": session.exec(select(func.count()).select_from(FormFieldRow)).one(),
        }


def _fields() -> int:
    return ARCHIVES * len(json.loads(sample_body("any"))["data"])


def _files() -> int:
    archives = settings().data_dir / "store" / "archives"
    return sum(1 for path in archives.rglob("*") if path.is_file() and "content" in path.parts)


def _files_of(reference: str) -> int:
    """Return the number of content files of an undisturbed archive. All files of the sample are distinct."""
    document = json.loads(sample_body(reference))
    contents = {each["content"] for each in document["attachments"]} | {document["signed_document"]["content"]}
    return len(contents) + 4  # the skeleton, the cuts, the scans, the verdict
