"""Kept discrepancies are not lost to late writers or new databases."""

from datetime import UTC, datetime

import pytest

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.objects import kept_discrepancies
from models.discrepancies import HOLD_CODES, Discrepancy, DiscrepancyCode
from models.errors import Transient
from models.views.archives.payments import Explanation
from services.payments import discrepancies, recorded
from tests.conftest import Configure, make_tables
from tests.installations import archived, finished, stored_discrepancies
from tests.samples import sample_body

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HELD = Discrepancy(DiscrepancyCode.AGING_HOLD, "t", "charged within 7 days", "held since 2025-12-01")

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def kept() -> dict[str, bytes]:
    keys = [key for key, _ in store().listed(ocfl.log_key("process-1", "history"))]
    return {key: store().read_bytes(key) for key in keys if "discrepancies" in key}


def found(*these: Discrepancy) -> None:
    discrepancies.reconcile_many({"process-1": these}, HOLD_CODES, NOW)


def explain(why: str) -> None:
    (discrepancy_id,) = recorded.not_closed_by_id("process-1", HOLD_CODES)
    discrepancies.explain(discrepancy_id, Explanation(by="Dana", why=why), NOW)


def reported() -> list[str]:
    return [each["why"] for each in stored_discrepancies("process-1")["discrepancy_event"] if each["why"]]


@pytest.mark.usefixtures("store_kind")
def test_late_write_of_a_stalled_worker_loses_nothing() -> None:
    archived("process-1", sample_body("process-1"))
    found(HELD)
    ((key, what_it_was_about_to_write),) = kept().items()
    explain("a long trip")

    store().overwrite_bytes(what_it_was_about_to_write, key)  # and is killed

    assert reported() == ["a long trip"]
    assert kept_discrepancies.unkept() == []
    explain("a longer one")
    assert reported() == ["a long trip", "a longer one"]


@pytest.mark.usefixtures("store_kind")
def test_store_holds_only_the_last_two_states() -> None:
    archived("process-1", sample_body("process-1"))
    for _ in range(3):
        found(HELD)
        found()

    assert [key.rpartition("/")[2] for key in kept()] == ["0000000005.json", "0000000006.json"]
    assert len(stored_discrepancies("process-1")["discrepancy_event"]) == 6


def test_new_database_continues_the_numbers_of_the_lost_database(configure: Configure) -> None:
    receipt_id = archived("process-1", sample_body("process-1"))
    found(HELD)
    explain("a long trip")
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()
    archived("process-1", sample_body("process-1"))  # delivered again, and not rebuilt
    finished("process-1", receipt_id)

    found(HELD)

    assert reported() == ["a long trip"]
    assert max(kept()).endswith("/0000000003.json")
    assert kept_discrepancies.unkept() == []


@pytest.mark.usefixtures("store_kind")
def test_unknown_file_beside_the_kept_states_is_ignored() -> None:
    archived("process-1", sample_body("process-1"))
    strange = ocfl.log_key("process-1", "history/discrepancies/strange.json")
    store().overwrite_bytes(b"{}", strange)

    found(HELD)

    assert kept_discrepancies.unkept() == []
    assert not kept_discrepancies.is_kept(kept_discrepancies.key_of("process-1", 1), [strange])


def test_archive_whose_discrepancies_cannot_be_kept_does_not_block_others() -> None:
    for reference in ("process-1", "process-2"):
        archived(reference, sample_body(reference))
    store().overwrite_bytes(b"", ocfl.log_key("process-1", "history/discrepancies"))  # in place of their folder

    with pytest.raises(Transient):
        discrepancies.reconcile_many({"process-1": [HELD], "process-2": [HELD]}, HOLD_CODES, NOW)

    assert kept_discrepancies.unkept() == ["process-1"]
    assert len(stored_discrepancies("process-2")["discrepancy"]) == 1
