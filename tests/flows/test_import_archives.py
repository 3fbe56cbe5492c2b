"""An import archives everything that is saved, in every form, as the webhook would; a killed import is finished."""

import asyncio
import gzip
import io
import signal
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlmodel import SQLModel, select

from adapters.files.store import store
from adapters.inbox import inbox, quarantine
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables.messages.notifications import undelivered
from adapters.tables.runs import leases
from cli.archives.import_archives import import_archives as import_command
from flows.import_archives import drain, import_archives
from flows.process_archive import process_archive
from flows.sweep_inbox import sweep
from models.errors import Refused, Transient
from models.messages.notification import NotificationRow
from models.runs.receipt import DEFAULT_SOURCE, DeliveryRow, LeaseRow, ReceiptRow, RunRow
from models.sources import StatedTerms
from services import sources
from services.imports import Outcome, Read, take_in
from tests.conftest import Configure
from tests.flows.killed import drain_until, take_in_until
from tests.installations import archived, received, stored_body
from tests.killed import exit_status
from tests.messages import SECRET
from tests.ocfl_validator import validation_errors
from tests.records import all_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


def taken_in(*paths: Path | str, source: str = DEFAULT_SOURCE) -> list[Read]:
    return list(take_in([str(each) for each in paths], source))


def counts(read: list[Read]) -> dict[str, int]:
    return dict(Counter(each.outcome.value for each in read))


def drained() -> list[str]:
    return asyncio.run(drain())


def rows(table: type[SQLModel]) -> list[dict[str, Any]]:
    return sorted((each.model_dump() for each in all_of(select(table))), key=str)


def zipped(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in members.items():
            made.writestr(name, body)


def tarred(path: Path, members: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as made:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            made.addfile(member, io.BytesIO(body))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with seven archives: in files, a tar and a zip file. A version comes after the one that it changes."""
    folder = tmp_path / "saved"
    (folder / "2019" / "may").mkdir(parents=True)
    (folder / "2019" / "may" / "one.json").write_bytes(sample_body("one"))
    (folder / "2020.zip").parent.mkdir(exist_ok=True)
    zipped(folder / "2020.zip", {"a/two.json": sample_body("two"), "../../three.json": sample_body("three")})
    tarred(folder / "2021.tar.gz", {"/etc/four.json": sample_body("four"), "five": sample_body("five")})
    (folder / "six.json.gz").write_bytes(gzip.compress(sample_body("six")))
    (folder / "six.later.json").write_bytes(sample_body("six", data=[]))
    (folder / ".DS_Store").write_bytes(b"of a file manager")
    return folder


def test_every_form_is_imported_as_the_webhook_would(configure: Configure, kinds: str, saved: Path) -> None:
    configure(notify_urls="https://endpoint.example", notify_secret=SECRET)

    assert counts(taken_in(saved)) == {"taken in": 7}
    assert asyncio.run(sweep()) == []
    assert (rows(ReceiptRow), len(list(inbox.imported())), list(inbox.deliveries())) == ([], 7, [])
    assert drained() == ["archived 7 archives"]

    assert {each["state"] for each in rows(ReceiptRow)} == {"completed"}
    receipts = {each["reference"]: each["receipt_id"] for each in rows(ReceiptRow)}
    assert stored_body("three", receipts["three"]) == sample_body("three")
    of_two = next(each["headers"] for each in rows(DeliveryRow) if each["reference"] == "two")
    assert (of_two["x-cellar-source"], of_two["x-cellar-file"]) == ("import", f"{saved}/2020.zip!a/two.json")
    assert (rows(NotificationRow), rows(RunRow), inbox.imported_names()) == ([], [], [])
    assert not any(map(inbox.has_body, receipts.values()))
    assert validation_errors() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_imported_archives_are_of_the_source_that_is_named(saved: Path) -> None:
    sources.add("retail", StatedTerms(timezone="Asia/Jerusalem"), "a test", datetime.now(UTC))

    taken_in(saved, source="retail")
    drained()

    assert {each["source"] for table in (ReceiptRow, DeliveryRow) for each in rows(table)} == {"retail"}


@pytest.mark.parametrize("kinds", ["Postgres and a bucket"], indirect=True)
def test_prefix_of_a_bucket_is_imported(kinds: str, tmp_path: Path) -> None:
    client = boto3.Session().client("s3")
    zipped(tmp_path / "b.zip", {"b": sample_body("in a zip")})
    client.put_object(Bucket="archives", Key=f"{tmp_path.name}/old/a.json", Body=sample_body("alone"))
    client.put_object(Bucket="archives", Key=f"{tmp_path.name}/old/b.zip", Body=(tmp_path / "b.zip").read_bytes())

    assert counts(taken_in(f"s3://archives/{tmp_path.name}/old/")) == {"taken in": 2}
    assert drained() == ["archived 2 archives"]


@pytest.mark.usefixtures("sqlite_installation")
def test_second_import_changes_nothing(saved: Path) -> None:
    taken_in(saved)
    waiting = inbox.imported_names()
    assert counts(taken_in(saved)) == {"known": 7}
    assert inbox.imported_names() == waiting
    drained()
    before = [rows(table) for table in (ReceiptRow, DeliveryRow)], list(store().listed(ocfl.ROOT))

    assert counts(taken_in(saved)) == {"known": 7}

    assert drained() == []
    assert before == ([rows(table) for table in (ReceiptRow, DeliveryRow)], list(store().listed(ocfl.ROOT)))


@pytest.mark.usefixtures("sqlite_installation")
def test_what_is_refused_is_reported_and_quarantined_and_stops_nothing_else(
    configure: Configure, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a.json").write_bytes(b'{"reference": 1}')
    zipped(saved / "b.zip", {"bomb": bytes(1 << 22), "two": sample_body("two")})
    (saved / "c.tar.gz").write_bytes(gzip.compress(b"no tar")[:-4])
    (saved / "d.json").write_bytes(sample_body("one"))
    configure(max_body_bytes=1 << 20)

    read = taken_in(saved)

    told = {(Path(each.path).name, each.fault.code, each.receipt_id is None) for each in read if each.fault}
    assert counts(read) == {"taken in": 2, "refused": 3}
    assert told >= {("b.zip!bomb", "TOO_LARGE", True), ("c.tar.gz", "DAMAGED_FILE", True)}
    [kept] = quarantine.refused()
    assert kept.receipt_id in {each.receipt_id for each in read if each.outcome is Outcome.REFUSED}
    taken_in(saved)
    assert quarantine.refused() == [kept]


@pytest.mark.usefixtures("sqlite_installation")
def test_path_that_cannot_be_read_is_refused_before_anything_is_taken_in(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"nothing at {tmp_path}/nowhere"):
        import_command([str(saved), str(tmp_path / "nowhere")])

    assert inbox.imported_names() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_archive_that_fails_waits_in_the_queue_for_a_run_of_its_own(saved: Path) -> None:
    archived("one", sample_body("one", data=[]))
    store().overwrite_bytes(b"damaged", f"{ocfl.object_key('one')}/{ocfl.INVENTORY}")
    taken_in(saved)

    assert drained() == ["archived 6 archives", "left to runs of their own 1 archive"]

    [waiting] = inbox.deliveries()
    assert (waiting.reference, inbox.is_queued(waiting.receipt_id), inbox.imported_names()) == ("one", True, [])
    assert drained() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_delivery_of_an_imported_body_is_archived_by_its_own_run_which_notifies(
    configure: Configure, saved: Path
) -> None:
    configure(notify_urls="https://endpoint.example", notify_secret=SECRET)
    taken_in(saved)
    receipt_id = received("one", sample_body("one"))

    assert drained() == ["archived 6 archives"]
    assert rows(NotificationRow) == []
    asyncio.run(process_archive("one", receipt_id))

    assert len(undelivered(receipt_id)) == len(rows(NotificationRow)) == 1
    assert {each["state"] for each in rows(ReceiptRow)} == {"completed"}
    assert (list(inbox.deliveries()), inbox.has_body(receipt_id)) == ([], False)


@pytest.mark.usefixtures("sqlite_installation")
def test_process_that_a_run_works_on_is_archived_later(saved: Path) -> None:
    taken_in(saved)
    leases.take(["six"], "another", 60)

    assert drained() == ["archived 5 archives"]
    leases.release(["six"], "another")
    assert drained() == ["archived 2 archives"]


@pytest.mark.usefixtures("sqlite_installation")
def test_one_run_at_a_time_imports(saved: Path) -> None:
    taken_in(saved)
    leases.take([""], "another", 60)

    assert drained() == []
    assert len(inbox.imported_names()) == 7


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Put a file in the place of a folder, as a mount that has gone leaves something else there."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.rename(folder.with_name("aside"))
    folder.touch()
    yield
    folder.unlink()
    aside.rename(folder)


@pytest.mark.usefixtures("sqlite_installation")
def test_imported_bodies_stay_while_the_store_is_away(saved: Path) -> None:
    archived("zero", sample_body("zero"))
    taken_in(saved)

    with away(Path(settings().store_location)), pytest.raises(Transient) as failed:
        drained()

    assert failed.value.code == "STORE_AWAY"
    assert (len(inbox.imported_names()), list(inbox.deliveries())) == (7, [])
    assert drained() == ["archived 7 archives"]


@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize("writes", [2, 7])
def test_killed_import_is_continued_by_the_same_command(saved: Path, writes: int) -> None:
    assert exit_status(take_in_until, writes, str(saved)) == -signal.SIGKILL
    durable = len(inbox.imported_names())

    assert counts(taken_in(saved)) == {each: n for each, n in (("taken in", 7 - durable), ("known", durable)) if n}

    assert sorted(each.reference for each in inbox.imported()) == ["five", "four", "one", "six", "six", "three", "two"]


@pytest.mark.usefixtures("sqlite_installation")
def test_import_finishes_what_a_killed_import_has_begun(saved: Path) -> None:
    _check_killed(saved, writes=80)


@pytest.mark.faults
@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize("writes", [3, 9, 15, 20, 30, 40, 50, 60, 70, 90, 100, 105, 110])
def test_import_killed_before_any_write_is_finished(saved: Path, writes: int) -> None:
    _check_killed(saved, writes)


def _check_killed(saved: Path, writes: int) -> None:
    taken_in(saved)
    assert exit_status(drain_until, writes) == -signal.SIGKILL
    for lease in rows(LeaseRow):  # as if the leases of the dead holder had expired
        leases.release([lease["subject"]], lease["holder"])

    asyncio.run(import_archives())

    assert {each["state"] for each in rows(ReceiptRow)} == {"completed"}
    receipts = {each["receipt_id"]: each["reference"] for each in rows(ReceiptRow)}
    assert sorted(receipts.values()) == ["five", "four", "one", "six", "six", "three", "two"]
    assert (len(rows(DeliveryRow)), inbox.imported_names(), rows(NotificationRow)) == (7, [], [])
    assert {stored_body(reference, each) for each, reference in receipts.items()} >= {sample_body("one")}
    assert validation_errors() == []
