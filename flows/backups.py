"""The flows `back-up` and `restore-drill`: make a backup each night, and restore one for practice each month."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from prefect import get_run_logger

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from flows.execution.tasks import ProgressArtifact, counted, name_run, of_cellar
from models.errors import Conflict
from models.store.backup import LastBackup
from services.backups import making
from services.custody.drilling import drill, remove_killed

_SHOWN_EACH_S = 5


@of_cellar("back-up", "back up")
async def back_up() -> None:
    """Make a backup at CELLAR_BACKUP_URL, if it is set, and remove old ones. Fail if a file could not be read.

    Raises:
        Conflict: the backup lacks files, or its place is empty although a backup was made there.
        Refused: the password does not open the place.
        Transient: the place or the store does not answer, or a disk is full. A new run goes on.
    """
    place = settings().backup_location
    if place is None:
        await name_run(["no place is set"])
        return
    await in_thread(remove_killed)
    made = await _made(place)
    log = get_run_logger()
    log.info("saved %d bytes, of which %d are new", made.size_bytes, made.added_bytes)
    await name_run([f"saved {made.size_bytes / 1e6:,.0f} MB, {made.added_bytes / 1e6:,.0f} MB of them new"])
    if made.lacks:
        raise Conflict(f"{made.lacks} files could not be read; `cellar backup` names them")


@of_cellar("restore-drill", "restore for practice")
async def restore_drill() -> None:
    """Restore the newest backup of CELLAR_BACKUP_URL elsewhere, if it is set, compare it, and throw it away.

    Raises Conflict if it could not be restored, or is not as here.
    """
    place = settings().backup_location
    if place is None:
        await name_run(["no place is set"])
        return
    found = await in_thread(drill, place, datetime.now(UTC))
    await name_run([f"restored {counted(found.archives, 'archive')} in {found.took_s:,.0f} s"])
    if not found.is_well:
        raise Conflict(found.failure or f"{found.differing} archives are not as here; run `cellar restore --drill`")


async def _made(place: str) -> LastBackup:
    """Make a backup, and show its progress meanwhile. It ends before this flow does, also if that is cancelled."""
    shown, at = ProgressArtifact("backup-progress"), dict[str, float]()
    work = asyncio.ensure_future(in_thread(making.back_up, place, datetime.now(UTC), at.__setitem__))
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=_SHOWN_EACH_S)
            for part in list(at)[-1:]:
                await shown.show(at[part], part)
    except asyncio.CancelledError:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        raise
    return work.result()
