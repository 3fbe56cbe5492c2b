"""An erased archive has left nothing, on both databases; everything beside it stays."""

from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import SQLModel, select

import models.every_table  # noqa: F401
from adapters.anchors.anchors import newest
from adapters.anchors.erasing import leaves_about
from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store.tombstones import digest_of
from models.archive.archive import ArchiveRow
from models.erasures import TombstoneRow
from models.runs.batch import BatchItemRow, BatchKind
from models.views.batch import BatchView, ErasureFilter
from services.anchors.anchors import hold
from services.anchors.making import make
from services.batches import batches
from services.custody.verifying_records import verify_beside
from services.erasure.traces import KEEPS_NOTHING, REDACTED, REMOVED
from tests.batches import driven
from tests.records import all_of
from tests.services.erasure.planted import OTHER, REFERENCE, plant, traces

NOW = datetime.now(UTC)


def planned(*references: str) -> str:
    chosen = ErasureFilter(references=list(references), reason="asked by the person")
    return batches.plan(BatchKind.ERASE, chosen, "ann").id


def erased(*references: str) -> BatchView:
    batch_id = planned(*references)
    batches.freeze(batch_id, "bob")
    return driven(batch_id)


def test_each_table_is_in_a_list() -> None:
    listed = {str(each.__tablename__) for each in (*REMOVED, *REDACTED, *KEEPS_NOTHING)}

    assert SQLModel.metadata.tables.keys() - listed == set()
    assert not (KEEPS_NOTHING.keys() & {*REMOVED, *REDACTED})


def test_nothing_of_an_erased_archive_is_left(installation: Settings, migrated_prefect: Path) -> None:
    plant(migrated_prefect)
    make(NOW)
    before, leaves = traces(), leaves_about([REFERENCE])[REFERENCE]
    assert not verify_beside().findings

    found = erased(REFERENCE)

    assert (found.completed, found.started, found.failed) == (1, 0, 0)
    assert len(before) > 60
    assert traces(but=("event/",)) == {}  # WIP
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
    held = hold(anchor.root)
    assert (held.findings, held.erased) == ((), 1)
    assert leaves_about([REFERENCE]) == {}
    assert {*leaves} < {*tombstone.lines}
