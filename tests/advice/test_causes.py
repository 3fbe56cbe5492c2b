"""Runs fail with the cause of what happened, and what heals it completes the archive."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.database.transactions import reading
from adapters.inbox import inbox
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.ocfl import FILES
from adapters.tables.runs import receipts
from domain.runs import cause_of
from domain.words.causes import CAUSES
from models.discrepancies import DiscrepancyCode
from models.errors import CellarError
from services.processing.completion import complete, load, reconcile_findings
from services.processing.persisting import persist
from services.receipts import receipt_of, stored_archive
from tests.advice.following import ran
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import archive_of, archived, damaged_file, database_that_is_away, finished
from tests.samples import sample_body, sample_document

R = "process-1"
BODY = sample_body(R, signed_document=None)


@pytest.fixture
def store(sqlite_installation: Settings) -> Path:
    return Path(sqlite_installation.store_location)


def database() -> Path:
    return Path(settings().database_location.removeprefix("sqlite:///"))


def without_a_row(reference: str, receipt_id: str) -> None:
    persist(reference, receipt_id)
    found = stored_archive(reference, receipt_id)
    load(found)
    with closing(sqlite3.connect(database())) as opened, opened:
        opened.execute("DELETE FROM form_field")
    complete(found, reconcile_findings(found).payload)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("code", "work"),
    [
        ("NOT_READ_BACK", without_a_row),
        ("RECEIPT_LOST", lambda reference, receipt_id: load(stored_archive(reference, receipt_id))),
        ("UNKNOWN_RECEIPT", lambda reference, _: receipt_of(reference, "0" * 64)),
        ("WRONG_REFERENCE", lambda _, receipt_id: persist("process-2", receipt_id)),
    ],
)
def test_run_that_fails_once_has_its_cause_and_another_run_completes_the_archive(
    cellar: Cellar, code: str, work: Callable[[str, str], object]
) -> None:
    received(R, BODY)
    cause = ran(R, work)
    assert (cause and cause.code, archive_of(R).state) == (code, "failed")

    ran(R)

    assert (archive_of(R).state, cellar("verify").status) == ("completed", 0)


def damaged_in_the_inbox() -> str:
    receipt_id = received(R, BODY).receipt_id
    path = Path(settings().inbox_location) / "waiting" / f"{receipt_id}.body"
    path.write_bytes(path.read_bytes().replace(b"CUSTOMER_VALUE", b"CUSTOMER_VALUF"))
    return "BODY_DAMAGED"


def missing_in_the_inbox() -> str:
    inbox.remove([], received(R, BODY).receipt_id)
    return "BODY_MISSING"


def damaged_in_the_store() -> str:
    archived(R, BODY)
    next((Path(settings().store_location) / ocfl.object_key(R)).rglob(f"{FILES}/*")).write_bytes(b"damaged")
    return "BODY_DAMAGED"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("damage", [damaged_in_the_inbox, missing_in_the_inbox, damaged_in_the_store])
def test_damaged_body_is_repaired_by_another_delivery(cellar: Cellar, damage: Callable[[], str]) -> None:
    code, cause = damage(), ran(R)
    assert (cause and cause.code) == code

    archived(R, BODY)

    assert (archive_of(R).state, cellar("verify").status) == ("completed", 0)


def test_unreadable_file_is_repaired_by_a_backup(cellar: Cellar, store: Path, tmp_path: Path) -> None:
    archived(R, BODY)
    shutil.copytree(store, tmp_path / "copy")
    key = damaged_file(R)
    (store / key).unlink()
    (store / key).mkdir()
    cause = ran(R)
    assert (cause and cause.code) == "STORE_UNREADABLE"

    (store / key).rmdir()
    shutil.copy(tmp_path / "copy" / key, store / key)

    assert (ran(R), cellar("verify").status) == (None, 0)


@pytest.mark.usefixtures("store")
def test_outage_of_the_database_ends_with_the_right_setting(configure: Configure) -> None:
    receipt_id = received(R, BODY).receipt_id
    place = settings().database_location
    configure(database_url=database_that_is_away())
    with pytest.raises(CellarError) as raised:
        finished(R, receipt_id)
    assert cause_of(raised.value, None).code == "DATABASE_AWAY"
    assert "CELLAR_DATABASE_URL" in CAUSES["DATABASE_AWAY"].to_do

    configure(database_url=place)

    finished(R, receipt_id)


def test_database_without_tables_is_mended_by_a_migration(configure: Configure, cellar: Cellar) -> None:
    configure().data_dir.mkdir()
    database().touch()
    with pytest.raises(CellarError) as raised, reading() as session:
        receipts.find("0" * 64) or session
    assert cause_of(raised.value, None).code == "DATABASE_UNUSABLE"
    assert "cellar migrate" in CAUSES["DATABASE_UNUSABLE"].to_do

    assert cellar("migrate").status == 0

    archived(R, BODY)


@pytest.mark.usefixtures("store")
def test_lost_receipts_come_back_by_a_rebuild_into_an_empty_database(cellar: Cellar, configure: Configure) -> None:
    archived(R, BODY)
    lost = database()
    with closing(sqlite3.connect(lost)) as opened, opened:
        opened.execute("DELETE FROM delivery")
        opened.execute("DELETE FROM receipt")
    found = cellar("verify")
    assert (found.status, "`cellar rebuild` alone, into an empty database" in found.output) == (1, True)

    configure()  # closes the database
    for each in lost.parent.glob(f"{lost.name}*"):
        each.unlink()
    assert [cellar(each).status for each in ("migrate", "rebuild", "verify")] == [0, 0, 0]


@pytest.mark.usefixtures("store")
def test_wrong_unit_of_amounts_ends_with_the_right_setting(configure: Configure) -> None:
    def _open() -> list[str]:
        return [each.code for each in archive_of(R).discrepancies if each.state == "open"]

    document = sample_document() | {"reference": R}
    document["payments"][0]["amount"] = 21
    archived(R, json.dumps(document).encode())
    assert DiscrepancyCode.UNIT_MISMATCH in _open()

    configure(amount_unit="major")
    ran(R)

    assert DiscrepancyCode.UNIT_MISMATCH not in _open()
