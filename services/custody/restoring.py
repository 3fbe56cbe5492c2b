"""Restores an installation from a backup into empty places, or one archive into a store that has lost it.

A mark in the inbox keeps every program from starting until the last step is done; each step may be
killed, and the same restore goes on. The steps: files; versions that were written while the backup was made; tombstones
of what was erased since; an empty database, which is rebuilt; a check of everything.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from sqlmodel import col, select

from adapters.database.migration import migrate, remove_database
from adapters.database.transactions import read_all
from adapters.files import bucket
from adapters.files.brought import note_at
from adapters.files.restic import Repository
from adapters.files.storage import Storage
from adapters.files.store import storage_at, store
from adapters.inbox import inbox, restore_mark
from adapters.settings.settings import settings
from adapters.store import happened, ocfl
from adapters.store.objects import history
from adapters.store.objects.deliveries import delivered
from adapters.store.ocfl import INVENTORY, SIDECAR
from adapters.store.seals import key_location
from adapters.store.tombstones import digest_of, every, of_reference
from adapters.tables.archives import archives
from models.archive.archive import State
from models.errors import Conflict, Refused, Unreadable, WrongUse
from models.runs.receipt import ReceiptRow
from models.store.backup import Backup, Restored
from models.store.fixity import Fault, FixityFinding, StoredObject
from models.store.restoring import Mark
from services.backups import tombstones
from services.backups.bringing import Pair, bring
from services.custody.empty_places import kept_from_starting, require_empty
from services.custody.objects import object_of, stored_objects
from services.custody.rebuilding import rebuild
from services.custody.remembering import Memory
from services.custody.verifying import absent_store, verify_object
from services.erasure.lines import erase_kept
from services.erasure.removing import remove

OnProgress = Callable[[str, float], None]
_COMMAND = "cellar restore --from {location}"
_INVENTORY = re.compile(rf"v([1-9][0-9]*)/{re.escape(INVENTORY)}")
"""The last file of a version."""
_RESTORED = {Fault.DAMAGED, Fault.MISSING, Fault.UNREADABLE}


def restore(location: str, now: datetime, on_progress: OnProgress) -> Restored:
    """Restore the newest finished backup of a place into the empty places of the settings, and verify what is there.

    Args:
        on_progress: called with what is done, and how much of it, from 0 to 1.

    Raises:
        WrongUse: the places are not empty, or something runs there.
        Refused: there is no finished backup, or the password is wrong.
        Transient: a place does not answer, or a disk is full. The same restore goes on where it was.
    """
    with bucket.patient(), kept_from_starting() as running:
        if running:
            raise WrongUse(f"stop what runs here, and restore again: {', '.join(running)}")
        backup, place = _begun(location, now), Repository(location)
        password = settings().secret_path("backup")
        for part, folder in {"secrets": password.parent, **_folders()}.items():
            if part in backup.parts:
                leave_out = (password.name,) if part == "secrets" else ()
                place.restore(backup.parts[part], folder, leave_out=leave_out, on_progress=partial(on_progress, part))
        _bring_to_buckets()
        settled = sum(settle(each, backup.at, store()) for each in stored_objects() if each.key)
        remove_database()
        migrate()
        restored = _rebuilt(place, backup, settled, on_progress)
        shutil.rmtree(_beside(), ignore_errors=True)
        os.sync()  # restic syncs nothing: a power cut must not empty files once the mark is gone
        storage_at(settings().inbox_location).remove(restore_mark.NAME)
        return restored


def _begun(location: str, now: datetime) -> Backup:
    """Return the backup that is restored here: that of the mark, or the newest finished one, which is marked now."""
    place, ours = Repository(location), restore_mark.here()
    if not place.exists():
        raise Refused("NOTHING_THERE", "there is no backup", where=location)
    place.release_locks()
    finished = {each.name: each for each in place.backups() if each.is_finished}
    if not finished:
        raise Refused("NOTHING_THERE", "there is no finished backup", where=location)
    mark = restore_mark.find()
    before_now = [name for name, each in finished.items() if each.at <= now]  # a clock may have been wrong once
    chosen = max(before_now or finished)
    if mark and (mark.target, mark.source) == (ours, location):
        chosen = mark.backup if mark.backup in finished else chosen
    else:
        require_empty()
    command = _COMMAND.format(location=location)
    restore_mark.put(Mark(source=location, backup=chosen, target=ours, at=now, command=command))
    return finished[chosen]


def _locations() -> dict[str, str]:
    return {"store": settings().store_location, "inbox": settings().inbox_location}


def _folders() -> dict[str, Path]:
    """Return where the parts of a backup are restored: beside a bucket, on this machine."""
    return {name: _beside() / name if "://" in each else Path(each) for name, each in _locations().items()}


def _beside() -> Path:
    """Return the folder of what is restored into buckets. It goes with the mark: it may have what was erased."""
    return settings().backup_dir / "restored"


def _bring_to_buckets() -> None:
    for name, folder in _folders().items():
        if folder.parent == _beside() and folder.is_dir():
            with note_at(_beside() / f"{name}.db") as note:
                note.next_pass()
                bring(Pair(name, storage_at(str(folder)), storage_at(_locations()[name])), note, lambda _: None)
            (_beside() / f"{name}.db").unlink()  # what an erasure removes below must come again after a kill


def settle(stored: StoredObject, backup_at: datetime, place: Storage) -> bool:
    """Take back the last versions of an object that were written while its backup was made. Return whether it had any.

    The root inventory names them, and their files were not listed yet, or not all of them in a bucket. Their bodies
    came after the backup began, or wait in the inbox. Any other version that is missing was lost before: the check of
    the store reports it.
    """
    text = place.found_bytes(f"{stored.key}/{INVENTORY}")
    there = {int(found[1]) for path in stored.sizes if (found := _INVENTORY.fullmatch(path))}
    with suppress(Conflict):  # the check of the store reports a damaged inventory
        root = ocfl.parsed(text, stored.key) if text else None
        newest = max(there, default=0)
        before = place.found_bytes(f"{stored.key}/v{newest}/{INVENTORY}")
        if root is None or before is None or newest >= root.head:
            return False
        torn = root.versions[newest:]
        if not all(each.created_at >= backup_at or inbox.has_body(each.message) for each in torn):
            return False
        ocfl.parsed(before, stored.key)
        place.overwrite_bytes(before, f"{stored.key}/{INVENTORY}")
        place.overwrite_bytes(ocfl.sidecar(before), f"{stored.key}/{SIDECAR}")
        for number, each in enumerate(torn, newest + 1):
            place.remove_folder(f"{stored.key}/v{number}")
            if each.message not in delivered(stored.sizes):
                place.remove(f"{stored.key}/{history.path_of(each.message)}")
        return True
    return False


def _rebuilt(place: Repository, backup: Backup, settled: int, on_progress: OnProgress) -> Restored:
    """Rebuild the database, remove what was erased since, and verify everything."""
    objects = sum(1 for each in stored_objects() if each.key) or 1
    done = {"rebuild": 0, "verify": 0}

    def advance(what: str) -> None:
        done[what] += 1
        on_progress(what, done[what] / objects)

    _forget_halfway(place, backup.at)
    made = rebuild(stored_objects(), lambda _: advance("rebuild"), even_erased=True)
    erased = _erase_again()
    _keep_histories(backup.at)
    findings: Sequence[FixityFinding] = ()
    if absent_store() is None:
        findings = Memory().check_store(1, 0, lambda _, __: advance("verify"))[0].findings
    keys = [*(each.key for each in findings), *(key for key, _ in made.damaged)]
    wrong = {ocfl.reference_at(ocfl.object_around(key)) or key for key in keys}
    damaged = [f"{key}: {reason}" for key, reason in made.damaged]
    return Restored(
        at=backup.at,
        archives=made.archives - erased,
        waiting=inbox.backlog().receipts,
        settled=settled,
        erased=erased,
        lacks=backup.lacks,
        damaged=damaged,
        findings=len(findings),
        wrong=sorted(wrong),
        is_whole=not (damaged or findings or backup.lacks),
    )


def _keep_histories(since: datetime) -> None:
    """Write the histories of receipts that the backup has read before theirs were written, as their last step."""
    its = select(ReceiptRow.reference, ReceiptRow.receipt_id)
    found = read_all(its.where(col(ReceiptRow.received_at) >= since, ReceiptRow.state == State.COMPLETED))
    for reference, receipt_id in found:
        history.keep(reference, receipt_id)


def _forget_halfway(place: Repository, since: datetime) -> None:
    """Take the tombstones of the place of the backups. Replace what is left of archives whose objects were removed
    before the backup read them: without an object, no row leads to it afterwards.
    """
    tombstones.take_from(place)
    happened.keep()
    rows = [each.row for each in happened.kept_tombstones()]
    ends = {row["digest"]: row["ended_at"] for row in rows}
    late = {digest for digest, end in ends.items() if end is None or datetime.fromisoformat(end) >= since}
    if late:
        late -= {_digest_at(each.key) for each in stored_objects() if INVENTORY in each.sizes}
    if late:
        erase_kept({row["digest"]: row["lines"] for row in rows if row["digest"] in late})


def _erase_again() -> int:
    """Remove the archives that were erased since, by the tombstones of the store and of the place of the backups."""
    known = {each.digest for each in every()}
    if not known:
        return 0
    erased = {each: digest for each in archives.references() if (digest := digest_of(each)) in known}
    remove(erased, in_prefect=False)
    happened.keep()
    left_out = [each.key for each in stored_objects() if each.key and _digest_at(each.key) in known]  # by the rebuild
    for key in left_out:
        store().erase(key)
    return len(erased) + len(left_out)


def _digest_at(key: str) -> str:
    with suppress(Conflict):
        found = ocfl.reference_at(key)
        inventory = ocfl.inventory_at(key) if found is None else None
        if reference := found or (inventory and ocfl.reference_of(inventory)):
            return digest_of(reference)
    return ""


def restore_archives(location: str, references: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Put the files of archives that are damaged or gone back, from the newest finished backup that has each as it was.

    Returns:
        How many files came back, and how many are damaged or gone still, by reference.

    Raises:
        Refused: no backup has an archive, it is erased, or there is no backup.
        Transient: the place or the store does not answer.
    """
    place = Repository(location)
    newest_first = reversed(place.backups()) if place.exists() else ()
    backups = [each for each in newest_first if each.is_finished and "store" in each.parts]
    with bucket.patient():
        return {each: _restored_archive(place, backups, each) for each in references}


def _restored_archive(place: Repository, backups: Iterable[Backup], reference: str) -> tuple[int, int]:
    if of_reference(reference):
        raise _was_erased(reference)
    key, back = ocfl.object_key(reference), 0
    wrong: dict[str, bool] | None = None
    for backup in backups:
        if wrong == {}:
            break
        if not place.paths(backup.parts["store"], f"{key}/{INVENTORY}"):
            continue
        with TemporaryDirectory(dir=settings().data_dir.absolute()) as folder:
            for each in (key, str(Path(key_location(reference)).parent)):
                if place.paths(backup.parts["store"], each):
                    place.restore(backup.parts["store"], Path(folder, each), below=each)
            found = storage_at(folder)
            sizes = {path.removeprefix(f"{key}/"): size for path, size in found.listed(key)}
            settle(StoredObject(key, sizes), backup.at, found)
            paths = [path for path, _ in found.listed("") if path == key_location(reference) or path.startswith(key)]
            wrong = _wrong(reference)
            while came := sum(_put_back(found, Path(folder), path, wrong) for path in paths):
                back, wrong = back + came, _wrong(reference)  # an inventory that is back names what else is wrong
        if of_reference(reference):  # since: its erasure may have removed the object before these files came
            store().erase(key)
            raise _was_erased(reference)
    if wrong is None:
        raise Refused("NOTHING_THERE", "no backup has this archive", where=reference)
    return back, len(wrong)


def _wrong(reference: str) -> dict[str, bool]:
    """Return the keys at which an archive is damaged, and whether something else than a file stands there."""
    stored = object_of(reference)
    strange = {f"{stored.key}/{each}" for each in stored.strange}
    return {each.key: each.key in strange for each in verify_object(stored).findings if each.fault in _RESTORED}


def _was_erased(reference: str) -> Refused:
    return Refused("ERASED", "the archive was erased; it does not come back", where=reference)


def _put_back(restored: Storage, folder: Path, path: str, wrong: Mapping[str, bool]) -> bool:
    """Put a file back if the store has none, or has other bytes where a check calls it wrong. Return whether it did."""
    for each in (path, *map(str, PurePosixPath(path).parents)):
        if wrong.get(each):
            store().erase(each)
    with suppress(Unreadable):
        found = store().digest_of(path)
        if found is not None and (path not in wrong or found == restored.digest_of(path)):
            return False
    store().overwrite(folder / path, path)
    return True


def acknowledged_since(backup_at: datetime) -> tuple[datetime, datetime]:
    """Return until when Cellosign keeps what was acknowledged after a backup, if it succeeded, and if it failed."""
    terms = settings().source_terms
    return backup_at + terms.purged_after_success, backup_at + terms.purged_after_failure
