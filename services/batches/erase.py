"""The erasure of archives: a plan that another person confirms, and the removal of the frozen list, a page at a time.

An archive gets its tombstone in the transaction that checks its holds and its runs. After that it is removed, however
often the driver is killed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlmodel import col

from adapters.database.noted import note
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.peers import prefect_erasure
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.tombstones import digest_of, insert
from adapters.tables.batches import batches, erasures
from adapters.tables.batches.batches import Selection
from adapters.tables.holds import IS_HELD
from adapters.tables.runs import leases
from domain.batches import RUNNABLE, Draft, Settled
from models.archive.archive import ArchiveRow
from models.erasures import TombstoneRow
from models.errors import Refused
from models.runs.batch import BatchItemRow, BatchRow, BatchState, ItemState, Skipped
from models.views.batch import ErasureFilter, ErasurePlan
from services.access.users import are_two_people
from services.backups.tombstones import send
from services.erasure import lines, removing
from services.views.archive_conditions import conditions_of

QUIET_S = 1.0
_AT_ONCE = 20
_LEASE_S = 3600.0


def draft(chosen: ErasureFilter, _: datetime) -> Draft:
    """Plan the erasure of all archives that match a filter, but those that are held or on their way.

    Raises Refused if the filter is wrong, or names nothing: nobody erases everything by mistake.
    """
    conditions = conditions_of(chosen)
    if not conditions:
        raise Refused("BAD_PARAMETER", "expected references or a filter of the archives to erase", where="references")
    counts = erasures.counts(conditions)
    plan = ErasurePlan(
        **asdict(counts),
        locked_until=_locked_until(erasures.newest(conditions)) if settings().store_lock_days else None,
        events_days=prefect_erasure.events_kept_days(),
        approvers=settings().erase_approvers,
    )
    return Draft(chosen, plan, plan.archives)


def _locked_until(reference: str | None) -> datetime | None:
    """Return until when the newest version of an archive is locked: no other is locked for longer."""
    if reference is None or (found := ocfl.inventory(reference)) is None:
        return None
    return store().locked_until(f"{ocfl.object_key(reference)}/v{found.head}/{ocfl.INVENTORY}")


def selection(row: BatchRow) -> Selection:
    """Return the archives of a plan, without those that arrived after it."""
    reference = col(ArchiveRow.reference)
    may_go = [col(ArchiveRow.received_at) <= row.created_at, col(ArchiveRow.state).in_(RUNNABLE), ~IS_HELD]
    conditions = [*conditions_of(ErasureFilter.model_validate(row.filter)), *may_go]
    return Selection(reference, ArchiveRow.state, (col(ArchiveRow.received_at), reference), conditions)


def may_confirm(planner: str, by: str) -> bool:
    """Return whether a person may confirm what the planner planned."""
    return settings().erase_approvers == 1 or are_two_people(planner, by, datetime.now(UTC))


def check_confirmed_by(row: BatchRow, by: str) -> None:
    """Check that another person than the planner confirms, where `CELLAR_ERASE_APPROVERS` says so, and that no more
    archives match than in the plan: a rule, a hold or a value may have changed, and nobody has seen these.
    """
    if not may_confirm(row.by, by):
        detail = "expected another person than the planner; a login younger than a day counts as its maker's"
        raise Refused("SECOND_PERSON", detail, where="by", status=409)
    found = erasures.counts(selection(row).conditions).archives
    if found > row.planned and row.state == BatchState.PLANNED:
        detail = f"the filter matches {found} archives now, and the plan has {row.planned}; plan the erasure again"
        raise Refused("WRONG_STATE", detail, where="batch_id", status=409)


def settle(batch_id: str, _: datetime) -> Settled:
    """Count the archives that are being erased: each ends with its removal."""
    return Settled(batches.counts(batch_id).get(ItemState.STARTED, 0), 0)


async def recover(batch_id: str) -> None:
    """Go on with archives whose removal was interrupted."""
    await asyncio.to_thread(_recover, batch_id)


def _recover(batch_id: str) -> None:
    if batches.items(batch_id, ItemState.STARTED, 0, 1):
        lines.erase_earlier()  # a killed driver may have replaced lines, and left the earlier versions of their files
    while started := batches.items(batch_id, ItemState.STARTED, 0, _AT_ONCE):
        digests = erasures.references([each.subject for each in started])
        send(datetime.now(UTC))  # before anything is removed: a restore must know it
        removing.remove(digests)
        removing.end([each.subject for each in started if each.subject not in digests.values()])


async def start_next(row: BatchRow, now: datetime) -> int | None:
    """Erase the next archives of the list, and skip those that are held, on their way or gone."""
    queued = await asyncio.to_thread(batches.items, row.id, ItemState.QUEUED, 0, _AT_ONCE)
    return await asyncio.to_thread(_erase, row, queued, now) if queued else None


def _erase(row: BatchRow, queued: Sequence[BatchItemRow], now: datetime) -> int:
    holder = f"erase:{row.id}"
    digests = {each.subject: digest_of(each.subject) for each in queued}
    free = leases.take(digests, holder, _LEASE_S)
    skipped = {
        each.subject: _claimed(row, each, digests[each.subject], now, is_free=each.subject in free) for each in queued
    }
    leases.release([each for each, why in skipped.items() if why], holder)
    send(now)
    removing.remove({each: digests[each] for each, why in skipped.items() if why is None})
    return len(queued)


def _claimed(row: BatchRow, item: BatchItemRow, digest: str, now: datetime, *, is_free: bool) -> Skipped | None:
    """Give an archive its tombstone, unless it is held, on its way or gone: then skip it, and return why.

    A hold locks the same row of the archive. So either the hold or the erasure wins.
    """
    with writing() as session:
        archive = session.get(ArchiveRow, item.subject, with_for_update=True)
        its = session.get_one(BatchItemRow, (row.id, item.position), with_for_update=True)
        why = erasures.why_not(session, archive, now, is_free=is_free)
        if archive is None or why:
            its.state, its.skipped, its.ended_at = ItemState.SKIPPED, why, now
        else:
            archive.digest = digest
            its.state, its.subject, its.receipt_id, its.started_at = ItemState.STARTED, digest, None, now
            if session.get(TombstoneRow, digest) is None:
                insert(session, archive.reference, _tombstone(row, digest, now))
        note(session, BatchItemRow, col(BatchItemRow.batch_id) == row.id, col(BatchItemRow.position) == item.position)
        return why


def _tombstone(row: BatchRow, digest: str, now: datetime) -> TombstoneRow:
    confirmed_by = next(each["by"] for each in row.actions if each["what"] == "confirmed")
    about = {"batch_id": row.id, "ground": row.filter["reason"], "erased_by": row.by, "confirmed_by": confirmed_by}
    return TombstoneRow(digest=digest, erased_at=now, **about)
