"""An import archives everything that is saved, in every form, as the webhook would; a killed import is finished."""

import asyncio
import gzip
import io
import signal
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from prefect.client.schemas.objects import State
from sqlmodel import SQLModel, select

from adapters.files.store import store
from adapters.inbox import inbox, quarantine
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables.runs import leases
from adapters.tables.runs.imports import ImportAttempt
from flows.import_archives import import_archives
from models.access import AccessRow
from models.errors import Conflict, Refused
from models.messages.notification import NotificationRow
from models.runs.imports import ImportPosition, ImportProgress
from models.runs.receipt import DeliveryRow, LeaseRow, ReceiptRow, RunRow
from models.sources import StatedTerms
from services import sources
from services.imports import Reader, kept_progress, key_of_start, started_by
from tests.conftest import Configure
from tests.flows.killed import import_until
from tests.installations import archived, stored_body
from tests.killed import exit_status
from tests.messages import SECRET
from tests.ocfl_validator import validation_errors
from tests.records import all_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


def run(*paths: Path | str, source: str | None = None) -> ImportProgress:
    """Import and return the progress at the end, also of an import that fails for its problems."""
    before = _imports()
    with suppress(Conflict):
        asyncio.run(import_archives([str(each) for each in paths], source))
    [flow_run_id] = _imports() - before
    return kept_progress(flow_run_id)


def _imports() -> set[str]:
    return {key.split("/")[1] for key, _ in store().listed("results") if key.endswith("import.json")}


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


@pytest.fixture(autouse=True)
def imports(configure: Configure, tmp_path: Path) -> Path:
    """The folder below which an import reads that Prefect starts."""
    configure(imports_url=tmp_path)
    return tmp_path


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

    progress = run(saved)

    assert (str(progress), progress.share) == ("7 imported, 0 already known, 0 refused, 0 failed", 1.0)
    assert {(each["trigger"], each["state"]) for each in rows(RunRow)} == {("import", "Completed")}
    assert {each["state"] for each in rows(ReceiptRow)} == {"completed"}
    receipts = {each["reference"]: each["receipt_id"] for each in rows(ReceiptRow)}
    assert stored_body("three", receipts["three"]) == sample_body("three")
    of_two = next(each["headers"] for each in rows(DeliveryRow) if each["reference"] == "two")
    assert (of_two["x-cellar-source"], of_two["x-cellar-file"]) == ("import", f"{saved}/2020.zip!a/two.json")
    assert (rows(NotificationRow), list(inbox.deliveries())) == ([], [])
    assert validation_errors() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_imported_archives_are_of_the_source_that_is_named(saved: Path) -> None:
    sources.add("retail", StatedTerms(timezone="Asia/Jerusalem"), "a test", datetime.now(UTC))

    run(saved, source="retail")

    assert {each["source"] for table in (ReceiptRow, DeliveryRow) for each in rows(table)} == {"retail"}
    with pytest.raises(Refused, match="no source has the name unknown"):
        asyncio.run(import_archives([str(saved)], "unknown"))


@pytest.mark.parametrize("kinds", ["Postgres and a bucket"], indirect=True)
def test_prefix_of_a_bucket_is_imported(configure: Configure, kinds: str, tmp_path: Path) -> None:
    configure(imports_url="s3://archives")
    client = boto3.Session().client("s3")
    zipped(tmp_path / "b.zip", {"b": sample_body("in a zip")})
    client.put_object(Bucket="archives", Key=f"{tmp_path.name}/old/a.json", Body=sample_body("alone"))
    client.put_object(Bucket="archives", Key=f"{tmp_path.name}/old/b.zip", Body=(tmp_path / "b.zip").read_bytes())

    progress = run(f"s3://archives/{tmp_path.name}/old/")

    assert str(progress) == "2 imported, 0 already known, 0 refused, 0 failed"


@pytest.mark.usefixtures("sqlite_installation")
def test_second_import_changes_nothing(saved: Path) -> None:
    run(saved)
    before = [rows(table) for table in (ReceiptRow, DeliveryRow, RunRow)], list(store().listed(ocfl.ROOT))

    progress = run(saved)

    assert str(progress) == "0 imported, 7 already known, 0 refused, 0 failed"
    assert before == ([rows(table) for table in (ReceiptRow, DeliveryRow, RunRow)], list(store().listed(ocfl.ROOT)))


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

    progress = run(saved)

    told = {(Path(each.path).name, each.code, each.receipt_id is None) for each in progress.problems}
    assert str(progress) == "2 imported, 0 already known, 3 refused, 0 failed"
    assert told >= {("b.zip!bomb", "TOO_LARGE", True), ("c.tar.gz", "DAMAGED_FILE", True)}
    [kept] = quarantine.refused()
    assert kept.receipt_id in {each.receipt_id for each in progress.problems}
    run(saved)
    assert quarantine.refused() == [kept]


@pytest.mark.usefixtures("sqlite_installation")
def test_path_that_cannot_be_read_is_refused_before_anything_is_imported(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"nothing at {tmp_path}/nowhere"):
        asyncio.run(import_archives([str(saved), str(tmp_path / "nowhere")]))

    assert rows(ReceiptRow) == []


@pytest.mark.usefixtures("sqlite_installation")
def test_import_that_prefect_starts_reads_below_the_folder_of_imports_alone(
    configure: Configure, saved: Path, tmp_path: Path
) -> None:
    own = tmp_path / "imports"
    own.mkdir()
    (own / "link").symlink_to(saved)
    configure(imports_url=own)

    for path in (saved, f"{own}/../saved", f"{own}/link", f"{own}-2", "/", "s3://archives/old"):
        with pytest.raises(Refused, match="CELLAR_IMPORTS_URL"):
            asyncio.run(import_archives([str(own), str(path)]))

    assert rows(ReceiptRow) == []
    assert {(each["person"], each["action"], each["outcome"]) for each in rows(AccessRow)} == {
        ("prefect", "release", "denied")
    }


def test_key_of_an_import_names_who_started_it_and_holds_for_its_paths_and_source_alone(saved: Path) -> None:
    elsewhere = ["/somewhere/else"]
    key = key_of_start("dana:levy@host", elsewhere, "retail")

    assert started_by(key, elsewhere, "retail") == "dana:levy@host"
    assert started_by(key, [str(saved)], "retail") is None
    for wrong in (key, key.replace("dana", "noam"), f"{key}x", "", None):
        with pytest.raises(Refused):
            started_by(wrong, elsewhere, None if wrong == key else "retail")


@pytest.mark.usefixtures("sqlite_installation")
def test_archive_that_fails_waits_in_the_inbox_for_a_run_of_its_own(saved: Path) -> None:
    archived("one", sample_body("one", data=[]))
    store().overwrite_bytes(b"damaged", f"{ocfl.object_key('one')}/{ocfl.INVENTORY}")

    progress = run(saved)

    assert str(progress) == "6 imported, 0 already known, 0 refused, 1 failed"
    assert (progress.problems[0].path, progress.problems[0].code) == (f"{saved}/2019/may/one.json", "NOT_REPAIRABLE")
    [waiting] = inbox.deliveries()
    [failed] = [each for each in rows(RunRow) if each["state"] == "Failed"]
    [delivery] = [each for each in rows(DeliveryRow) if each["delivery_id"] == waiting.delivery_id]
    assert (failed["failed_task"], failed["receipt_id"]) == ("persist-files", waiting.receipt_id)
    assert (failed["cause_code"], failed["cause_error"]) == (progress.problems[0].code, "Conflict")
    assert delivery["flow_run_id"] is None
    assert {each["state"] for each in rows(ReceiptRow) if each["receipt_id"] == waiting.receipt_id} == {"received"}


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Put a file in the place of a folder, as a mount that has gone leaves something else there."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.rename(folder.with_name("aside"))
    folder.touch()
    yield
    folder.unlink()
    aside.rename(folder)


def state_after(saved: Path) -> State[Any]:
    """Import once, and return the state in which the run is then."""

    async def _import() -> State[Any]:
        return await import_archives([str(saved)], return_state=True)

    return asyncio.run(_import())


@pytest.mark.faults
@pytest.mark.usefixtures("sqlite_installation")
def test_import_and_its_archives_wait_while_the_store_is_away(saved: Path) -> None:
    with away(Path(settings().store_location)):
        state = state_after(saved)

    assert state.name == "AwaitingRetry"
    assert (state.message or "").startswith("STORE_AWAY: ")
    assert {(each["state"], each["cause_code"]) for each in rows(ReceiptRow)} == {("processing", "STORE_AWAY")}
    assert {(each["state"], each["cause_code"]) for each in rows(RunRow)} == {("AwaitingRetry", "STORE_AWAY")}


@pytest.mark.usefixtures("sqlite_installation")
def test_import_that_is_retried_goes_on_where_it_was(saved: Path) -> None:
    since = ImportProgress(imported=2, position=ImportPosition(file=f"{saved}/2020.zip", payloads=1))

    batch = Reader([str(saved)], ImportAttempt("run-1", 2), since).next_batch()

    assert batch
    assert {each.reference for each in batch.deliveries} == {"three", "four", "five", "six"}


@pytest.mark.usefixtures("sqlite_installation")
def test_attempt_after_a_killed_attempt_makes_no_second_delivery(saved: Path) -> None:
    first = Reader([str(saved)], ImportAttempt("run-1", 1), ImportProgress()).next_batch()

    again = Reader([str(saved)], ImportAttempt("run-1", 2), ImportProgress()).next_batch()

    assert first
    assert again
    assert again.deliveries == first.deliveries
    assert len(rows(DeliveryRow)) == len(list(inbox.deliveries())) == 7
    assert {(each["attempt"], each["state"]) for each in rows(RunRow)} == {(1, "Crashed"), (2, "Running")}


@pytest.mark.usefixtures("sqlite_installation")
def test_import_finishes_what_a_killed_import_has_begun(saved: Path) -> None:
    _check_killed(saved, writes=80)


@pytest.mark.faults
@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize("writes", [3, 9, 15, 20, 30, 40, 50, 60, 70, 90, 100, 105, 110])
def test_import_killed_before_any_write_is_finished(saved: Path, writes: int) -> None:
    _check_killed(saved, writes)


def _check_killed(saved: Path, writes: int) -> None:
    assert exit_status(import_until, writes, str(saved)) == -signal.SIGKILL
    for lease in rows(LeaseRow):  # as if the leases of the dead holder had expired
        leases.release([lease["subject"]], lease["holder"])

    asyncio.run(import_archives([str(saved)]))

    assert {each["state"] for each in rows(ReceiptRow)} == {"completed"}
    receipts = {each["receipt_id"]: each["reference"] for each in rows(ReceiptRow)}
    assert sorted(receipts.values()) == ["five", "four", "one", "six", "six", "three", "two"]
    assert {stored_body(reference, each) for each, reference in receipts.items()} >= {sample_body("one")}
    assert validation_errors() == []
