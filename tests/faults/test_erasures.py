"""200 erasures with kills at every step, holds set in between and re-deliveries in between.

None is half done, none was held, and none is back. ERASURES=20 does fewer.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import col, func, select

from adapters.database.noted import note
from adapters.database.transactions import reading, writing
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.settings.environment import prefect_file
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl, seals
from adapters.store.tombstones import digest_of
from adapters.tables.batches import batches as rows
from adapters.tables.runs import receipts
from models.archive.archive import ArchiveRow
from models.erasures import HoldRow, TombstoneRow
from models.errors import Transient
from models.runs.batch import BatchItemRow, BatchKind, BatchState, ItemState
from models.runs.receipt import Identity, Trigger
from models.views.batch import ErasureFilter
from services.batches import batches
from services.custody.verifying_records import verify_beside
from services.receipts import stored_archive
from services.triggering.trigger import trigger
from tests.batches import UNKNOWN_DRIVER
from tests.installations import archived, closed_url
from tests.killed import Countdown, count_writes, exit_status
from tests.records import all_of
from tests.samples import sample_body
from tests.services.erasure.searching import everything

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
_ARCHIVES = int(os.environ.get("ERASURES", "200"))
_STAY, _FIRST_KILLS, _MOST_WRITES = 5, 100, 600


@pytest.fixture
def _without_prefect(sqlite_installation: Settings, configure: object, migrated_prefect: Path) -> None:
    assert callable(configure)
    configure(PREFECT_API_URL=closed_url())
    prefect_file(settings()).parent.mkdir(parents=True)
    shutil.copy(migrated_prefect, prefect_file(settings()))


def _driven_until_killed(batch_id: str, writes: int) -> None:
    count_writes(Countdown(writes))
    rows.set_driver(batch_id, UNKNOWN_DRIVER)
    while not asyncio.run(batches.step(batch_id, UNKNOWN_DRIVER, thoroughly=True)).is_over:
        pass


def _is_held_now(reference: str) -> bool:
    """Hold an archive, as a person does, unless it is gone or has its tombstone."""
    with writing() as session:
        archive = session.get(ArchiveRow, reference, with_for_update=True)
        tombstone: TombstoneRow | None = session.get(TombstoneRow, digest_of(reference))
        if archive is None or tombstone:
            return False
        row = HoldRow(hold_id=reference, reference=reference, why="a lawsuit", by="eve", at=datetime.now(UTC))
        session.add(row)
        note(session, HoldRow, col(HoldRow.hold_id) == reference)
        return True


def _comes_again(reference: str) -> None:
    """Deliver an archive once more, as the receiver does. Prefect does not answer, so the run of a whole one waits."""
    intake = inbox.Intake()
    body = sample_body(reference)
    intake.digest(body)
    intake.write([body])
    delivery = intake.accept(Identity(reference), datetime.now(UTC), {"content-type": "application/json"})
    with suppress(Transient):
        asyncio.run(trigger(delivery, Trigger.WEBHOOK))


@pytest.mark.usefixtures("_without_prefect")
def test_no_erasure_is_half_done_none_was_held_and_none_is_back() -> None:
    chance = random.Random(29)
    gone, stay = [f"gone-{each:03}" for each in range(_ARCHIVES)], [f"stay-{each}" for each in range(_STAY)]
    for reference in (*gone, *stay):
        archived(reference, sample_body(reference))
    chosen = ErasureFilter(q="gone", reason="asked for")
    batch_id = batches.plan(BatchKind.ERASE, chosen, "ann").id
    batches.freeze(batch_id, "bob")
    held, kills, again = set[str](), 0, 0

    while batches.get(batch_id).state == BatchState.RUNNING:
        writes = kills if kills < _FIRST_KILLS else chance.randrange(_MOST_WRITES)
        status = exit_status(_driven_until_killed, batch_id, writes)
        assert status in (0, -signal.SIGKILL)
        kills += status != 0
        for reference in chance.sample(gone, 2):
            if reference not in held and chance.random() < 0.2 and _is_held_now(reference):
                held.add(reference)
            _comes_again(chance.choice(gone))
            again += 1

    erased = set(gone) - held
    for delivery in list(inbox.deliveries()):
        with suppress(Transient):
            asyncio.run(trigger(delivery, Trigger.SWEEP))
    with reading() as session:
        returned = session.exec(select(func.sum(TombstoneRow.returned))).one()
    told = (len(erased), len(held), kills, again, returned)
    sys.stderr.write("{} erased, {} held, {} kills, {} re-deliveries, {} of erased archives\n".format(*told))
    assert {each.reference for each in all_of(select(ArchiveRow))} == {*held, *stay}
    tombstones = {each.digest: each for each in all_of(select(TombstoneRow))}
    assert tombstones.keys() == set(map(digest_of, erased))
    assert all(each.ended_at for each in tombstones.values())
    unended = select(BatchItemRow).where(col(BatchItemRow.state).in_((ItemState.QUEUED, ItemState.STARTED)))
    assert all_of(unended) == []
    for reference in erased:
        assert ocfl.inventory(reference) is None
        assert store().size(seals.key_location(reference)) is None
    for reference in (*held, *stay):
        assert stored_archive(reference, receipts.current_receipt_id(reference) or "").request.is_whole()
    left = [(place, each) for place, data in everything() for each in erased if each.encode() in data or each in place]
    assert [each for each in left if not each[0].startswith("store/spool/")] == []  # a sweep removes that after a day
    assert not verify_beside().findings
