"""The advice about each cause of a failure, followed in the situation that gives the cause, completes the archive."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from adapters.database.transactions import reading
from adapters.inbox import inbox
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.ocfl import CUTS, FILES, SKELETON
from adapters.tables.runs import receipts
from domain.runs import CANCELLED, CRASHED, cause_of, heals_by_rerun
from domain.words.causes import CAUSES
from models.errors import CauseCode, CellarError, RefusalCode, Refused, System, Transient
from models.runs.receipt import Cause
from services.processing.completion import complete, load, reconcile_findings
from services.processing.persisting import persist
from services.receipts import receipt_of, stored_archive
from tests.advice.following import followed, ran
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import (
    archive_of,
    archived,
    closed_url,
    damaged_file,
    database_that_is_away,
    finished,
    request_of,
)
from tests.samples import sample_body
from tests.services.processing import test_repairing

R = "process-1"
BODY = sample_body(R, signed_document=None)
Mend = Callable[[], object]
Situation = tuple[Cause | None, Mend]


class World:
    """An installation of a test, and its copy of before the damage, as a backup has it."""

    def __init__(self, configure: Configure, cellar: Cellar, folder: Path) -> None:
        self.configure, self.cellar, self.folder = configure, cellar, folder

    @property
    def store(self) -> Path:
        return Path(settings().store_location)

    def backed_up(self) -> Mend:
        """Copy the store, and return what restores it."""
        copy = self.folder / "copy of the store"
        shutil.copytree(self.store, copy)
        return lambda: (shutil.rmtree(self.store), shutil.copytree(copy, self.store))

    def sent_again(self) -> object:
        return archived(R, BODY)


@pytest.fixture
def world(sqlite_installation: Settings, configure: Configure, cellar: Cellar, tmp_path: Path) -> World:
    assert sqlite_installation
    return World(configure, cellar, tmp_path)


def body_damaged(world: World) -> Situation:
    receipt_id = received(R, BODY).receipt_id
    path = Path(settings().inbox_location) / "waiting" / f"{receipt_id}.body"
    path.write_bytes(path.read_bytes().replace(b"CUSTOMER_VALUE", b"CUSTOMER_VALUF"))
    return ran(R), world.sent_again


def body_missing(world: World) -> Situation:
    inbox.remove([], received(R, BODY).receipt_id)
    return ran(R), world.sent_again


def cancelled(_world: World) -> Situation:
    receipts.set_failed(received(R, BODY).receipt_id, CANCELLED, datetime.now(UTC))
    return CANCELLED, lambda: None


def crashed(_world: World) -> Situation:
    receipts.set_failed(received(R, BODY).receipt_id, CRASHED, datetime.now(UTC))
    return CRASHED, lambda: None


def clamav_away(world: World) -> Situation:
    received(R, BODY)
    world.configure(clamd=closed_url().removeprefix("http://"))
    return ran(R), lambda: world.configure(clamd="")


def conflict(world: World) -> Situation:
    """A later cellar has written the archive."""
    receipt_id = archived(R, BODY)
    restore = world.backed_up()
    path = world.store / request_of(R, receipt_id).keys[CUTS]
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 99', 1))
    return ran(R), restore


def file_lost(world: World) -> Situation:
    archived(R, BODY)
    (world.store / damaged_file(R)).unlink()
    return ran(R), world.sent_again


def interrupted(_world: World) -> Situation:
    def _killed(*_: str) -> None:
        raise Transient("the examination was killed")

    received(R, BODY)
    return ran(R, _killed), lambda: None


def key_away(world: World) -> Situation:
    archived(R, BODY)
    key = settings().secret_path("seal")
    key.rename(world.folder / "key")
    world.configure()
    return ran(R), lambda: (world.folder / "key").rename(key)


def not_read_back(_world: World) -> Situation:
    def _with_lost_row(reference: str, receipt_id: str) -> None:
        persist(reference, receipt_id)
        found = stored_archive(reference, receipt_id)
        load(found)
        with closing(sqlite3.connect(settings().database_location.removeprefix("sqlite:///"))) as database, database:
            database.execute("DELETE FROM form_field")
        complete(found, reconcile_findings(found).payload)

    received(R, BODY)
    return ran(R, _with_lost_row), lambda: None


def not_repairable(world: World) -> Situation:
    """Damage all that says which values an earlier cellar sealed by other rules."""
    with pytest.MonkeyPatch.context() as earlier:
        receipt_id = test_repairing.archived_by(test_repairing.less, earlier)
    restore = world.backed_up()
    test_repairing.damage(receipt_id, {CUTS, SKELETON})
    received(R, test_repairing.body())
    return ran(R), restore


def receipt_lost(_world: World) -> Situation:
    received(R, BODY)
    return ran(R, lambda reference, receipt_id: load(stored_archive(reference, receipt_id))), lambda: None


def run_timeout(world: World) -> Situation:
    def _too_long(*_: str) -> None:
        raise Refused("RUN_TIMEOUT", "the run has worked for 1 s; set CELLAR_RUN_TIMEOUT_S higher")

    received(R, BODY)
    return ran(R, _too_long), lambda: world.configure(run_timeout_s=7200)


def store_away(world: World) -> Situation:
    received(R, BODY)
    place = world.store
    (world.folder / "a file").touch()
    world.configure(store_url=world.folder / "a file")
    return ran(R), lambda: world.configure(store_url=place)


def store_unreadable(world: World) -> Situation:
    archived(R, BODY)
    restore = world.backed_up()
    path = world.store / damaged_file(R)
    path.unlink()
    path.mkdir()
    return ran(R), restore


def unexpected(_world: World) -> Situation:
    def _faulty(*_: str) -> None:
        raise KeyError("a fault of cellar")

    received(R, BODY)
    return ran(R, _faulty), lambda: None


def unknown_receipt(_world: World) -> Situation:
    received(R, BODY)
    return ran(R, lambda reference, _: receipt_of(reference, "0" * 64)), lambda: None


def wrong_reference(_world: World) -> Situation:
    received(R, BODY)
    return ran(R, lambda _, receipt_id: persist("process-2", receipt_id)), lambda: None


SITUATIONS: dict[str, Callable[[World], Situation]] = {
    "BODY_DAMAGED": body_damaged,
    "BODY_MISSING": body_missing,
    "CANCELLED": cancelled,
    "CLAMAV_AWAY": clamav_away,
    "CONFLICT": conflict,
    "CRASHED": crashed,
    "FILE_LOST": file_lost,
    "INTERRUPTED": interrupted,
    "KEY_AWAY": key_away,
    "NOT_READ_BACK": not_read_back,
    "NOT_REPAIRABLE": not_repairable,
    "RECEIPT_LOST": receipt_lost,
    "RUN_TIMEOUT": run_timeout,
    "STORE_AWAY": store_away,
    "STORE_UNREADABLE": store_unreadable,
    "UNEXPECTED": unexpected,
    "UNKNOWN_RECEIPT": unknown_receipt,
    "WRONG_REFERENCE": wrong_reference,
}
"""What gives each cause. Each returns what a person does about it, besides the commands that the advice names."""

VERIFIED_BEFORE = {"NOT_REPAIRABLE", "STORE_UNREADABLE"}
"""The advice is to look which files are damaged, before a person restores them."""

OF_NO_FAILED_ARCHIVE = {
    "DATABASE_AWAY": "the archive's state cannot be kept: test_outage_of_the_database",
    "DATABASE_UNUSABLE": "likewise: test_database_without_tables",
    "UNKNOWN_REFERENCE": "there is no archive: test_unknown_reference",
    "ERASED": "there is no archive any longer: tests/services/access/test_scope.py",
    "OTHER_RUN_AWAY": "the run waits until the other run has ended: tests/flows/execution",
    "ENDPOINT_AWAY": "the archive is complete, and its messages wait: test_endpoints",
    "PREFECT_AWAY": "no run is there: test_parts",
}


def advice(code: str) -> str:
    return CAUSES[code].to_do


def test_every_cause_has_its_situation() -> None:
    assert set(get_args(CauseCode)) - set(get_args(RefusalCode)) == SITUATIONS.keys() | OF_NO_FAILED_ARCHIVE.keys()


@pytest.mark.parametrize("code", SITUATIONS)
def test_advice_about_a_cause_completes_the_archive(world: World, code: str) -> None:
    cause, mend = SITUATIONS[code](world)
    assert cause
    assert cause.code == code, cause.sentence
    is_failed = state() == "failed"  # what was complete before stays so
    if is_failed:
        shown, page = world.cellar("failures").output, world.cellar("show", R).output
        offered = [f"cellar rerun --failed --cause {code}" in shown, f"cellar rerun {R}" in page]
        assert offered == [heals_by_rerun(code)] * 2

    mend_before = code not in VERIFIED_BEFORE
    if mend_before:
        mend()
    for command, ended in followed(world.cellar, f"{cause.sentence} {advice(code)}", REFERENCE=R).items():
        if command == "verify" and not mend_before:
            assert (ended.status, ocfl.object_key(R) in ended.output) == (1, True)
    if not mend_before:
        mend()
    if heals_by_rerun(code) or "then run the archive again" in advice(code):
        followed(world.cellar, f"`cellar rerun --failed --cause {code}`" if is_failed else f"`cellar rerun {R}`")

    assert state() == "completed"
    assert world.cellar("verify").status == 0


def state() -> str:
    found = archive_of(R)
    return found.state


def test_body_damaged_in_the_store_is_repaired_by_another_delivery_and_by_a_backup(world: World) -> None:
    for mend in ("another delivery", "a backup"):
        archived(R, BODY)
        restore = world.backed_up() if mend == "a backup" else world.sent_again
        next((world.store / ocfl.object_key(R)).rglob(f"{FILES}/*")).write_bytes(b"damaged")
        cause = ran(R)
        assert cause
        assert cause.code == "BODY_DAMAGED"
        restore()
        ran(R)
        assert (state(), world.cellar("verify").status) == ("completed", 0), mend


def test_outage_of_the_database_ends_with_the_right_setting(world: World) -> None:
    receipt_id = received(R, BODY).receipt_id
    place = settings().database_location
    world.configure(database_url=database_that_is_away())
    with pytest.raises(CellarError) as raised:
        finished(R, receipt_id)
    assert cause_of(raised.value, None).code == "DATABASE_AWAY"
    assert "CELLAR_DATABASE_URL" in advice("DATABASE_AWAY")

    world.configure(database_url=place)

    finished(R, receipt_id)


def test_database_without_tables_is_mended_by_the_command_that_the_advice_names(
    configure: Configure, cellar: Cellar
) -> None:
    configure().data_dir.mkdir()
    Path(settings().database_location.removeprefix("sqlite:///")).touch()
    with pytest.raises(CellarError) as raised, reading() as session:
        receipts.find("0" * 64) or session
    assert cause_of(raised.value, None).code == "DATABASE_UNUSABLE"

    assert [each.status for each in followed(cellar, advice("DATABASE_UNUSABLE")).values()] == [0]

    archived(R, BODY)


def test_unknown_reference_ends_with_the_right_reference(world: World) -> None:
    archived(R, BODY)
    wrong = world.cellar("show", "proces-1")
    assert (wrong.status, "UNKNOWN_REFERENCE" in wrong.errors) == (1, True)

    assert R in followed(world.cellar, wrong.errors)["list"].output


def test_every_system_that_is_away_has_its_cause() -> None:
    assert {Transient("", system=each).code for each in System} <= set(get_args(CauseCode))
