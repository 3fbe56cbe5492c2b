"""The store is compared by itself with the newest anchor of the witness. What is found stands until it is not found."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.anchors.leaves_file import written
from adapters.anchors.witness import Comparison
from adapters.files.store import storage_at, store
from adapters.settings.settings import Settings, settings
from adapters.store import last_records
from adapters.tables.open_conditions import open_conditions
from models.store.anchor import Statement
from models.store.condition import OF_COMPARISONS
from models.views.health import Grade
from services.anchors.making import make
from services.custody.comparing import compare
from services.custody.remembering import Memory
from tests.conftest import Configure
from tests.flows.databases import in_new_database
from tests.insider.database import adapt_rows
from tests.insider.objects import opened
from tests.insider.stores import place_of, remove_object
from tests.installations import archive_of, archived, check, checked
from tests.prepared import Prepared
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _archives(sqlite_installation: Settings, prepared: Prepared) -> None:
    prepared.copy(two_archives)


def two_archives() -> None:
    for each in ("one", "two"):
        archived(each, sample_body(each))


@pytest.fixture
def witness(configure: Configure, tmp_path: Path) -> Path:
    """A witness that has the first anchor."""
    (tmp_path / "witness").mkdir()
    configure(witness_url=tmp_path / "witness")
    anchored()
    return tmp_path / "witness"


def anchored() -> None:
    make(datetime.now(UTC))


def found() -> list[tuple[str, str, int]]:
    """Return what a comparison leaves open: subject, code and number of findings."""
    compare(datetime.now(UTC))
    return [(each.kind, each.code, each.count) for each in open_conditions(OF_COMPARISONS)]


def verdict() -> Grade:
    return check("last comparison").verdict


def anchored_again(configure: Configure) -> None:
    """Make all anchors again from the store as it is now, with the key of the installation, and the note of this
    machine.
    """
    there = settings().witness_url
    configure(witness_url="")
    count = len(anchors.listed(store()))
    store().remove_folder(anchors.FOLDER)
    (settings().data_dir / "last-anchor.json").unlink()
    for _ in range(count):
        anchored()
    configure(witness_url=there or "")


def rewritten(reference: str) -> None:
    its = opened(place_of(reference))
    its.replace_content(1, "skeleton.json", lambda text: text.replace(b"100", b"900"))
    its.write()


@pytest.mark.usefixtures("witness")
def test_removed_archive_is_found_though_the_database_was_rebuilt_until_it_is_back(
    configure: Configure, tmp_path: Path
) -> None:
    assert (verdict(), found(), verdict()) == (Grade.OFF, [], Grade.OK)
    shutil.copytree(place_of("two"), tmp_path / "copy")
    remove_object("two")
    in_new_database(configure)

    expected = [("store", "NOT_AS_ANCHORED", 1)]
    assert (found(), verdict()) == (expected, Grade.WRONG)
    anchored()
    assert Memory().check_store(1.0, 1)[0].is_sound  # a check ends nothing that it cannot find
    assert found() == expected

    shutil.copytree(tmp_path / "copy", place_of("two"))
    assert (found(), verdict()) == ([], Grade.OK)


@pytest.mark.usefixtures("witness")
def test_archive_that_was_put_back_is_found_though_all_anchors_were_made_again_with_the_key(
    configure: Configure, tmp_path: Path
) -> None:
    shutil.copytree(place_of("one"), tmp_path / "copy")
    archived("one", sample_body("one", data=[]))
    anchored()
    shutil.rmtree(place_of("one"))
    shutil.copytree(tmp_path / "copy", place_of("one"))
    adapt_rows("one")
    anchored_again(configure)

    assert found() == [("archive", "NOT_AS_ANCHORED", 3), ("store", "NOT_AS_ANCHORED", 5)]
    assert "not as anchored: 8" in check("last comparison").found
    checked("one")
    assert [(each.code, each.count) for each in archive_of("one").conditions] == [("NOT_AS_ANCHORED", 3)]
    assert (archive_of("one").is_damaged, archive_of("two").conditions) == (True, [])


def test_anchor_that_was_added_to_the_witness_hides_no_other_anchor_there(configure: Configure, witness: Path) -> None:
    """Whoever may only add to the witness gives it an anchor that follows on the forged anchors."""
    rewritten("one")
    anchored_again(configure)
    configure(witness_url="")
    anchored()
    for key, _ in list(store().listed("anchors/000002")):
        storage_at(str(witness)).keep_first(store().read_bytes(key), key)
    configure(witness_url=witness)

    assert found() == [("store", "NOT_AS_ANCHORED", 1)]


@pytest.mark.parametrize("number", [2, 900])
@pytest.mark.usefixtures("witness")
def test_anchor_that_names_none_before_it_hides_nothing(number: int) -> None:
    rewritten("one")
    key = anchors.fingerprint(anchors.signed(b"")[1])
    with written([]) as leaves:
        forged = Statement(number, datetime.now(UTC), 0, leaves.root, None, key, leaves.digest)
        anchors.keep(store(), forged, leaves)

    assert found() != []
    anchored()
    assert found() != []


@pytest.mark.usefixtures("witness")
def test_comparison_that_breaks_off_is_said() -> None:
    """Whatever somebody wrote into the store."""
    index = next((settings().data_dir / "store" / "anchors" / "000001").glob("*.index"))
    block = json.loads(index.read_text().splitlines()[0])
    index.write_text(json.dumps(block | {"offset": -1}, separators=(",", ":"), sort_keys=True) + "\n")

    with suppress(OSError):
        compare(datetime.now(UTC))
    assert open_conditions(OF_COMPARISONS) != []
    assert verdict() is Grade.WRONG


def unmounted(witness: Path) -> Callable[[], object]:
    witness.rename(witness.with_name("elsewhere"))
    return lambda: witness.with_name("elsewhere").rename(witness)


def damaged(witness: Path) -> Callable[[], object]:
    statement = witness / anchors.statement_key(1)
    before = statement.read_bytes()
    statement.write_bytes(b"{}")
    return lambda: statement.write_bytes(before)


@pytest.mark.parametrize("fault", [unmounted, damaged])
def test_nothing_is_called_well_while_the_witness_is_away(
    witness: Path, fault: Callable[[Path], Callable[[], object]]
) -> None:
    assert found() == []
    first = last_records.find(Comparison)
    mend = fault(witness)

    assert (found(), verdict()) == ([("store", "STORE_UNCOMPARED", 1)], Grade.WRONG)
    last = last_records.find(Comparison)
    assert first
    assert last
    assert (last.at, last.number, last.failure in check("last comparison").found) == (first.at, 1, True)

    mend()
    assert (found(), verdict()) == ([], Grade.OK)


def test_store_without_a_witness_is_compared_with_its_own_anchor_and_the_note_of_this_machine(
    configure: Configure, tmp_path: Path
) -> None:
    assert (found(), last_records.find(Comparison)) == ([], None)
    anchored()
    archived("three", sample_body("three"))
    assert (found(), verdict()) == ([], Grade.OK)
    assert "anchor 1 of the store itself; archives that it does not cover yet: 1;" in check("last comparison").found

    (tmp_path / "witness").mkdir()
    configure(witness_url=tmp_path / "witness")
    assert (found(), verdict()) == ([], Grade.WARNING)  # the witness had no anchor yet

    configure(witness_url="")
    remove_object("two")
    assert found() == [("archive", "NOT_AS_ANCHORED", 1)]
    store().remove_folder(anchors.FOLDER)
    assert found() == [("archive", "NOT_AS_ANCHORED", 1), ("store", "NOT_AS_ANCHORED", 1)]
