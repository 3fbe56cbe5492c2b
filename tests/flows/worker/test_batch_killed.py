"""A bulk re-run completes each archive once, whichever process is killed meanwhile."""

import asyncio
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import col, select

from adapters.database.migration import migrate
from adapters.inbox import inbox
from models.archive.archive import ArchiveRow, State
from models.runs.batch import BatchKind
from models.runs.receipt import RunRow, RunState, VersionRow
from models.views.archives.archives import ArchiveFilter
from models.views.batch import BatchView, ItemQuery
from services.batches import batches
from tests.api.conftest import Receiver
from tests.api.conftest import started as receiver
from tests.batches import bodies_away
from tests.conftest import LONGEST_S, Configure, free_port, wait_until
from tests.flows import workers
from tests.flows.workers import worker
from tests.records import all_of
from tests.samples import sample_body

ARCHIVES = int(os.environ.get("BULK_ARCHIVES", "2000"))
KILLS = 4
_SENDERS = 4
_WITHIN_S = ARCHIVES * 3 + 120


@pytest.mark.faults
@pytest.mark.timeout(4 * _WITHIN_S)
def test_bulk_re_run_completes_each_archive_once_although_worker_and_receiver_are_killed(
    configure: Configure, prefect: str
) -> None:
    configure(PREFECT_API_URL=prefect, port=free_port(), webhook_secrets="the sender's secret")
    migrate()
    workers.forget_runs()
    _fail()

    plan = batches.plan(BatchKind.RERUN, ArchiveFilter(state=State.FAILED), "proof")
    assert plan.planned == ARCHIVES
    asyncio.run(batches.confirm(plan.id, "proof"))
    for kill in range(1, KILLS + 1):
        with receiver() as receiving, worker(f"killed-{kill}", "--sole") as working:
            _until(plan.id, lambda found, share=kill / (KILLS + 1): found.done >= share * ARCHIVES)  # type: ignore[misc]
            receiving.process.kill()
            working.kill()
            working.wait(LONGEST_S)
    with receiver(), worker("last", "--sole"):
        found = _until(plan.id, lambda found: found.state == "done")

    assert (found.done, found.failed) == (ARCHIVES, 0)
    assert _states() == {State.COMPLETED: ARCHIVES}
    assert _completed_runs() == _runs_of_the_record(plan.id)
    assert len(all_of(select(VersionRow.reference))) == ARCHIVES
    wait_until(lambda: not list(inbox.deliveries()))


def _fail() -> None:
    """Let archives fail, since their bodies are lost, and bring the bodies back."""
    names = [f"lost-{number}" for number in range(ARCHIVES)]
    with receiver() as receiving:
        _post(receiving, names)
        with bodies_away([hashlib.sha256(sample_body(each)).hexdigest() for each in names]), worker("failing"):
            wait_until(lambda: _states() == {State.FAILED: ARCHIVES}, timeout_s=_WITHIN_S)


def _post(receiving: Receiver, references: list[str]) -> None:
    with ThreadPoolExecutor(_SENDERS) as senders:
        answers = list(senders.map(lambda each: receiving.post(sample_body(each)).json()["status"], references))
    assert answers == ["0"] * len(references)


def _states() -> dict[str, int]:
    return dict(Counter(all_of(select(ArchiveRow.state))))


def _until(batch_id: str, is_so: Callable[[BatchView], bool]) -> BatchView:
    deadline = time.monotonic() + _WITHIN_S
    while not is_so(found := batches.view(batch_id)):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def _completed_runs() -> dict[str, str]:
    """Return the Completed run of each archive. An archive with two of them fails the test."""
    found = all_of(select(RunRow).where(col(RunRow.state) == RunState.COMPLETED))
    assert max(Counter(each.reference for each in found).values()) == 1
    return {each.reference: each.flow_run_id for each in found}


def _runs_of_the_record(batch_id: str) -> dict[str, str | None]:
    items: dict[str, str | None] = {}
    after = 0
    while True:
        page = batches.record(batch_id, ItemQuery(limit=500, after=after))
        items |= {each.subject: each.flow_run_id for each in page.items if each.state == "completed"}
        if page.next is None:
            return items
        after = page.next
