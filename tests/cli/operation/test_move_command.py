"""`cellar move` brings an installation to other places, whole and compared, however often it is killed."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest

from adapters.database.migration import migrate
from adapters.files.store import storage_at
from adapters.inbox import inbox, move_mark
from adapters.settings.settings import Settings, settings
from adapters.tables.runs import leases
from models.store.moving import Mark, Phase
from tests.cli.conftest import Cellar
from tests.cli.operation.moves import (
    WAITING,
    acknowledged,
    all_files,
    all_rows,
    delivered_again,
    distributed,
    filled,
    killed_moves,
)
from tests.conftest import wait_until
from tests.flows.workers import living
from tests.installations import installed
from tests.samples import sample_body

New = Callable[[], AbstractContextManager[Settings]]


@pytest.fixture
def old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The data folder of an embedded installation of which no program runs."""
    folder = tmp_path / "old"
    folder.mkdir()
    with installed(folder):
        asyncio.run(filled())
    capsys.readouterr()
    return folder / "data"


@pytest.fixture
def new(tmp_path: Path, old: Path, postgres_server: str, s3_server: str) -> New:
    """A function that gives this process the settings of the new installation, with the old secrets."""
    return partial(installed, old.parent, **distributed(postgres_server, s3_server))


def everything(old: Path) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    with installed(old.parent):
        return all_rows(), all_files()


def test_embedded_installation_becomes_distributed_with_every_byte_and_row(cellar: Cellar, old: Path, new: New) -> None:
    before = everything(old)
    with new():
        moved = cellar("move", "--from", str(old), "--yes", "--json")
        assert (moved.status, moved.errors) == (0, "")
        assert (all_rows(), all_files()) == before
        told = json.loads(moved.output)
        assert (told["is_complete"], told["unread"], told["late"]) == (True, [], 0)
        assert told["store"]["files"] + told["inbox"]["files"] == len(before[1])
        assert told["rows"] == {name: len(rows) for name, rows in before[0].items()}
        [note] = (settings().data_dir / "move").glob("*.db")
        assert b"process-1" not in note.read_bytes()

        assert cellar("verify").status == 0
        assert delivered_again("process-2", sample_body("process-2")) == "duplicate"
        assert sorted(each.reference for each in inbox.deliveries()) == ["process-2", "waiting"]
        with inbox.opened_body(next(iter(inbox.deliveries())).receipt_id) as stream:
            assert stream.read() == WAITING
    assert everything(old) == before


def test_move_that_is_killed_goes_on_where_it_was(old: Path, new: New) -> None:
    before = everything(old)
    with new():
        assert killed_moves(old, iter((12, 30, 10_000))) == 2
        assert (all_rows(), all_files()) == before


@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("writes", [25, 40])
def test_move_that_is_killed_again_and_again_completes(old: Path, new: New, writes: int) -> None:
    """The note of what was brought survives a kill, so that every run gets further."""
    before = everything(old)
    with new():
        assert killed_moves(old, repeat(writes)) > 1
        assert (all_rows(), all_files()) == before


def test_distributed_installation_becomes_embedded_again(cellar: Cellar, old: Path, new: New, tmp_path: Path) -> None:
    with new() as there:
        assert cellar("move", "--from", str(old), "--yes").status == 0
        before = all_rows(), all_files()
        told = {"CELLAR_STORE_URL": there.store_url, "CELLAR_INBOX_URL": there.inbox_url}
        told |= {"CELLAR_DATABASE_URL": there.database_url, "CELLAR_DATA_DIR": str(old)}
        lines = [f"{name}='{value}'" for name, value in told.items()]
        (tmp_path / "distributed.env").write_text("\n".join(lines))
    back = tmp_path / "back"
    back.mkdir()
    keys = {name: (old / "secrets" / name.partition("_")[0]).read_text() for name in ("seal_keys", "anchor_key")}
    buckets = {name: value for name, value in new.keywords.items() if name.startswith("AWS_")}  # type: ignore[attr-defined]
    with installed(back, **keys, **buckets):
        moved = cellar("move", "--from", str(tmp_path / "distributed.env"), "--yes")
        assert (moved.status, moved.errors) == (0, "")
        assert (all_rows(), all_files()) == before


@pytest.mark.faults  # a worker counts as dead after 25 s
def test_files_are_brought_while_a_worker_lives_and_the_rest_once_it_has_ended(
    cellar: Cellar, old: Path, new: New
) -> None:
    with installed(old.parent):
        leases.renew("w", 25)
        [began] = living().values()
    beating = _beating(old)
    try:
        wait_until(lambda: _has_beaten(old, began))
        with new():
            first = cellar("move", "--from", str(old), "--yes", "--json")
            told = json.loads(first.output)
            assert (first.status, told["is_complete"], told["plan"]["running"]) == (1, False, ["w"])
            assert told["store"]["files"] > 0
    finally:
        beating.kill()
        beating.wait()
    with installed(old.parent):
        removed = next(key for key in all_files() if key.startswith("store/results/"))
        storage_at(settings().store_location).remove(removed.removeprefix("store/"))
        acknowledged("later", sample_body("later"))
    before = everything(old)
    with new():
        assert cellar("move", "--from", str(old), "--yes").status == 0
        assert (all_rows(), all_files()) == before
        assert "later" in [each.reference for each in inbox.deliveries()]


def _has_beaten(old: Path, since: datetime) -> bool:
    with installed(old.parent):
        return living()["w"] > since


def _beating(old: Path) -> "subprocess.Popen[bytes]":
    """Start a process that beats as a worker does."""
    script = "import time; from adapters.tables.runs import leases\nwhile True: leases.renew('w', 25); time.sleep(1)"
    with installed(old.parent):
        return subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3], env=dict(os.environ))


def test_plan_changes_nothing_and_names_what_every_machine_needs(cellar: Cellar, old: Path, new: New) -> None:
    before = everything(old)
    with new():
        planned = cellar("move", "--from", str(old), "--dry-run", "--json")
        told = json.loads(planned.output)
        assert (planned.status, told["phase"], told["running"]) == (0, None, [])
        assert sum(told["rows"].values()) == sum(map(len, before[0].values()))
        assert f"CELLAR_STORE_URL={settings().store_url}" in told["settings"]
        assert f'CELLAR_SEAL_KEYS="$(cat {old / "secrets" / "seal"})"' in told["settings"]
        assert (old / "secrets" / "seal").read_text() not in planned.output
        assert all_files() == {}
        asked = cellar("move", "--from", str(old))
        assert (asked.status, "no terminal can answer" in asked.errors) == (2, True)
        assert all_files() == {}
    assert everything(old) == before


def test_no_program_starts_in_the_wrong_place_and_what_came_late_is_brought(
    cellar: Cellar, old: Path, new: New
) -> None:
    with installed(old.parent) as there:
        late_places = move_mark.places_of(there)
    with new() as here:
        mark = Mark(source=late_places, target=move_mark.places_of(here), phase=Phase.COPYING, at=datetime.now(UTC))
        move_mark.put(here.inbox_location, mark)
        for command in ("worker", "up"):
            refused = cellar(command)
            assert (refused.status, "is not complete" in refused.errors) == (2, True)
        assert cellar("move", "--from", str(old), "--yes").status == 0
        move_mark.check_not_moved()
    with installed(old.parent):
        for command in ("worker", "up"):
            refused = cellar(command)
            assert (refused.status, "this installation has moved to store s3://" in refused.errors) == (2, True)
        acknowledged("late", sample_body("late"))  # by a receiver that was never stopped
    with new():
        for left in list(inbox.deliveries()):
            inbox.remove([left.delivery_id])  # the new installation is at work
        again = cellar("move", "--from", str(old), "--yes", "--json")
        assert (again.status, json.loads(again.output)["late"]) == (0, 2)  # a body and its record
        assert [each.reference for each in inbox.deliveries()] == ["late"]


def test_places_that_are_in_use_are_refused(cellar: Cellar, old: Path, new: New) -> None:
    with installed(old.parent):
        same = cellar("move", "--from", str(old), "--yes")
        assert (same.status, "the settings name the installation of" in same.errors) == (2, True)
    with new() as here:
        storage_at(here.store_location).overwrite_bytes(b"somebody's", "file")
        full = cellar("move", "--from", str(old), "--yes")
        assert (full.status, "is not empty" in full.errors) == (2, True)
        storage_at(here.store_location).remove("file")
    with new(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_SEAL_KEYS", base64.b64encode(bytes(64)).decode())
        settings.cache_clear()
        keyless = cellar("move", "--from", str(old), "--yes")
        assert (keyless.status, "needs the old installation's keys" in keyless.errors) == (2, True)
        nothing = cellar("move", "--from", str(old / "logs"), "--yes")
        assert (nothing.status, "neither a data folder nor" in nothing.errors) == (2, True)
    with new():
        assert all_files() == {}


def test_rows_of_somebody_else_are_found_and_kept(cellar: Cellar, old: Path, new: New) -> None:
    with new():
        assert killed_moves(old, iter((12,))) == 1
        migrate()
        delivered_again("somebody", sample_body("somebody"))
        found = cellar("move", "--from", str(old), "--yes")
        assert (found.status, "somebody else has written there" in found.errors) == (1, True)
        assert any("somebody" in row for row in all_rows()["archive"])


def test_file_that_cannot_be_read_keeps_the_move_from_completing(cellar: Cellar, old: Path, new: New) -> None:
    with installed(old.parent) as there:
        key = next(key for key in all_files() if "/content/files/" in key).removeprefix("store/")
        path = Path(there.store_location) / key
        data = path.read_bytes()
        path.unlink()
        path.symlink_to("elsewhere")
    with new():
        stopped = cellar("move", "--from", str(old), "--yes", "--json")
        told = json.loads(stopped.output)
        assert (stopped.status, told["is_complete"], told["unread"]) == (
            1,
            False,
            [f"store: {key}: it is a symbolic link"],
        )
    path.unlink()
    path.write_bytes(data)
    with new():
        assert cellar("move", "--from", str(old), "--yes").status == 0
