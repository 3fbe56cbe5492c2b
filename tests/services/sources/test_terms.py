"""Archives are read on the terms of the source that brought them, in both databases and both kinds of store."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import ocfl
from models.access import CELLAR
from models.archive.archive import WarningCode
from models.sources import StatedTerms
from models.store.fixity import Fault
from models.views.archives.archives import ArchiveQuery
from services import sources
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.views import archive_list
from services.views.differences import version_differences
from tests.conftest import IN_BOTH_KINDS, Configure
from tests.flows.databases import in_new_database
from tests.installations import accepted, archive_of, archived, finished, stored_body
from tests.samples import sample_body

pytestmark = IN_BOTH_KINDS
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HERE = datetime(2022, 12, 21, 22, 29, 17, 603290, tzinfo=UTC)
"""The time of submission that the sample states, read in UTC. Jerusalem was two hours before it."""


@pytest.fixture(autouse=True)
def _sources(installation: Settings, store_kind: str) -> None:
    terms = StatedTerms(timezone="Asia/Jerusalem", amount_unit="major")
    sources.add("jerusalem", terms, "a test", NOON)


def read(reference: str) -> tuple[Any, ...]:
    """Return how an archive was read: the time of submission, the amount, and its source."""
    found = archive_of(reference)
    return found.sessions[0].submitted_at, found.payments[0].amount_minor, found.source


def test_times_and_amounts_are_read_on_the_terms_of_the_source() -> None:
    archived("in-utc", sample_body("in-utc"))
    archived("in-jerusalem", sample_body("in-jerusalem"), source="jerusalem")

    assert read("in-utc") == (HERE, 2100, "default")
    assert read("in-jerusalem") == (HERE - timedelta(hours=2), 210_000, "jerusalem")
    assert [verify_object(object_of(each)).findings for each in ("in-utc", "in-jerusalem")] == [(), ()]


def test_store_alone_says_which_source_brought_a_version() -> None:
    receipt_id = archived("in-jerusalem", sample_body("in-jerusalem"), source="jerusalem")
    found = ocfl.inventory("in-jerusalem")

    assert found
    assert [each.source for each in found.versions] == ["jerusalem"]
    assert stored_body("in-jerusalem", receipt_id) == sample_body("in-jerusalem")


def test_inventory_of_the_source_default_is_that_of_earlier_builds() -> None:
    archived("in-utc", sample_body("in-utc"))

    inventory = json.loads(store().read_bytes(f"{ocfl.object_key('in-utc')}/inventory.json"))
    assert inventory["versions"]["v1"]["user"] == {"name": "cellar", "address": "urn:cellar"}


def test_changed_terms_make_rows_stale_until_the_archive_is_run_again() -> None:
    receipt_id = archived("in-jerusalem", sample_body("in-jerusalem"), source="jerusalem")

    sources.set_terms("jerusalem", {"timezone": "UTC", "amount_unit": None})
    findings = verify_object(object_of("in-jerusalem")).findings
    finished("in-jerusalem", receipt_id)

    assert [(each.fault, each.found) for each in findings] == [
        (Fault.STALE, "rows that were read with timezone Asia/Jerusalem, amount_unit major")
    ]
    assert read("in-jerusalem") == (HERE, 2100, "jerusalem")
    assert verify_object(object_of("in-jerusalem")).findings == ()


def test_same_body_from_two_sources_is_one_receipt_of_the_first_and_the_process_has_a_warning() -> None:
    body = sample_body("shared")
    first = archived("shared", body, NOON, source="jerusalem")
    before = archive_of("shared").warnings

    second = archived("shared", body, NOON + timedelta(minutes=1))

    assert first == second
    assert read("shared") == (HERE - timedelta(hours=2), 210_000, "jerusalem")
    assert [each.source for each in archive_of("shared").deliveries] == ["jerusalem", "default"]
    codes = {each.code for each in archive_of("shared").warnings} - {each.code for each in before}
    assert codes == {WarningCode.SOURCES_DIFFER}
    [listed] = archive_list.page(ArchiveQuery(attention=True, source="jerusalem"), CELLAR).items
    assert (listed.reference, listed.warnings) == ("shared", len(archive_of("shared").warnings))


def test_versions_of_two_sources_are_each_read_on_their_own_terms() -> None:
    later = {"type": "WHP_ARCHIVE", "timestamp": "2023-01-01T00:00:00"}
    archived("moved", sample_body("moved"), NOON)
    second = archived("moved", sample_body("moved", event=later, data=[]), NOON + timedelta(days=1), source="jerusalem")
    assert read("moved") == (HERE, 2100, "default")
    accepted("moved", second)

    assert read("moved") == (HERE - timedelta(hours=2), 210_000, "default")
    assert verify_object(object_of("moved")).findings == ()
    assert version_differences("moved", CELLAR, 1, 2)
    assert [each.reference for each in archive_list.page(ArchiveQuery(source="default"), CELLAR).items] == ["moved"]


def test_rebuild_keeps_sources_with_and_without_the_histories(configure: Configure) -> None:
    archived("in-utc", sample_body("in-utc"), NOON)
    receipt_id = archived("in-jerusalem", sample_body("in-jerusalem"), NOON, source="jerusalem")
    kept = archived("kept", sample_body("kept"), NOON, source="jerusalem")
    store().remove(ocfl.log_key("in-jerusalem", f"history/{receipt_id}.json"))
    before = {each: read(each) for each in ("in-utc", "in-jerusalem", "kept")}

    assert in_new_database(configure) == 3

    assert {each: read(each) for each in before} == before
    assert [each.source for each in archive_of("kept").deliveries] == ["jerusalem"]
    assert kept == archive_of("kept").deliveries[0].receipt_id
