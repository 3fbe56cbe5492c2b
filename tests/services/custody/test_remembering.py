"""What a check finds is a condition of its archive until a check that could find it finds nothing."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.tables.open_conditions import open_conditions
from adapters.tables.runs import receipts
from domain.runs import CANCELLED
from models.access import CELLAR
from models.archive.archive import State
from models.runs.receipt import Cause
from models.said import verbatim
from models.store.condition import OF_CHECKS
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject, unnamed
from models.views.archives.archives import ArchiveQuery
from services.custody.objects import object_of
from services.custody.remembering import Memory, check_again
from services.custody.verifying import missing, verify_object
from services.views import archive_list
from services.views.troubles import failures
from tests.conftest import Configure
from tests.installations import archive_of, archived, checked, damaged_file, database_that_is_away
from tests.samples import sample_body

NOW = datetime.now(UTC)
LONG = "ארכיון ארוך של תהליך " * 6


@pytest.fixture(autouse=True)
def _installation(installation: Settings) -> None:
    for reference in ("one", "two"):
        archived(reference, sample_body(reference))


def wrong(reference: str) -> list[str]:
    """Return the open conditions of an archive, which its list and its page both show."""
    listed = archive_list.page(ArchiveQuery(reference=reference), CELLAR).items[0].conditions
    shown = archive_of(reference)
    assert sorted(each.code for each in shown.conditions) == listed
    return [str(each) for each in listed]


def needing_a_person(**filters: str) -> list[str]:
    found = archive_list.page(ArchiveQuery.model_validate(filters or {"attention": True}), CELLAR).items
    return [each.reference for each in found]


def damage(reference: str) -> Callable[[], None]:
    """Damage a file of an archive, and return a function that puts its bytes back."""
    before = {key: store().read_bytes(key) for key, _ in store().listed(ocfl.object_key(reference))}
    key = damaged_file(reference)
    return lambda: store().overwrite_bytes(before[key], key)


def test_finding_is_a_condition_until_a_check_finds_nothing() -> None:
    restore = damage("one")

    checked("one", "two")

    assert (wrong("one"), wrong("two")) == (["FILE_DAMAGED"], [])
    assert needing_a_person() == needing_a_person(condition="FILE_DAMAGED") == ["one"]
    shown = archive_of("one")
    assert shown.is_damaged
    assert shown.conditions[0].values["files"][0].startswith("v1/content/")
    assert shown.checked_at
    assert [(each.code, each.subjects, each.count) for each in open_conditions()] == [("FILE_DAMAGED", 1, 1)]

    checked("two")
    assert wrong("one") == ["FILE_DAMAGED"]

    restore()
    checked("one")
    assert (wrong("one"), needing_a_person()) == ([], [])


def test_version_that_came_while_a_check_was_reading_is_not_checked() -> None:
    memory = Memory()
    memory.take(object_of("one"), NOTHING)
    archived("one", sample_body("one", data=[]))
    memory.keep()
    earlier = archive_of("one")
    checked("one")

    found = [each.is_since_completion(each.checked_at) for each in (earlier, archive_of("one"))]
    assert found == [False, True]


def test_quick_check_ends_only_what_a_quick_check_has_found() -> None:
    restore = damage("one")
    checked("one")
    checked("one", is_quick=True)
    restore()
    checked("one", is_quick=True)
    assert wrong("one") == ["FILE_DAMAGED"]
    checked("one")
    assert wrong("one") == []

    restore = damage("one")
    checked("one", is_quick=True)
    assert wrong("one") == ["FILE_DAMAGED"]
    memory, stored = Memory(is_quick=True), object_of("one")
    memory.take(stored, Fixity(1, 1, 1, (stored.damaged("a", "", ""), stored.damaged("b", "", ""))))
    memory.keep()
    assert [each.count for each in open_conditions()] == [2]
    restore()
    checked("one", is_quick=True)
    assert wrong("one") == []


def test_archive_of_a_long_reference_without_an_inventory_is_known_by_the_database() -> None:
    archived(LONG, sample_body(LONG))
    store().remove(f"{ocfl.object_key(LONG)}/inventory.json")

    checked(LONG)

    assert wrong(LONG) == ["FILE_MISSING"]


def test_findings_beside_the_archives_are_conditions_of_the_store() -> None:
    shutil.rmtree(settings().data_dir / "store" / ocfl.object_key("two"))
    memory = Memory()
    memory.take(StoredObject("", {}), Fixity(0, 0, 0, (unnamed("archives/strange"),)))
    for nobodys in ("archives/012/345/678/of no process", ocfl.object_key("unknown to the database")):
        memory.take(StoredObject(nobodys, {"f": 1}), Fixity(1, 1, 1, (unnamed(f"{nobodys}/f"),)))
    found_before = FixityFinding(f"{ocfl.object_key('one')}/v1/content/files/abc", Fault.DAMAGED, "", "")
    memory.end_of_store(Fixity(0, 0, 0, (found_before,)) + missing({ocfl.object_key("one")}))

    found = {(each.kind, each.code) for each in open_conditions()}
    assert found == {("archive", "FILE_DAMAGED"), ("archive", "FILE_MISSING"), ("store", "FILE_EXTRA")}
    assert (wrong("one"), wrong("two")) == (["FILE_DAMAGED"], ["FILE_MISSING"])
    assert [each.count for each in open_conditions() if each.kind == "store"] == [3]

    Memory().end_of_store(NOTHING)
    assert {each.kind for each in open_conditions()} == {"archive"}


def test_store_is_absent_until_an_archive_is_complete_in_it() -> None:
    Memory().end_of_store(Fixity(0, 0, 0, (FixityFinding(ocfl.ROOT_DECLARATION, Fault.ABSENT, "", ""),)))
    assert [each.code for each in open_conditions(OF_CHECKS)] == ["STORE_ABSENT"]

    archived("three", sample_body("three"))
    assert open_conditions(OF_CHECKS) == []


def test_failed_run_of_a_complete_archive_is_a_condition_until_a_check_or_a_run_succeeds() -> None:
    receipt_id = archived("one", sample_body("one"))
    failed = Cause("CONFLICT", "persist-files", "Conflict", verbatim("the inventory is damaged"))

    receipts.set_failed(receipt_id, failed, NOW)
    receipts.set_failed(receipt_id, failed, NOW)

    assert (wrong("one"), archive_list.page(ArchiveQuery(reference="one"), CELLAR).items[0].state) == (
        ["RUN_FAILED"],
        "completed",
    )
    [group] = failures().items
    assert (group.condition, group.code, group.task, group.archives) == ("RUN_FAILED", "CONFLICT", "persist-files", 1)
    shown = archive_of("one")
    assert (shown.conditions[0].count, shown.conditions[0].values["cause"]) == (2, "CONFLICT")

    receipts.set_state(receipt_id, State.COMPLETED, NOW)
    assert (wrong("one"), needing_a_person()) == ([], [])

    receipts.set_failed(receipt_id, failed, NOW)
    assert check_again("one") is False
    assert wrong("one") == []


def test_run_that_fails_while_a_check_reads_is_still_a_condition_after_the_check() -> None:
    memory, stored = Memory(), object_of("one")
    fixity = verify_object(stored)
    receipts.set_failed(
        archived("one", sample_body("one")),
        Cause("CONFLICT", None, "Conflict", verbatim("two records")),
        datetime.now(UTC),
    )

    memory.take(stored, fixity)
    memory.keep()

    assert wrong("one") == ["RUN_FAILED"]
    checked("one")
    assert wrong("one") == []


def test_cancelled_run_of_a_complete_archive_is_no_condition() -> None:
    receipts.set_failed(archived("one", sample_body("one")), CANCELLED, NOW)

    assert wrong("one") == []


def test_check_whose_database_is_away_says_that_it_remembers_nothing(configure: Configure) -> None:
    stored = object_of("one")
    fixity = verify_object(stored)
    configure(database_url=database_that_is_away())
    memory = Memory()

    memory.take(stored, fixity)
    memory.keep()

    assert "database" in memory.failure
