"""Makes a backup of inbox, store and secrets while the system runs. The database is not in it: a rebuild makes it.

The inbox comes first. So what was acknowledged before the backup began is in the inbox, or in the store that is read
after it. A restore settles versions that were written meanwhile. A backup is finished once its end is noted.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from adapters.database.transactions import writing
from adapters.files import bucket
from adapters.files.brought import note_at
from adapters.files.restic import Repository
from adapters.files.storage import Storage
from adapters.files.store import storage_at
from adapters.inbox import inbox, restore_mark
from adapters.settings.settings import settings
from adapters.store import happened, last_records
from adapters.tables import conditions
from adapters.tables.conditions import Found
from adapters.tables.open_conditions import open_conditions
from adapters.tables.runs import receipts
from models.errors import CellarError, Conflict, Transient, WrongUse
from models.store.backup import Backup, LastBackup
from models.store.condition import OF_FILES, ConditionCode, Subject
from services.backups import tombstones
from services.backups.bringing import Pair, bring, files, remove_surplus
from services.health.probes import found_root

OnProgress = Callable[[str, float], None]
_TEMPORARY = (".*.part", ".probe")
_LEFT_OUT = {"inbox": (restore_mark.NAME, *(f"**/{each}" for each in _TEMPORARY)), "store": ("spool",), "secrets": ()}
_MOST_NAMED = 100
_LONGEST = timedelta(days=7)
"""An unfinished backup may be made by another process that lives: its parts are not taken from it before."""


def place_of_backups(given: str | None, option: str) -> str:
    """Return the location of the backups: what was given by an option, or what the settings name.

    Raises WrongUse if neither is set.
    """
    if given and "://" not in given:
        given = str(Path(given).absolute())
    found = given.rstrip("/") if given else settings().backup_location
    if not found:
        raise WrongUse(f"no place of backups is set: give one by {option}, or set CELLAR_BACKUP_URL")
    return found


def back_up(location: str, now: datetime, on_progress: OnProgress) -> LastBackup:
    """Make a backup, remove backups that are older than CELLAR_BACKUP_KEEP_DAYS, and keep what is known of it.

    Args:
        on_progress: called with the part that is saved, and how much of it is done, from 0 to 1.

    Raises:
        WrongUse: there is no such place, or restic is not installed.
        Refused: the password does not open the place.
        Conflict: the last backup was made there, and nothing is there now.
        Transient: the place, store, inbox or database does not answer, or a disk is full.
    """
    try:
        with bucket.patient():
            made = _backed_up(location, now, on_progress)
    except CellarError as error:
        _keep((last_records.find(LastBackup) or LastBackup()).model_copy(update={"failure": str(error)}), now)
        raise
    _keep(made, now)
    return made


def _backed_up(location: str, now: datetime, on_progress: OnProgress) -> LastBackup:
    found_root()  # else a disk that is not mounted would be saved as an empty store
    lost = _lost_bodies()
    happened.keep_all()  # what waits in the database is in the store then
    place = _opened(location)
    replaced = tombstones.send_to(place)
    name = f"backup-{now.isoformat(timespec='microseconds')}"
    unread, size_bytes, added_bytes = [f"inbox: {each}" for each in sorted(lost)], 0, 0
    for part, folder, lacks in _sources(on_progress):
        saved = place.save_folder(folder, name, part, _LEFT_OUT[part], partial(on_progress, part))
        unread += [*lacks, *(f"{part}: {each}" for each in saved.unread)]
        size_bytes, added_bytes = size_bytes + saved.size_bytes, added_bytes + saved.added_bytes
    place.end(name, len(unread))
    place.expire(partial(expired, now), replaced)
    return LastBackup(
        at=now,
        ended_at=datetime.now(now.tzinfo),
        location=location,
        lacks=len(unread),
        damaged=sum(each.count for each in open_conditions(OF_FILES)),
        size_bytes=size_bytes,
        added_bytes=added_bytes,
        unread=unread[:_MOST_NAMED],
    )


def _lost_bodies() -> set[str]:
    """Return the receipts that wait, if the inbox has the body of none: its disk is not mounted, or was lost.

    All else is saved: one body that is lost for good must not keep the archives of years from their backup.
    """
    waits = receipts.incomplete()
    return set() if any(map(inbox.has_body, waits)) else waits & receipts.incomplete()  # some have just completed


def _opened(location: str) -> Repository:
    """Return the place of the backups, made if it is new."""
    place = Repository(location)
    if place.exists():
        place.release_locks()
        return place
    last = last_records.find(LastBackup)
    if last and last.at and last.location == location:
        raise Conflict(
            f"the last backup was made at {location}, and nothing is there now: mount its disk. To begin anew there, "
            f"remove last-backup.json from {settings().store_location}"
        )
    place.make()
    return place


def expired(now: datetime, backups: list[Backup]) -> list[Backup]:
    """Return the backups to be removed: old ones, but the last that is finished, and those that nobody finishes."""
    oldest = now - timedelta(days=settings().backup_keep_days)
    last = max((each.at for each in backups if each.is_finished), default=now)
    given_up = now - _LONGEST
    return [
        each
        for each in backups
        if each.at < last and (each.at < oldest or (not each.is_finished and each.at < given_up))
    ]


def _sources(on_progress: OnProgress) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the parts in their order: each with its folder, and the keys of a bucket that cannot be read."""
    for part, location in (("inbox", settings().inbox_location), ("store", settings().store_location)):
        lacks = list[str]()
        mirrored = partial(_mirrored, part, lacks, on_progress)
        folder = storage_at(location).suited(folder=lambda it: it.path, bucket=mirrored)
        if folder.is_dir():  # before the first body it is not
            yield part, folder, lacks
    secrets = settings().secret_path("backup").parent
    if secrets.is_dir():
        yield "secrets", secrets, []


def _mirrored(part: str, lacks: list[str], on_progress: OnProgress, source: Storage) -> Path:
    """Bring what is new in a bucket into a folder of this machine, since restic reads files alone."""
    folder = settings().backup_dir / part
    pair = Pair(part, source, storage_at(str(folder)))
    noted = settings().backup_dir / f"{part}.db"
    with note_at(noted) as note:
        note.next_pass()
        try:
            lacks += bring(pair, note, lambda _: on_progress(part, 0)).unread
            came_since = remove_surplus(pair, note)
            is_whole = sum(1 for _ in files(pair.target)) - came_since == note.amount(part)[0]
        except Conflict:
            is_whole = False
    if not is_whole:
        noted.unlink()  # so that the next backup compares each file
        raise Transient(f"others have changed {folder}; make the backup again, which compares each file")
    return folder


def _keep(last: LastBackup, now: datetime) -> None:
    last_records.keep(
        last.model_copy(update={"unread": []})
    )  # their names may be references, and no erasure comes here
    is_well = not (last.failure or last.lacks)
    found = None if is_well else Found(last.lacks or 1, {})
    try:
        with writing() as session:
            conditions.set_within(
                session, Subject.SYSTEM, tombstones.BACKUPS, {ConditionCode.BACKUP_FAILED: found}, now
            )
    except Transient:  # the backup itself needs no database; `cellar status` reads the record
        return
