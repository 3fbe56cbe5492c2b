"""`cellar verify` reports by its exit status whether the store is sound."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlmodel import col

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from models.runs.receipt import DeliveryRow
from tests.cli.conftest import Cellar
from tests.conftest import LONGEST_S, Configure, make_tables, wait_until
from tests.installations import (
    archived,
    damaged_file,
    database_that_is_away,
    inventory_of,
    objects_below,
    store_that_does_not_answer,
)
from tests.prepared import Prepared
from tests.samples import sample_body

on_disk = pytest.mark.parametrize("store_kind", ["folder"], indirect=True)
"""For what does not depend on the kind of the store."""


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings, store_kind: str, prepared: Prepared) -> None:
    prepared.copy(two_archives)


def two_archives() -> None:
    for reference in ("one", "two"):
        archived(reference, sample_body(reference))


def test_sound_store_exits_with_0(cellar: Cellar) -> None:
    done = cellar("verify")

    assert (done.status, "2 of 2 archives" in done.output, "sound" in done.output) == (0, True, True)
    assert not (settings().data_dir / "verify.json").exists()


def test_damage_is_named_and_exits_with_1(cellar: Cellar) -> None:
    key = damaged_file("one")

    done = cellar("verify", "--json")

    assert done.status == 1
    reported = json.loads(done.output)
    assert [(each["key"], each["fault"]) for each in reported["findings"]] == [(key, "damaged")]
    assert not reported["is_sound"]
    assert key in cellar("verify").output


def test_what_a_check_finds_is_remembered_until_a_check_finds_nothing(cellar: Cellar) -> None:
    before = {key: store().read_bytes(key) for key, _ in store().listed(ocfl.object_key("one"))}
    key = damaged_file("one")
    assert ", checked " not in cellar("show", "one").output

    cellar("verify", "two", "one")

    listed = cellar("list", "--condition", "FILE_DAMAGED").output
    assert ("one" in listed, "two" in listed, "FILE_DAMAGED" in listed) == (True, False, True)
    shown = cellar("show", "one").output
    assert "completed (FILE_DAMAGED)" in shown
    assert key.removeprefix(f"{ocfl.object_key('one')}/") in shown.replace("\n", "")
    assert "signed document, as it was: the archive is damaged now" in shown
    assert ", checked " in shown

    cellar("verify", "--sample", "1")
    assert json.loads(cellar("list", "--json", "--reference", "one").output)["items"][0]["conditions"] == [
        "FILE_DAMAGED"
    ]

    store().overwrite_bytes(before[key], key)
    assert cellar("verify", "one").status == 0
    assert "No archive matches." in cellar("list", "--condition", "FILE_DAMAGED").output


@on_disk
def test_damage_comes_before_rows_that_are_stale_after_another_time_zone(cellar: Cellar, configure: Configure) -> None:
    last = max(("one", "two"), key=ocfl.object_key)
    key = damaged_file(last)
    configure(timezone="Asia/Jerusalem")

    done = cellar("verify")

    assert done.status == 1
    lines = done.output.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["damaged:", "stale:", "→", "→", "2"]
    assert (key in lines[0], "→ stale: " in lines[3], "cellar rebuild" in lines[3]) == (True, True, True)
    assert lines[4].endswith("NOT SOUND: 1 damaged, 1 stale")


def test_delivery_brings_back_an_archive_that_has_disappeared(cellar: Cellar) -> None:
    for key, _ in list(store().listed(ocfl.object_key("one"))):
        store().remove(key)
    shutil.rmtree(settings().data_dir / "store" / ocfl.object_key("one"), ignore_errors=True)  # a bucket has no folders
    assert cellar("verify", "one").status == 1

    archived("one", sample_body("one"))

    assert cellar("verify").status == 0


def interrupted_check(**members: object) -> None:
    """Write the note of a check that was interrupted after the first archive."""
    note = {
        "store": settings().store_location,
        "share": 1.0,
        "seed": 1,
        "started_at": "2026-01-01T00:00:00+00:00",
        "last_key": min(ocfl.object_key(each) for each in ("one", "two")),
        "objects": 1,
        "files": 5,
        "size_bytes": 7,
        "findings": [],
    }
    (settings().data_dir / "verify.json").write_text(json.dumps(note | members))


def test_resumed_check_finds_files_outside_of_archives(cellar: Cellar) -> None:
    for name in ("000", "zzz"):
        store().overwrite_bytes(b"x", f"{ocfl.ROOT}/{name}")
    interrupted_check()

    reported = json.loads(cellar("verify", "--resume", "--json").output)

    assert [each["key"] for each in reported["findings"]] == [f"{ocfl.ROOT}/000", f"{ocfl.ROOT}/zzz"]


@on_disk
@pytest.mark.parametrize("other", [{"share": 0.01}, {"store": "another"}])
def test_check_of_another_store_or_share_is_not_resumed(cellar: Cellar, other: dict[str, object]) -> None:
    interrupted_check(**other)

    done = cellar("verify", "--resume")

    assert (done.status, "OTHER_CHECK" in done.errors) == (1, True)
    assert (settings().data_dir / "verify.json").exists()


def test_new_check_removes_the_note_of_the_previous_check(
    cellar: Cellar, configure: Configure, store_kind: str, tmp_path: Path
) -> None:
    """The new check removes it even if it fails before its own first note."""
    interrupted_check()
    configure(**store_that_does_not_answer(store_kind, tmp_path))

    assert cellar("verify").status == 1
    assert not (settings().data_dir / "verify.json").exists()


def check_in_a_process(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "cli.main", "verify", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextmanager
def check_of_a_huge_file() -> Iterator[tuple["subprocess.Popen[str]", list[Path]]]:
    """Yield a check and the processes that help it, at the second archive for minutes: one of its files has 64 GiB, all
    of them a hole.
    """
    second = max(("one", "two"), key=ocfl.object_key)
    found = inventory_of(second)
    sha256 = next(sha256 for sha256, path in found.manifest.items() if "/files/" in path)
    path = Path(settings().store_location) / ocfl.content_key(second, found, sha256)
    content = path.read_bytes()
    os.truncate(path, 64 << 30)
    with check_in_a_process() as check:
        while not (settings().data_dir / "verify.json").exists():
            assert check.poll() is None
            time.sleep(0.05)
        children = Path(f"/proc/{check.pid}/task/{check.pid}/children").read_text().split()
        yield check, [Path(f"/proc/{each}/exe") for each in children]
    path.write_bytes(content)


@on_disk
def test_killed_check_resumes_after_its_last_archive(cellar: Cellar) -> None:
    first = min(("one", "two"), key=ocfl.object_key)
    damaged_key = damaged_file(first)
    with check_of_a_huge_file() as (check, helpers):
        check.kill()
        wait_until(lambda: not any(each.exists() for each in helpers))
    archived(first, sample_body(first))  # repairs the archive that the killed check has already examined

    *_, report = cellar("verify", "--resume", "--json").output.splitlines()  # behind a line of the repair's log
    reported = json.loads(report)

    assert (reported["objects"], [each["key"] for each in reported["findings"]]) == (2, [damaged_key])


several_processors = pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="on one processor nothing helps")


@on_disk
@several_processors
def test_check_without_a_process_that_helped_it_says_so(cellar: Cellar) -> None:
    with check_of_a_huge_file() as (check, helpers):
        for each in helpers:
            os.kill(int(each.parent.name), signal.SIGKILL)
        output, errors = check.communicate(timeout=LONGEST_S)

    assert (check.returncode, output, "was ended" in errors, "Traceback" in errors) == (1, "", True, False)
    assert cellar("verify", "--resume").status == 0


@on_disk
def test_processes_find_what_one_process_finds(cellar: Cellar, configure: Configure) -> None:
    damaged_file("one")
    with writing() as session:
        session.exec(delete(DeliveryRow).where(col(DeliveryRow.reference) == "two"))
    found = cellar("verify", "--json").output

    assert check_in_a_process("--json").communicate(timeout=LONGEST_S) == (found, "")

    configure(database_url=database_that_is_away())
    output, errors = check_in_a_process().communicate(timeout=LONGEST_S)
    assert (output, errors.splitlines()[-1]) == ("", cellar("verify").errors.splitlines()[-1])


@on_disk
def test_terminal_shows_the_progress_of_the_check(cellar: Cellar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "120")
    interrupted_check()

    for arguments in (("--resume",), (), ("one",)):
        done = cellar("verify", *arguments)
        assert (done.status, "100%" in done.errors) == (0, True), arguments


@on_disk
def test_damaged_note_is_reported(cellar: Cellar) -> None:
    (settings().data_dir / "verify.json").write_text("{")

    done = cellar("verify", "--resume")

    assert (done.status, "verify.json" in done.errors) == (1, True)
    assert cellar("verify").status == 0


@on_disk
def test_process_that_is_not_archived_is_reported(cellar: Cellar) -> None:
    done = cellar("verify", "unknown")

    assert (done.status, "NOT_ARCHIVED" in done.errors) == (1, True)


def test_unreadable_store_is_not_called_sound(
    cellar: Cellar, configure: Configure, store_kind: str, tmp_path: Path
) -> None:
    assert cellar("verify").status == 0
    configure(**store_that_does_not_answer(store_kind, tmp_path))

    for arguments in ((), ("one",), ("--sample", "0.0000001"), ("--json",)):
        done = cellar("verify", *arguments)
        assert (done.status, done.output, "does not list" in done.errors) == (1, "", True)
        to_do = (
            "check AWS_SECRET_ACCESS_KEY" if store_kind == "bucket" else f"{settings().store_location}/archives; check"
        )
        assert to_do in done.errors


@on_disk
@pytest.mark.parametrize("is_reachable", [False, True], ids=["unreachable", "without tables"])
def test_store_is_not_called_sound_without_a_usable_database(
    cellar: Cellar, configure: Configure, tmp_path: Path, is_reachable: bool
) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/new.db" if is_reachable else database_that_is_away())

    for arguments in ((), ("one",), ("--json",)):
        done = cellar("verify", *arguments)
        assert (done.status, done.output, "the database" in done.errors) == (2 if is_reachable else 1, "", True)


def store_elsewhere(store_kind: str, folder: Path) -> str:
    """Return the location of a store that was never written to."""
    return f"s3://archives/{secrets.token_hex(8)}" if store_kind == "bucket" else f"{folder}/elsewhere/store"


def everything(store_kind: str, folder: Path) -> set[str]:
    """Return what there is below a folder, and in a bucket's place of a store, but no database and its journal."""
    made = {str(path) for path in folder.rglob("*") if ".db" not in path.name}
    return made | set(objects_below(settings().store_location) if store_kind == "bucket" else ())


@pytest.mark.parametrize("is_new", [False, True], ids=["archives", "no archives"])
def test_store_that_is_not_there_is_never_sound_and_no_check_makes_it(
    cellar: Cellar, configure: Configure, store_kind: str, tmp_path: Path, is_new: bool
) -> None:
    (tmp_path / "elsewhere").mkdir()
    database = {"database_url": f"sqlite:///{tmp_path}/new.db"} if is_new else {}
    elsewhere = store_elsewhere(store_kind, tmp_path)
    configure(store_url=elsewhere, inbox_url=f"{tmp_path}/elsewhere/inbox", **database)
    make_tables()
    settings().active_prefect_auth_string()
    before = everything(store_kind, tmp_path)

    for arguments in ((), ("--quick",), ("--signatures",), ("--against", "0" * 64), *([] if is_new else [("one",)])):
        done = cellar("verify", *arguments)
        assert (done.status, "NOT SOUND" in done.output) == (1, True)
        assert done.output.startswith(f"absent: {ocfl.ROOT_DECLARATION}: expected ")
        assert settings().store_location in done.output
        assert "→ absent: Mount its disk, or correct CELLAR_STORE_URL" in done.output
    (finding,) = json.loads(cellar("verify", "--json").output)["findings"]
    assert finding["fault"] == "absent"
    assert cellar("status").status == 1
    assert everything(store_kind, tmp_path) == before
    configure(store_url=elsewhere, database_url=database_that_is_away())
    done = cellar("verify")
    assert (done.status, "NOT SOUND" in done.output, "will not know" in done.errors) == (1, True, True)


@on_disk
def test_no_check_makes_the_data_folder(cellar: Cellar, configure: Configure, tmp_path: Path) -> None:
    made = settings()
    configure(
        database_url=made.database_location,
        store_url=made.store_location,
        inbox_url=made.inbox_location,
        data_dir=tmp_path / "another",
        seal_keys=made.secret_path("seal").read_text(),
    )

    assert cellar("verify").status == 0
    assert not (tmp_path / "another").exists()
