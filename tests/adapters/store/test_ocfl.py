"""Objects are valid OCFL 1.1 for an independent validator, also after kills, races and repairs."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.spool import staging
from adapters.files.store import store
from adapters.platform.cancellation import limited
from adapters.store import ocfl
from adapters.store.objects import history, interrupted
from models.errors import Conflict, Transient
from models.store.inventory import Inventory, ObjectVersion
from tests.conftest import Configure, bucket_at
from tests.installations import inventory_of
from tests.ocfl_validator import validation_errors, validator_path

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["folder", "bucket"], autouse=True)
def kind(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Configure an empty store of each kind."""
    if request.param == "bucket":
        prefix = hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
        configure(store_url=f"s3://archives/{prefix}", **bucket_at(request.getfixturevalue("s3_server")))
    else:
        configure()
    return str(request.param)


def added(
    reference: str, *files: bytes, message: str = "message", checkpoint: Callable[[], None] = lambda: None
) -> Inventory:
    """Add a version with files that are named by their numbers."""
    digests = [hashlib.sha256(file).hexdigest() for file in files]
    with staging(store().spool_folder) as stage:
        (stage / "content" / "files").mkdir(parents=True)
        for number, file in enumerate(files):
            (stage / "content" / "files" / str(number)).write_bytes(file)
        state = {f"{number}.bin": sha256 for number, sha256 in enumerate(digests)}
        version = ObjectVersion(NOON, message, state)
        before = interrupted.repaired(reference)
        contents = {sha256: f"files/{number}" for number, sha256 in enumerate(digests)}
        if not ocfl.has_root():
            ocfl.make_root()
        with limited(checkpoint):
            return ocfl.add_version(reference, before, version, stage, contents)


def content(reference: str, version: int) -> list[bytes]:
    found = inventory_of(reference)
    state = found.versions[version - 1].state
    return [store().read_bytes(ocfl.content_key(reference, found, sha256)) for _, sha256 in sorted(state.items())]


def test_versions_are_read_back_and_equal_content_is_stored_once() -> None:
    added("r", b"one", b"two")
    after = added("r", b"two", b"three")

    assert (after.head, after) == (2, ocfl.inventory("r"))
    assert (content("r", 1), content("r", 2)) == ([b"one", b"two"], [b"two", b"three"])
    assert sorted(path.partition("/")[0] for path in after.manifest.values()) == ["v1", "v1", "v2"]
    assert validation_errors() == []


HOSTILE = ["../../etc/passwd", "/etc", "a/b", "..", ".", "s3://other/x", "a\\b", "%2e%2e", "\n", "a b"]
HOSTILE += ["x" * 255, "ש" * 255]


def test_each_hostile_reference_gets_an_ordinary_object() -> None:
    for reference in HOSTILE:
        added(reference, b"one")
        added(reference, b"two")

    assert [content(each, 2) for each in HOSTILE] == [[b"two"]] * len(HOSTILE)
    ordinary = re.compile(r"archives(/[0-9a-f]{3}){3}/[\w%-]+", re.ASCII)
    assert [each for each in HOSTILE if not ordinary.fullmatch(ocfl.object_key(each))] == []
    assert validation_errors() == []


@given(st.text(min_size=1, max_size=255), st.text(min_size=1, max_size=255))
def test_objects_of_two_processes_never_overlap(one: str, other: str) -> None:
    of_one, of_other = (ocfl.object_key(each) for each in (one, other))

    assert (of_one == of_other) == (one == other)
    assert not of_one.startswith(f"{of_other}/")


@given(st.text(min_size=1, max_size=255))
def test_key_of_an_object_is_where_the_validator_expects_it(reference: str) -> None:
    assert ocfl.object_key(reference) == f"{ocfl.ROOT}/{validator_path(ocfl.object_id(reference))}"


def test_damaged_inventory_is_a_conflict_and_never_overwritten() -> None:
    added("r", b"one")
    damaged = store().read_bytes(f"{ocfl.object_key('r')}/inventory.json").replace(b"message", b"massage")
    store().overwrite_bytes(damaged, f"{ocfl.object_key('r')}/inventory.json")

    with pytest.raises(Conflict):
        added("r", b"two")
    store().overwrite_bytes(b"{", f"{ocfl.object_key('r')}/inventory.json")
    with pytest.raises(Conflict):
        ocfl.inventory("r")


def test_next_writer_finishes_a_version_whose_sidecar_is_missing() -> None:
    added("r", b"one")
    before = store().read_bytes(f"{ocfl.object_key('r')}/inventory.json.sha256")
    added("r", b"two")
    store().overwrite_bytes(before, f"{ocfl.object_key('r')}/inventory.json.sha256")
    assert validation_errors() != []

    assert added("r", b"three").head == 3
    assert validation_errors() == []


def test_next_writer_finishes_a_version_missing_from_the_root_inventory() -> None:
    key = ocfl.object_key("r")
    added("r", b"one")
    names = ("inventory.json", "inventory.json.sha256")
    before = {name: store().read_bytes(f"{key}/{name}") for name in names}
    added("r", b"two")
    for name, text in before.items():
        store().overwrite_bytes(text, f"{key}/{name}")

    after = added("r", b"three")

    assert (after.head, content("r", 2), content("r", 3)) == (3, [b"two"], [b"three"])
    assert validation_errors() == []


def killed_at_checkpoint(number: int) -> Callable[[], None]:
    """Return a checkpoint that ends its writer at call `number`."""
    left = iter(range(number - 1))

    def _checkpoint() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return _checkpoint


@pytest.mark.parametrize("kind", ["bucket"], indirect=True)
@pytest.mark.parametrize(("version", "checkpoint"), [(1, 4), (2, 3)])
def test_version_half_written_to_a_bucket_is_removed(version: int, checkpoint: int) -> None:
    """One of the two contents is uploaded."""
    before = [added("r", b"one") for _ in range(1, version)]
    with pytest.raises(KeyboardInterrupt):
        added("r", b"half", b"other", checkpoint=killed_at_checkpoint(checkpoint))
    assert len(list(store().listed(f"{ocfl.object_key('r')}/v{version}"))) == 3

    assert interrupted.repaired("r") == (before[0] if before else None)
    assert list(store().listed(f"{ocfl.object_key('r')}/v{version}")) == []
    added("r", b"one", b"two")
    assert validation_errors() == []


@pytest.mark.parametrize("kind", ["bucket"], indirect=True)
def test_next_writer_completes_a_half_done_removal() -> None:
    """The removal of an unfinished version deletes its inventory last."""
    added("r", b"one")
    with pytest.raises(KeyboardInterrupt):
        added("r", b"two", checkpoint=killed_at_checkpoint(1))
    assert len(list(store().listed(f"{ocfl.object_key('r')}/v2"))) == 1

    assert added("r", b"three").head == 2
    assert validation_errors() == []


def set_back_without_a_content(state: str) -> str:
    """Set the root inventory back to version 1, remove a content of version 2, and put version 2 in `state`.

    Returns:
        The key of the history that holds `state`.
    """
    key, names = ocfl.object_key("r"), ("inventory.json", "inventory.json.sha256")
    added("r", b"one")
    before = {name: store().read_bytes(f"{key}/{name}") for name in names}
    found = added("r", b"two", b"three", message="receipt")
    for name, text in before.items():
        store().overwrite_bytes(text, f"{key}/{name}")
    store().remove(ocfl.content_key("r", found, hashlib.sha256(b"two").hexdigest()))
    history.write({"receipt": [{"state": state}]}, f"{key}/logs/history/receipt.json")
    return f"{key}/logs/history/receipt.json"


@pytest.mark.parametrize("damage", [b"", b"x"])
def test_complete_version_is_never_removed(damage: bytes) -> None:
    """The history of its receipt says that it is complete, or is damaged and may have said so."""
    its_history = set_back_without_a_content("completed")
    store().overwrite_bytes(store().read_bytes(its_history) + damage, its_history)
    before = list(store().listed(ocfl.object_key("r")))

    with pytest.raises(Conflict):
        added("r", b"three")

    assert list(store().listed(ocfl.object_key("r"))) == before


def test_incomplete_version_is_removed_from_a_bucket(kind: str) -> None:
    set_back_without_a_content("failed")

    if kind == "folder":  # a version enters a folder whole
        with pytest.raises(Conflict):
            added("r", b"four")
    else:
        assert added("r", b"four").head == 2
        assert validation_errors() == []


@pytest.mark.parametrize("has_object", [True, False])
def test_content_of_unknown_origin_is_a_conflict(has_object: bool) -> None:
    if has_object:
        added("r", b"one")
    strange = f"{ocfl.object_key('r')}/v{1 + has_object}/content/unknown"
    store().overwrite_bytes(b"unknown", strange)

    with pytest.raises(Conflict):
        added("r", b"two")

    assert store().read_bytes(strange) == b"unknown"


def test_lost_root_inventory_is_restored_from_the_last_version() -> None:
    for file in (b"one", b"two"):
        added("r", file)
    store().remove(f"{ocfl.object_key('r')}/inventory.json")

    assert added("r", b"three").head == 3
    assert [content("r", number) for number in (1, 2, 3)] == [[b"one"], [b"two"], [b"three"]]
    assert validation_errors() == []


def test_object_without_inventory_and_content_is_a_conflict() -> None:
    found = [added("r", file) for file in (b"one", b"two")][-1]
    store().remove(f"{ocfl.object_key('r')}/inventory.json")
    store().remove(ocfl.content_key("r", found, hashlib.sha256(b"two").hexdigest()))
    before = list(store().listed(ocfl.object_key("r")))

    with pytest.raises(Conflict):
        added("r", b"three")

    assert list(store().listed(ocfl.object_key("r"))) == before


def test_only_version_is_never_removed_when_its_root_inventory_is_lost() -> None:
    found = added("r", b"one")
    store().remove(f"{ocfl.object_key('r')}/inventory.json")
    store().remove(ocfl.content_key("r", found, hashlib.sha256(b"one").hexdigest()))

    with pytest.raises(Conflict):
        added("r", b"two")


@pytest.mark.parametrize("others", [1, 2])
def test_late_writer_never_sets_the_object_back(monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    """It lost its lease, and other writers added versions before it writes the root inventory."""
    added("r", b"one")
    tell = ocfl._write_inventory

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(ocfl, "_write_inventory", tell)
        for number in range(others):
            added("r", b"other %d" % number)
        tell(*arguments)

    monkeypatch.setattr(ocfl, "_write_inventory", late)
    with pytest.raises(Transient):
        added("r", b"ours")

    found = inventory_of("r")
    assert found.head == 2 + others
    assert validation_errors() == []


def test_checkpoint_ends_a_writer_before_its_next_write(kind: str) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        added("r", b"one", checkpoint=stop)

    assert ocfl.inventory("r") is None
    added("r", b"two")
    assert validation_errors() == []


def test_only_one_of_two_writers_of_a_version_wins(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other writer comes between our check and our write."""
    added("r", b"one")
    make = ocfl.version_writer

    def other_first() -> ocfl.VersionWriter:
        monkeypatch.setattr(ocfl, "version_writer", make)
        added("r", b"the other's")
        return make()

    monkeypatch.setattr(ocfl, "version_writer", other_first)
    with pytest.raises(Transient):
        added("r", b"ours")

    assert content("r", 2) == [b"the other's"]
    assert validation_errors() == []
    assert added("r", b"ours").head == 3


@pytest.mark.parametrize("kind", ["bucket"], indirect=True)
@pytest.mark.parametrize("late_at", [1, 2, 3])
def test_writer_presumed_dead_leaves_nothing_in_the_version_of_another(late_at: int) -> None:
    """Another writer removes its unfinished version between two of its writes. A folder is renamed into place."""
    added("r", b"one")
    reached: list[int] = []

    def others() -> None:
        reached.append(len(reached) + 1)
        if reached[-1] == late_at:
            added("r", b"theirs", b"of both")

    with pytest.raises(Transient):
        added("r", b"ours", b"of both", checkpoint=others)

    assert content("r", 2) == [b"theirs", b"of both"]
    assert validation_errors() == []
    assert added("r", b"ours").head == 3


@pytest.mark.parametrize("kind", ["bucket"], indirect=True)
def test_late_removal_leaves_the_version_of_another_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remover stalls between finding what a killed writer left and removing it."""
    added("r", b"one")
    with pytest.raises(KeyboardInterrupt):
        added("r", b"a dead one's", checkpoint=killed_at_checkpoint(2))
    begun = interrupted.begun

    def others(*arguments: Any) -> Any:
        found = begun(*arguments)
        monkeypatch.setattr(interrupted, "begun", begun)
        added("r", b"theirs")
        return found

    monkeypatch.setattr(interrupted, "begun", others)
    with pytest.raises(Transient):
        interrupted.repaired("r")

    assert content("r", 2) == [b"theirs"]
    assert validation_errors() == []


def test_late_finish_of_a_killed_version_never_sets_the_object_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ocfl.object_key("r")
    before = added("r", b"one").to_json()
    added("r", b"two")
    store().overwrite_bytes(before, f"{key}/inventory.json")  # its writer was killed before the root inventory
    store().overwrite_bytes(ocfl.sidecar(before), f"{key}/inventory.json.sha256")
    publish = ocfl.publish

    def late(*arguments: Any) -> Inventory:
        monkeypatch.setattr(ocfl, "publish", publish)
        added("r", b"three")
        return publish(*arguments)

    monkeypatch.setattr(ocfl, "publish", late)
    with pytest.raises(Transient):
        interrupted.repaired("r")

    found = inventory_of("r")
    assert found.head == 3
    assert validation_errors() == []
