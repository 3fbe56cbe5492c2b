"""Backups: docs/backup.md."""

import json
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.files.restic import Repository
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.platform.durable import held
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.open_conditions import open_conditions
from models.errors import Conflict, Refused, WrongUse
from models.store.backup import Backup
from models.views.health import Grade
from services.backups.making import back_up, expired
from services.custody.drilling import remove_killed
from services.custody.objects import object_of
from services.custody.restoring import restore
from tests.cli.conftest import Cellar
from tests.cli.custody.conftest import NOW, elsewhere, nothing
from tests.cli.custody.filled import acknowledged
from tests.conftest import make_tables
from tests.installations import archived, check, installed, received
from tests.samples import sample_body


def test_backup_made_while_bodies_arrive_loses_nothing_that_was_acknowledged_before(
    tmp_path: Path, place: Path
) -> None:
    with installed(tmp_path / "old"):
        make_tables()
        waits = acknowledged("before", sample_body("before")).receipt_id
        archived("grows", sample_body("grows"))
        began_at = datetime.now(UTC)
        late = archived("late", sample_body("late"))
        store().remove(f"{ocfl.object_key('late')}/{history.path_of(late)}")  # its last step comes after it was read
        begun, stops = threading.Event(), threading.Event()

        def arrive() -> None:
            number = 0
            while not stops.wait(0.05):
                number += 1
                archived("grows", sample_body("grows", data=[{"id": "n", "value": str(number)}]))
                begun.set()

        arriving = threading.Thread(target=arrive)
        arriving.start()
        assert begun.wait(60)
        before = {each for each in object_of("grows").sizes if each.endswith("skeleton.json")}
        back_up(str(place), began_at, nothing)
        stops.set()
        arriving.join()
    with elsewhere(tmp_path / "new"):
        restored = restore(str(place), datetime.now(UTC), nothing)
        assert restored.is_whole, restored
        assert before <= object_of("grows").sizes.keys()
        assert inbox.has_body(waits)


def test_second_backup_copies_what_is_new_and_old_backups_end(tmp_path: Path, place: Path) -> None:
    with installed(tmp_path / "old"):
        make_tables()
        for number in range(20):
            archived(f"p-{number}", sample_body(f"p-{number}"))
        first = back_up(str(place), datetime.now(UTC) - timedelta(days=31), nothing)
        archived("new", sample_body("new"))
        second = back_up(str(place), datetime.now(UTC), nothing)
        assert second.added_bytes < 0.15 * first.added_bytes  # the figure of docs/backup.md is of more archives
        assert [each.at for each in Repository(str(place)).backups()] == [second.at]


def test_newest_finished_backup_stays_and_those_that_nobody_finishes_go() -> None:
    def made(days: int, *, is_finished: bool = True) -> Backup:
        return Backup(f"backup-{days}", NOW - timedelta(days=days), {}, is_finished, 0)

    old, unfinished, young = made(40), made(8, is_finished=False), made(2)
    lives, begun = made(3, is_finished=False), made(1, is_finished=False)
    assert expired(NOW, [old, unfinished, lives, young, begun]) == [old, unfinished]
    assert expired(NOW, [old]) == []


def test_backup_says_what_keeps_it_from_its_end(
    cellar: Cellar, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installed(tmp_path / "old"):
        make_tables()
        archived("a", sample_body("a"))
        (settings().backup_dir / "drill" / "data").mkdir(parents=True)
        with held(settings().backup_dir / "drill.lock"):
            remove_killed()
            assert (settings().backup_dir / "drill").exists()
        remove_killed()
        assert not (settings().backup_dir / "drill").exists()
        with pytest.raises(WrongUse, match="is not there; mount its disk"):
            back_up(str(tmp_path / "away"), NOW, nothing)
        assert [each.code for each in open_conditions()] == ["BACKUP_FAILED"]
        received("waits", sample_body("waits"))
        shutil.move(settings().inbox_location, tmp_path / "its disk")
        inbox.remove_leftovers()  # as a receiver that starts without the disk
        lacking = back_up(str(place), datetime.now(UTC), nothing)
        assert (lacking.lacks, lacking.size_bytes > 0) == (1, True)  # never whole, and all else is saved
        assert [each.lacks for each in Repository(str(place)).backups() if each.is_finished] == [1]
        assert [each.code for each in open_conditions()] == ["BACKUP_FAILED"]
        shutil.rmtree(settings().inbox_location)
        shutil.move(tmp_path / "its disk", settings().inbox_location)
        back_up(str(place), datetime.now(UTC), nothing)
        assert open_conditions() == []
        shutil.move(place, tmp_path / "unmounted")
        place.mkdir()
        with pytest.raises(Conflict, match="nothing is there now"):
            back_up(str(place), datetime.now(UTC), nothing)
        assert check("last backup").verdict is Grade.WRONG
        place.rmdir()
        shutil.move(tmp_path / "unmounted", place)
        monkeypatch.setenv("PATH", "/nowhere")
        assert "apt-get install restic" in cellar("backup", "--to", str(place)).errors
    monkeypatch.undo()
    with installed(tmp_path / "old", backup_password="another password of 32 characters"):
        with pytest.raises(Refused) as refused:
            back_up(str(place), datetime.now(UTC), nothing)
        assert refused.value.code == "BAD_PASSWORD"
        assert "another password" not in json.dumps(refused.value.in_full())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_file_that_nobody_may_look_at_is_unread_and_not_gone(made_place: Path) -> None:
    with TemporaryDirectory() as made, installed(Path(made)):
        top = Path(made)
        shutil.copytree(made_place, top, dirs_exist_ok=True)
        (top / "folder" / "closed").mkdir(parents=True)
        (top / "folder" / "closed" / "file").write_text("content")
        (top / "folder" / "closed").chmod(0o444)
        for path in [top, *top.rglob("*")]:
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
        try:
            place = Repository(str(top / "place"))
            [unread] = place.save_folder(top / "folder", "backup-1", "store", (), lambda _: None).unread
            assert unread.endswith("closed/file")
        finally:
            os.seteuid(0)
