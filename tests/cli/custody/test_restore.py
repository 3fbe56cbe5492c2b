"""Restores from backups: docs/backup.md."""

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel, select

from adapters.anchors import anchors
from adapters.database.transactions import writing
from adapters.files.restic import Repository
from adapters.files.store import store
from adapters.inbox import restore_mark
from adapters.settings.settings import settings
from adapters.store import last_records, ocfl, seals
from adapters.store.objects import history
from adapters.store.tombstones import digest_of, find, insert
from adapters.tables.archives import archives
from adapters.tables.open_conditions import open_conditions
from models.erasures import HoldRow, TombstoneRow
from models.errors import Transient, WrongUse
from models.store.backup import LastBackup, Restored
from models.views.health import Grade
from services.anchors.making import make
from services.backups import tombstones
from services.backups.making import back_up
from services.custody.objects import object_of
from services.custody.restoring import restore, settle
from services.erasure.removing import remove
from tests.cli.conftest import Cellar
from tests.cli.custody.conftest import NOW, elsewhere, nothing
from tests.cli.custody.filled import (
    WAITING,
    acknowledged,
    all_files,
    all_rows,
    delivered_again,
    distributed,
    filled,
)
from tests.conftest import make_tables
from tests.installations import archived, check, damaged_file, finished, installed, inventory_of, received, stored_body
from tests.records import all_of
from tests.samples import sample_body

OF_ARCHIVES = {"archive", "version", "receipt", "delivery", "file", "payment", "form_field", "session", "warning"}


def of_archives(rows: dict[str, list[str]]) -> dict[str, list[list[object]]]:
    """Return the rows of archives, without the digest of a reference, which workers add later."""
    digest = [*SQLModel.metadata.tables["archive"].columns.keys()].index("digest")
    found = {name: [json.loads(row) for row in rows[name]] for name in OF_ARCHIVES}
    return found | {"archive": [row[:digest] + row[digest + 1 :] for row in found["archive"]]}


def break_off(part: str, _share: float) -> None:
    """Take the progress until the check of the store."""
    if part == "verify":
        raise Transient("the power is gone")


def test_installation_is_restored_from_its_backup_and_the_password_alone(
    cellar: Cellar, tmp_path: Path, postgres_server: str, s3_server: str
) -> None:
    place = tmp_path / "backups"
    for each in (place, tmp_path / "old"):
        each.mkdir()
    with installed(tmp_path / "old"):
        asyncio.run(filled())
        files = all_files()
        made = cellar("backup", "--to", str(place))
        assert (made.status, "new: it has every file" in made.output) == (0, True), made
        assert str(settings().secret_path("backup")) in made.errors
        rows = all_rows()
        drilled = cellar("restore", "--from", str(place), "--drill")
        assert (drilled.status, "3 archives, of which 0 differ or are damaged" in drilled.output) == (0, True), drilled
        assert [check(name).verdict for name in ("last backup", "last drill")] == [Grade.OK, Grade.OK]
        refused = cellar("restore", "--from", str(place))
        assert (refused.status, "is not empty" in refused.errors) == (2, True)

    # The sweep registers again what waits in the inbox.
    expected = of_archives({name: [row for row in its if "waiting" not in row] for name, its in rows.items()})
    for form, values in (("embedded", {}), ("distributed", distributed(postgres_server, s3_server))):
        with elsewhere(tmp_path / form, **values):
            restored = cellar("restore", "--from", str(place))
            assert (restored.status, "The restore is complete" in restored.output) == (0, True), restored
            assert [*settings().backup_dir.glob("restored*")] == []
            after = all_rows()
            assert of_archives(after) == expected
            assert [len(after[name]) for name in ("archive", "session_event", "endpoint")] == [3, 1, 1]
            assert {key: each for key, each in all_files().items() if key in files} == files
            assert cellar("verify").status == 0
            assert delivered_again("process-1", sample_body("process-1")) == "duplicate"
            assert delivered_again("waiting", WAITING) == "new"
            if values:
                back_up(str(place), datetime.now(UTC), nothing)
                drilled = cellar("restore", "--from", str(place), "--drill")
                assert drilled.status == 0, drilled
                next((settings().backup_dir / "store" / "archives").rglob("skeleton.json")).unlink()
                with pytest.raises(Transient, match="compares each file"):
                    back_up(str(place), datetime.now(UTC), nothing)
                assert back_up(str(place), datetime.now(UTC), nothing).lacks == 0


def test_version_that_was_written_during_the_backup_is_taken_back_and_its_body_waits(
    cellar: Cellar, tmp_path: Path, place: Path
) -> None:
    with installed(tmp_path / "old"):
        make_tables()
        archived("a", sample_body("a"))
        body = sample_body("a", data=[])
        receipt_id = received("a", body)
        finished("a", receipt_id)
        store().remove(f"{ocfl.object_key('a')}/v2/{ocfl.INVENTORY}")  # as the listing of a bucket may end
        settled = [settle(object_of("a"), datetime.now(UTC), store())]
        acknowledged("a", body)
        settled += [settle(object_of("a"), datetime.now(UTC), store())]
        assert settled == [False, True]  # without its body, a version was lost before, which the check reports
        assert store().size(f"{ocfl.object_key('a')}/{history.path_of(receipt_id)}") is None
        finished("a", receipt_id)
        assert cellar("verify").status == 0
        assert stored_body("a", receipt_id) == body


def test_one_archive_comes_back_whose_files_are_damaged_or_gone(cellar: Cellar, tmp_path: Path, place: Path) -> None:
    with installed(tmp_path / "old"):
        make_tables()
        for each in ("a", "b"):
            archived(each, sample_body(each))
        archived("torn", sample_body("torn"))
        finished("torn", received("torn", sample_body("torn", data=[])))
        acknowledged("torn", sample_body("torn", data=[]))
        shutil.rmtree(tmp_path / "old" / "data" / "store" / ocfl.object_key("torn") / "v2")
        back_up(str(place), datetime.now(UTC), nothing)
        store().remove_folder(ocfl.object_key("torn"))
        taken = cellar("restore", "--from", str(place), "torn")
        assert (taken.status, "no backup has 1 damaged or lost file" in taken.output) == (1, True)
        assert inventory_of("torn").head == 1  # its second version was not in the backup yet, and waits in the inbox
        finished("torn", acknowledged("torn", sample_body("torn", data=[])).receipt_id)
        damaged_file("a")
        store().remove_folder(ocfl.object_key("b"))
        assert cellar("verify").status == 1
        put_back = cellar("restore", "--from", str(place), "a", "b")
        assert (put_back.status, "a: 1 file came back" in put_back.output) == (0, True), put_back
        assert cellar("verify").status == 0
        absent = cellar("restore", "--from", str(place), "c")
        assert (absent.status, "no backup has this archive" in absent.errors) == (1, True)


def test_killed_restore_keeps_programs_from_starting_and_goes_on_and_what_was_erased_since_stays_erased(
    cellar: Cellar, tmp_path: Path, place: Path
) -> None:
    with installed(tmp_path / "old", backup_url=str(place)):
        make_tables()
        back_up(str(place), datetime.now(UTC) + timedelta(days=900), nothing)  # by a clock that was wrong once
        for each in ("erased", "halfway", "kept"):
            archived(each, sample_body(each))
        acknowledged("erased", sample_body("erased", data=[]))
        for each in ("erased", "halfway"):
            assert cellar("hold", each, "--reason", "a suit").status == 0
            assert cellar("hold", each, "--release", "--reason", "it ended").status == 0
        make(datetime.now(UTC))
        store().erase(seals.key_location("halfway"))
        store().erase(ocfl.object_key("halfway"))  # as the backup may find it in the middle of its erasure
        back_up(str(place), datetime.now(UTC), nothing)
        shutil.move(place, tmp_path / "away")
        digests = {each: digest_of(each) for each in ("erased", "halfway")}
        by: dict[str, Any] = {
            "batch_id": "b",
            "ground": "asked",
            "erased_by": "Dana",
            "confirmed_by": "Noa",
            "erased_at": NOW,
        }
        for each, digest in digests.items():
            with writing() as session:
                insert(session, each, TombstoneRow(digest=digest, **by))
        remove(digests, in_prefect=False)
        last = last_records.find(LastBackup)
        assert last
        assert "last copies" in check("last backup").found
        last_records.keep(last.model_copy(update={"at": NOW - timedelta(days=3)}))  # none succeeded since
        assert "last copies" not in check("last backup").found
        tombstones.send(datetime.now(UTC))
        assert [each.code for each in open_conditions()] == ["TOMBSTONES_UNSENT"]
        shutil.move(tmp_path / "away", place)
        tombstones.send_left(datetime.now(UTC))
        assert open_conditions() == []
        Repository(str(place)).save_tombstones(b'{"tombstone": [], "tombstone_mark": []}')  # of a process that was slow
        refused = cellar("restore", "erased")
        assert (refused.status, "was erased" in refused.errors) == (1, True)
    with elsewhere(tmp_path / "new"):
        with pytest.raises(Transient, match="power"):
            restore(str(place), datetime.now(UTC), break_off)
        with pytest.raises(WrongUse, match="cellar restore --from"):
            restore_mark.check_complete()
        assert cellar("up").status == 2
        restored = Restored.model_validate_json(cellar("restore", "--from", str(place), "--json").output)
        restore_mark.check_complete()
        assert (restored.erased, restored.archives, restored.is_whole) == (1, 1, True), restored
        files = [each for each in settings().data_dir.rglob("*") if each.is_file()]
        named = (b'"reference": "erased"', b'"reference": "halfway"')
        assert [each for each in files if any(name in each.read_bytes() for name in named)] == []
        [anchor] = anchors.anchors(store())
        leaves = [each.key for each in anchors.leaves_of(store(), anchor) if each.key.startswith(ocfl.ROOT)]
        assert (leaves, all_of(select(HoldRow))) == ([ocfl.object_key("kept")], [])
        assert (object_of("erased").sizes, list(archives.references())) == ({}, ["kept"])
        found = find(digests["erased"])
        assert found
        assert (found.ground, found.confirmed_by) == ("asked", "Noa")
        assert cellar("verify").status == 0
