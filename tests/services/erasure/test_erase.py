"""An erased archive has left nothing, on both databases; everything beside it stays."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel, col, delete, func, select, update

import models.every_table  # noqa: F401
from adapters.anchors.anchors import newest, statement_key
from adapters.anchors.erasing import leaves_about
from adapters.database.noted import note_rows
from adapters.database.transactions import reading, writing
from adapters.files.store import store
from adapters.peers import prefect_erasure
from adapters.settings.environment import prefect_file
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.lines import kept_digest
from adapters.store.tombstones import digest_of
from adapters.tables.runs import receipts
from models.access import AccessRow, Role
from models.archive.archive import ArchiveRow, State
from models.erasures import HoldRow, TombstoneRow
from models.errors import Refused
from models.messages.notification import EventType, NotificationRow
from models.people import SavedViewRow
from models.runs.batch import BatchAction, BatchItemRow, BatchKind, ItemState, Skipped
from models.store.happened import NotedRow
from models.views.batch import BatchView, ErasureFilter, ErasurePlan
from services.access import users
from services.anchors import anchors
from services.anchors.making import make
from services.batches import batches
from services.custody.objects import object_of
from services.custody.rebuilding import rebuild
from services.custody.verifying import missing
from services.custody.verifying_records import verify_beside
from services.erasure import removing
from services.erasure.spellings import redacted_text
from services.erasure.traces import REDACTED, REMOVED, Named, named_by
from services.receipts import stored_archive
from tests import changes
from tests.batches import driven
from tests.conftest import Configure
from tests.installations import archived, closed_url
from tests.records import all_of, buried, change, put, run_row
from tests.samples import sample_body
from tests.services.erasure.kept import FOLDERS, KEEPS_NOTHING
from tests.services.erasure.planted import OTHER, REFERENCE, plant, traces

NOW = datetime.now(UTC)


def planned(*references: str) -> str:
    chosen = ErasureFilter(references=list(references), reason="asked by the person")
    return batches.plan(BatchKind.ERASE, chosen, "ann").id


def erased(*references: str) -> BatchView:
    batch_id = planned(*references)
    batches.freeze(batch_id, "bob")
    return driven(batch_id)


def counted(named: Named) -> dict[str, int]:
    """Return how many rows of each table are of an archive."""
    with reading() as session:
        return {
            str(table.__tablename__): session.exec(select(func.count()).select_from(table).where(found(named))).one()
            for table, found in REMOVED.items()
        }


def hold(reference: str) -> dict[str, Any]:
    return {"hold_id": "h", "reference": reference, "why": "a lawsuit", "by": "eve", "at": NOW}


def test_each_table_is_in_a_list() -> None:
    listed = {str(each.__tablename__) for each in (*REMOVED, *REDACTED, *KEEPS_NOTHING)}

    assert SQLModel.metadata.tables.keys() - listed == set()
    assert not (KEEPS_NOTHING.keys() & {*REMOVED, *REDACTED})


def folders(of: Settings) -> set[str]:
    """Return the folders of store and inbox."""
    found = {each.name for each in Path(of.store_location).iterdir() if each.is_dir()}
    return found | {f"inbox/{each.name}" for each in Path(of.inbox_location).iterdir()}


def test_nothing_of_an_erased_archive_is_left(
    installation: Settings, migrated_prefect: Path, configure: Configure, tmp_path: Path
) -> None:
    plant(migrated_prefect)
    make(NOW)
    leaves = leaves_about([REFERENCE])[REFERENCE]
    files = {key: store().read_bytes(key) for key, _ in store().listed("")}
    assert folders(installation) <= FOLDERS.keys()
    shutil.copytree(Path(installation.store_location, "anchors"), tmp_path / "witness" / "anchors")
    assert not verify_beside().findings

    with reading() as session:
        named = named_by(session, session.get_one(ArchiveRow, REFERENCE), digest_of(REFERENCE))
    # No run is on its way, and nothing waits for the store.
    assert {name for name, number in counted(named).items() if not number} == {"waiting", "noted"}
    assert changes.unnamed(named) == (changes.COLUMNS, {*changes.TABLES}, changes.REPLACED)

    found = erased(REFERENCE)

    assert (found.completed, found.started, found.failed) == (1, 0, 0)
    assert traces().keys() == {"reference"}  # in the message to downstream
    assert set(counted(named).values()) == {0}
    told = all_of(select(NotificationRow).where(NotificationRow.event == EventType.ARCHIVE_ERASED))
    assert {each.endpoint_name: each.state for each in told} == {"erp": "pending"}
    assert removing.forget_told() == 0
    change(update(NotificationRow).values(state="delivered"))
    assert removing.forget_told() == 1
    assert traces() == {}
    assert [each.reference for each in all_of(select(ArchiveRow))] == [OTHER]
    (tombstone,) = all_of(select(TombstoneRow))
    assert (tombstone.digest, tombstone.erased_by, tombstone.confirmed_by) == (digest_of(REFERENCE), "ann", "bob")
    assert tombstone.ground == "asked by the person"
    assert tombstone.ended_at
    assert [each.subject for each in all_of(select(BatchItemRow).where(BatchItemRow.batch_id == found.id))] == [
        tombstone.digest
    ]
    assert not verify_beside().findings
    anchor = newest(store())
    assert anchor
    held = anchors.hold(anchor.root)
    assert (held.findings, held.erased) == ((), 1)
    assert leaves_about([REFERENCE]) == {}
    assert {*map(kept_digest, leaves)} < {*tombstone.lines}

    configure(witness_url=tmp_path / "witness")  # was locked, so it still has the leaves
    store().remove(anchor.key("leaves.gz"))
    assert {each.key for each in anchors.hold(anchor.root).findings} == {anchor.key("leaves.gz")}

    key = ocfl.object_key(REFERENCE)
    back = {each for each in files if each.startswith(("happened/", "events/2", "anchors/"))}
    back = {each for each in back if store().found_bytes(each) != files[each]}
    assert len(back) > 3
    for each in (each for each in files if each in back or each.startswith(key)):
        store().overwrite_bytes(files[each], each)
    assert {each.key for each in missing([key]).findings} == {key}
    wrong = {each.key for each in verify_beside().findings}
    assert wrong == {statement_key(1), *(each for each in back if not each.startswith("anchors/"))}
    rebuilt = rebuild([object_of(REFERENCE)], lambda _: None)
    assert rebuilt.archives == 0
    assert key in dict(rebuilt.damaged)
    assert [each.reference for each in all_of(select(ArchiveRow))] == [OTHER]


def test_planner_does_not_confirm_unless_one_person_suffices(
    sqlite_installation: Settings, configure: Configure
) -> None:
    plant()
    batch_id = planned(REFERENCE)

    with pytest.raises(Refused) as refused:
        asyncio.run(batches.act(BatchAction.CONFIRM, batch_id, "ann", of_erasures=True))
    users.add("ann-too", Role.OPERATOR, "ann", datetime.now(UTC))
    with pytest.raises(Refused, match="younger than a day"):
        batches.freeze(batch_id, "ann-too")
    with pytest.raises(Refused) as unknown:  # whoever may only run archives again
        asyncio.run(batches.act(BatchAction.CONFIRM, batch_id, "bob"))
    assert (refused.value.code, unknown.value.code) == ("SECOND_PERSON", "UNKNOWN_BATCH")
    assert batches.get(batch_id).state == "planned"

    configure(erase_approvers=1, PREFECT_API_URL=closed_url())
    asyncio.run(batches.act(BatchAction.CONFIRM, batch_id, "ann", of_erasures=True))
    assert batches.get(batch_id).state == "running"


@pytest.mark.usefixtures("sqlite_installation")
def test_plan_says_what_is_left_out_and_nothing_means_everything() -> None:
    plant()
    put(HoldRow(**hold(OTHER)))
    batch_id = planned(REFERENCE, OTHER)
    plan = batches.view(batch_id).plan
    assert isinstance(plan, ErasurePlan)
    assert (plan.archives, plan.held, plan.on_their_way, plan.files > 0, plan.approvers) == (1, 1, 0, True, 2)

    with pytest.raises(Refused, match="references or a filter"):
        planned()

    change(delete(HoldRow))
    with pytest.raises(Refused, match="matches 2 archives now, and the plan has 1"):
        batches.freeze(batch_id, "bob")
    assert batches.get(batch_id).state == "planned"


def test_hold_after_the_plan_and_a_run_that_has_not_ended_win(installation: Settings, migrated_prefect: Path) -> None:
    plant(migrated_prefect)
    archived("third", sample_body("third"))
    put(run_row("notifies", "its", reference="third", started_at=datetime.now(UTC)))
    batch_id = planned(REFERENCE, OTHER, "third")
    batches.freeze(batch_id, "bob")
    ended = hold(OTHER) | {"hold_id": "past", "until": date(2020, 1, 1)}
    put(HoldRow(**hold(REFERENCE)), HoldRow(**ended))

    found = driven(batch_id)

    assert (found.completed, found.skipped) == (1, 2)
    skipped = all_of(select(BatchItemRow).where(BatchItemRow.state == ItemState.SKIPPED))
    assert {each.subject: each.skipped for each in skipped} == {REFERENCE: Skipped.HELD, "third": Skipped.ON_ITS_WAY}
    assert {each.reference for each in all_of(select(ArchiveRow))} == {REFERENCE, "third"}
    assert stored_archive(REFERENCE, receipts.current_receipt_id(REFERENCE) or "").request.is_whole()


@pytest.mark.usefixtures("sqlite_installation")
def test_aborted_erasure_that_meets_damage_stops_no_sweep() -> None:
    plant()
    batch_id = planned(REFERENCE)
    batches.freeze(batch_id, "bob")
    its = col(BatchItemRow.batch_id) == batch_id
    change(update(BatchItemRow).where(its).values(state=ItemState.STARTED, subject=buried(REFERENCE)))
    batches.change(BatchAction.ABORT, batch_id, "bob")
    store().overwrite_bytes(b"[]\n", next(key for key, _ in store().listed("happened")))

    asyncio.run(batches.settle_aborted())

    assert batches.view(batch_id).started == 1


@pytest.mark.usefixtures("installation")
def test_notes_that_have_the_reference_inside_other_words_stay() -> None:
    held = [hold("1") | {"at": "2026-11-01"}, hold("1-10") | {"at": "2026-11-01"}, hold("11") | {"at": "2026-11-01"}]
    with writing() as session:
        note_rows(session, AccessRow, [{"number": 1, "digest": "a1", "at": "2026-11-01T01:01:01"}])
        note_rows(session, HoldRow, held)
        note_rows(session, SavedViewRow, [{"query": "reference=1"}, {"query": "reference=11", "view_id": "a1"}])
        named = named_by(session, ArchiveRow(reference="1", source="", received_at=NOW, state=State.COMPLETED), "d")

        removing.delete_rows(session, named, [NotedRow])

    left = [each.row for each in all_of(select(NotedRow).order_by(NotedRow.of)) if each.of != "access"]
    assert [each.get("reference", each.get("query")) for each in left] == ["1-10", "11", "reference=11"]
    assert len(all_of(select(NotedRow))) == 4


def test_prefect_keeps_what_only_looks_like_a_reference(sqlite_installation: Settings, migrated_prefect: Path) -> None:
    plant(migrated_prefect)
    text = json.dumps([{"key": "17", "checked": 17, "of": "170"}])
    with closing(sqlite3.connect(prefect_file(settings()))) as kept, kept:
        kept.execute("UPDATE artifact SET data = ?, description = '17 of 170'", [text])

    prefect_erasure.forget("17", ["17"], partial(redacted_text, reference="17", digest="d"), [])

    with closing(sqlite3.connect(prefect_file(settings()))) as kept:
        data, described = kept.execute("SELECT data, description FROM artifact WHERE flow_run_id LIKE '%99'").fetchone()
    assert (json.loads(data), described) == ([{"key": "d", "checked": 17, "of": "170"}], "d of 170")
