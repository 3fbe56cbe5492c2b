"""Verification finds and names everything that is wrong in the store, in one pass."""

import fnmatch
import json
import secrets
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest

from adapters.database.connections import engine, made_engine
from adapters.database.transactions import writing
from adapters.files import bucket
from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.settlement_reports import keep, staged
from adapters.tables.settlements import begin_report
from models.errors import Conflict, Refused, Transient
from models.settlements.settlement import SettlementReportRow
from models.store.fixity import EMPTY_FOLDER, Fault, Fixity, StoredObject
from services.custody.objects import drawn, object_of, stored_objects
from services.custody.verifying import helpers, missing, verify_objects
from services.custody.verifying_records import verify_beside
from services.processing.persisting import persist
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import archived, finished, inventory_of
from tests.prepared import Prepared
from tests.refusals import refusing
from tests.samples import sample_body
from tests.settlements import FORM, imported, line, report


@pytest.fixture(autouse=True)
def _archives(sqlite_installation: Settings, store_kind: str, prepared: Prepared) -> None:
    prepared.copy(three_archives)


def three_archives() -> None:
    """Make three archives. One of them has two versions, and a delivery that says nothing new."""
    for number in range(3):
        archived(f"process-{number}", sample_body(f"process-{number}"))
    archived("process-1", sample_body("process-1", data=[]))
    archived("process-1", json.dumps(json.loads(sample_body("process-1", data=[])), indent=1).encode())


def verified() -> Fixity:
    objects = list(stored_objects())
    return verify_objects(objects) + missing({each.key for each in objects})


def findings() -> list[tuple[str, str]]:
    """Return each fault with its path within its object, but no empty folder that a removed file has left."""
    found = [each for each in verified().findings if each.fault is Fault.UNREADABLE or each.found != EMPTY_FOLDER]
    return [(each.fault, "/".join(each.key.split("/")[5:])) for each in found]


def path_of(reference: str, ending: str) -> str:
    """Return the path, in its object, of the only content of version 1 that ends with `ending`."""
    found = inventory_of(reference)
    (path,) = [path for path in found.content_of(1).values() if path.endswith(ending)]
    return path


def key_of(reference: str, path: str) -> str:
    return f"{ocfl.object_key(reference)}/{path}"


def test_sound_store_is_sound() -> None:
    fixity = verified()

    assert (fixity.objects, fixity.findings, fixity.is_sound) == (3, (), True)
    assert fixity.files == sum(len(each.sizes) for each in stored_objects() if each.key)
    assert fixity.size_bytes > 10_000


# Damages, each to an archive of its own: functions that make and damage it, and return what is found


Findings = set[tuple[str, str]]
Do = Callable[..., None]
NAMES = ("inventory.json", "inventory.json.sha256")


def paths(reference: str, pattern: str) -> list[str]:
    return sorted(fnmatch.filter(object_of(reference).sizes, pattern))


def read(reference: str, path: str) -> bytes:
    return store().read_bytes(key_of(reference, path))


def write(reference: str, path: str, data: bytes = b"{") -> None:
    store().overwrite_bytes(data, key_of(reference, path))


def remove(reference: str, *lost: str) -> None:
    for path in lost:
        store().remove(key_of(reference, path))


def flip(reference: str, path: str) -> None:
    data = bytearray(read(reference, path))
    data[len(data) // 2] ^= 1
    write(reference, path, bytes(data))


def misspell(reference: str, path: str) -> None:
    write(reference, path, read(reference, path).replace(b"cellar", b"celler", 1))


def simple(reference: str, **members: object) -> None:
    archived(reference, sample_body(reference, **members))


def grown(reference: str) -> None:
    """Make an archive with two versions, and a delivery that says nothing new."""
    simple(reference)
    simple(reference, data=[])
    archived(reference, json.dumps(json.loads(sample_body(reference, data=[])), indent=1).encode())


def one_file(reference: str, each: tuple[Do, str, Do, str]) -> Findings:
    make, pattern, do, fault = each
    make(reference)
    path, *_ = paths(reference, pattern)
    do(reference, path)
    return {(fault, path)}


def truncated_missing_and_extra_files(reference: str) -> Findings:
    simple(reference)
    truncated, lost = paths(reference, "v1/content/*files/*")
    write(reference, truncated, read(reference, truncated)[:-1])
    remove(reference, lost)
    write(reference, "v1/content/files/unknown")
    return {("damaged", truncated), ("missing", lost), ("extra", "v1/content/files/unknown")}


def inventory_without_content(reference: str, manifest: object) -> Findings:
    """Its sidecar is correct."""
    simple(reference)
    text = json.dumps(json.loads(read(reference, "inventory.json")) | {"manifest": manifest}).encode()
    for folder in ("", "v1/"):
        write(reference, f"{folder}inventory.json", text)
        write(reference, f"{folder}inventory.json.sha256", ocfl.sidecar(text))
    return {("damaged", "inventory.json")}


def later_inventory_in_place_of_an_earlier(reference: str) -> Findings:
    """By itself, it matches its sidecar."""
    grown(reference)
    for name in NAMES:
        write(reference, f"v1/{name}", read(reference, f"v2/{name}"))
    return {("damaged", "v1/inventory.json")}


def delivery_that_does_not_rebuild_its_request(reference: str) -> Findings:
    grown(reference)
    (skeleton,) = paths(reference, "logs/*skeleton*")
    write(reference, skeleton, b"{}")
    return {("damaged", skeleton.rpartition("/")[0])}


def delivery_without_its_files(reference: str) -> Findings:
    grown(reference)
    (receipt,) = paths(reference, "logs/receipts/*/receipt.json")
    remove(reference, *paths(reference, "logs/receipts/*"))
    return {("missing", receipt)}


def lost_histories(reference: str) -> Findings:
    """Without the database, only the histories record deliveries and runs."""
    grown(reference)
    lost = paths(reference, "logs/history/*")
    assert len(lost) == 3  # of two versions, of a delivery
    remove(reference, *lost)
    return {("missing", path) for path in lost}


def earlier_version(reference: str) -> Findings:
    """Reset an object to its first version."""
    simple(reference)
    before = {path: read(reference, path) for path in object_of(reference).sizes}
    receipt_id = archived(reference, sample_body(reference, data=[]))
    remove(reference, *(path for path in object_of(reference).sizes if path not in before))
    for path, data in before.items():
        write(reference, path, data)
    return {("missing", path) for path in ("v2/", history.path_of(receipt_id))}


def version_missing_from_the_root_inventory_with_lost_content(reference: str) -> Findings:
    simple(reference)
    before = {name: read(reference, name) for name in NAMES}
    simple(reference, data=[])
    lost = next(iter(inventory_of(reference).content_of(2).values()))
    for name, data in before.items():
        write(reference, name, data)
    remove(reference, lost)
    return {("missing", lost), ("missing", "v2/")}


def unknown_files(reference: str, *strange: str) -> Findings:
    simple(reference)
    for path in strange:
        write(reference, path)
    return {("extra", path) for path in strange}


def object_of_another_process(reference: str) -> Findings:
    simple(reference)
    simple("whole")
    for path in object_of("whole").sizes:
        write(reference, path, read("whole", path))
    return {("damaged", "inventory.json")}


UNKNOWN = [f"logs/receipts/{each}" for each in (f"{'ab' * 32}/unknown", "loose", "unknown/receipt.json")]
UNKNOWN += ["logs/history/unknown.json.damaged", "logs/unknown", "v2/content/unknown"]
ONE_FILE: list[tuple[Do, str, Do, str]] = [
    *((simple, f"v1/content/*{name}.json", flip, "damaged") for name in ("skeleton", "cuts")),
    *((grown, path, misspell, "damaged") for path in ("inventory.json", "v1/inventory.json", "v2/inventory.json")),
    *((simple, path, remove, "missing") for path in ("inventory.json", ocfl.OBJECT_DECLARATION)),
    *((simple, path, write, "damaged") for path in (*NAMES, ocfl.OBJECT_DECLARATION)),
    (simple, "logs/history/*", flip, "damaged"),
]
DAMAGES: dict[str, Callable[[str], Findings]] = {
    **{f"file {number}": partial(one_file, each=each) for number, each in enumerate(ONE_FILE)},
    "list of no content": partial(inventory_without_content, manifest=[]),
    "no content": partial(inventory_without_content, manifest={}),
    "unknown files": lambda reference: unknown_files(reference, *UNKNOWN),
    "version that no writer leaves": lambda reference: unknown_files(reference, "v2/inventory.json"),
    **{
        each.__name__: each
        for each in (
            truncated_missing_and_extra_files,
            later_inventory_in_place_of_an_earlier,
            delivery_that_does_not_rebuild_its_request,
            delivery_without_its_files,
            lost_histories,
            earlier_version,
            version_missing_from_the_root_inventory_with_lost_content,
            object_of_another_process,
        )
    },
}


def test_each_damage_is_named_where_it_is_in_one_pass() -> None:
    """The three archives of the other tests, and one that is whole, have no findings."""
    layout = next(iter(ocfl.root_files())).rpartition("/")[0]
    names = ("0=ocfl_1.0", "ocfl_layout.json.exe", "extensions/evil.exe", "README.txt")
    strange = {f"{ocfl.ROOT}/{name}" for name in names} | {f"{layout}/evil.json"}
    expected = {ocfl.object_key(name): damage(name) for name, damage in DAMAGES.items()}
    for key in strange:
        store().overwrite_bytes(b"x", key)

    fixity = verified()

    found = defaultdict[str, Findings](set)
    for each in fixity.findings:
        if each.found != EMPTY_FOLDER:
            found["/".join(each.key.split("/")[:5])].add((each.fault, "/".join(each.key.split("/")[5:])))
    assert {key: its for key, its in found.items() if key in expected} == expected
    assert {each.key for each in fixity.findings if each.found != EMPTY_FOLDER} == strange | {
        key if not path else f"{key}/{path}" for key, its in expected.items() for _, path in its
    }
    assert {each.fault for each in fixity.findings if each.key in strange} == {Fault.EXTRA}
    assert not fixity.is_sound


def test_damaged_and_missing_files_beside_the_archives_are_found() -> None:
    """Files of the storage root, and of a report first the time of its import."""
    imported(report(line("of nobody", settled=datetime.now(UTC).date())))
    assert verify_beside().findings == ()
    (imported_at,) = (key for key, _ in store().listed("settlements") if key.endswith(".imported"))
    for key in (*ocfl.root_files(), imported_at):
        before = store().read_bytes(key)
        store().overwrite_bytes(b"{", key)
        assert beside() == [(Fault.DAMAGED, key)]
        store().remove(key)
        assert beside() == [(Fault.DAMAGED if key == imported_at else Fault.MISSING, key)]
        if key != imported_at:
            store().overwrite_bytes(before, key)
    store().remove(its := imported_at.replace(".imported", ".json"))
    assert beside() == [(Fault.MISSING, its)]


def beside() -> list[tuple[Fault, str]]:
    return [(each.fault, each.key) for each in verify_beside().findings]


def test_report_whose_import_never_ended_is_found_after_two_days() -> None:
    now = datetime.now(UTC)
    for begun_at, cguid, faults in ((now, "c1", []), (now - timedelta(days=3), "c2", [Fault.DIFFERS])):
        with staged(report(line(cguid)), FORM) as begun, writing() as session:
            keep(begun, begun_at)
            row = SettlementReportRow(report_id=begun.report_id, imported_at=begun_at, entries=begun.entries)
            begin_report(session, row)
        assert [each.fault for each in verify_beside().findings] == faults


def test_missing_history_is_interrupted_while_the_inbox_has_the_body() -> None:
    """A run completes its receipt, then keeps its history, then removes the body from the inbox."""
    again = received("process-0", sample_body("process-0"))
    path = history.path_of(again.receipt_id)
    store().remove(key_of("process-0", path))
    assert findings() == [("interrupted", path)]

    finished("process-0", again.receipt_id)

    assert findings() == []


def test_history_in_the_place_of_another_is_damaged() -> None:
    """By itself, it matches its digest."""
    histories = [f"{each.key}/{path}" for each in stored_objects() for path in each.sizes if history.is_history(path)]
    for key, another in permutations(histories, 2):
        text = store().read_bytes(key)
        store().overwrite_bytes(store().read_bytes(another), key)
        with pytest.raises(Conflict):
            history.kept_rows(key)
        store().overwrite_bytes(text, key)
    store().overwrite_bytes(store().read_bytes(histories[0]), histories[1])

    assert findings() == [("damaged", "/".join(histories[1].split("/")[5:]))]


def test_old_copy_of_a_history_is_damaged() -> None:
    """It lacks a delivery or the completion. While the inbox has the body, a run will write it again."""
    delivery = received("process-0", sample_body("process-0", data=[]))
    persist("process-0", delivery.receipt_id)
    path = history.path_of(delivery.receipt_id)
    key, copies = key_of("process-0", path), []
    history.keep("process-0", delivery.receipt_id)
    for _ in range(2):
        copies.append(store().read_bytes(key))
        archived("process-0", sample_body("process-0", data=[]))
    assert findings() == []

    for copy in copies:
        store().overwrite_bytes(copy, key)
        assert findings() == [("damaged", path)]
    received("process-0", sample_body("process-0", data=[]))
    assert findings() == []


def test_store_is_sound_after_a_damaged_history_is_set_aside() -> None:
    (path, *_) = [path for path in object_of("process-0").sizes if path.startswith("logs/history/")]
    store().overwrite_bytes(b"{", key_of("process-0", path))
    assert not verified().is_sound

    archived("process-0", sample_body("process-0"))

    assert read("process-0", f"{path}{history.PUT_ASIDE}") == b"{"
    assert verified().is_sound


def test_version_of_a_killed_writer_is_interrupted_and_the_store_is_sound(store_kind: str) -> None:
    key = ocfl.object_key("process-2")
    names = ("inventory.json", "inventory.json.sha256")
    before = {name: store().read_bytes(f"{key}/{name}") for name in names}
    new = received("process-2", sample_body("process-2", data=[]))
    persist("process-2", new.receipt_id)
    store().overwrite_bytes(before["inventory.json.sha256"], f"{key}/inventory.json.sha256")
    assert findings() == [("interrupted", "inventory.json.sha256")]

    store().overwrite_bytes(before["inventory.json"], f"{key}/inventory.json")
    assert findings() == [("interrupted", "v2/")]
    if store_kind == "bucket":  # a bucket gets the inventory of a version first
        found = ocfl.inventory_at(f"{key}/v2")
        assert found
        store().remove(f"{key}/{next(iter(found.content_of(2).values()))}")
        assert findings() == [("interrupted", "v2/")]
    assert verified().is_sound

    finished("process-2", new.receipt_id)
    assert findings() == []


def test_first_version_without_a_root_inventory_is_interrupted_only_in_a_bucket(
    store_kind: str,
) -> None:
    new = received("process-3", sample_body("process-3"))
    persist("process-3", new.receipt_id)
    names = ("inventory.json.sha256", "inventory.json")
    for name in names:
        store().remove(key_of("process-3", name))
    assert findings() == ([("interrupted", "v1")] if store_kind == "bucket" else [("missing", "inventory.json")])

    finished("process-3", new.receipt_id)
    assert findings() == []

    for path in object_of("process-3").sizes:
        if path in names or path.startswith("logs/"):
            store().remove(key_of("process-3", path))
    assert findings() == [("missing", "inventory.json")]


def test_verification_reports_no_false_findings_during_writes() -> None:
    bodies = [sample_body(f"process-{number % 3}", data=[], labels={"n": str(number)}) for number in range(12)]

    def write(number: int) -> None:
        for body in bodies[number::3]:
            archived(f"process-{number}", body)

    with ThreadPoolExecutor(3) as writers:
        writing = [writers.submit(write, number) for number in range(3)]
        looks = 0
        while not all(each.done() for each in writing):
            assert verified().is_sound
            looks += 1
    assert [each.result() for each in writing] == [None] * 3
    assert looks > 1
    assert findings() == []


def make_unreadable(key: str, how: str) -> None:
    path = Path(settings().store_location) / key
    path.unlink()
    if how == "a directory":
        path.mkdir()
    else:
        path.symlink_to("/proc/self/mem")  # reading its first byte is an input/output error


@pytest.mark.parametrize("store_kind", ["folder"], indirect=True)
@pytest.mark.parametrize("how", ["a directory", "an input/output error"])
def test_unreadable_file_is_named_and_the_other_files_are_verified(how: str) -> None:
    skeleton, cuts = (path_of("process-0", name) for name in ("skeleton.json", "cuts.json"))
    make_unreadable(key_of("process-0", skeleton), how)
    store().overwrite_bytes(b"damaged", key_of("process-0", cuts))
    make_unreadable(key_of("process-2", "inventory.json"), how)

    assert sorted(findings()) == [("damaged", cuts), ("unreadable", "inventory.json"), ("unreadable", skeleton)]
    assert not verified().is_sound


@pytest.mark.parametrize("store_kind", ["bucket"], indirect=True)
def test_refused_object_is_named_and_a_temporary_refusal_is_retried(configure: Configure, s3_server: str) -> None:
    skeleton, once = path_of("process-0", "skeleton.json"), set[str]()

    def status_of(path: str) -> int | None:
        if f"process-0/{skeleton}" in path:
            return 403
        is_first = path not in once
        once.add(path)
        return 503 if is_first and ("skeleton.json" in path or "list-type" in path) else None

    with refusing(s3_server, status_of) as endpoint:
        configure(AWS_ENDPOINT_URL=endpoint)
        with bucket.patient():
            assert findings() == [("unreadable", skeleton)]
    assert once


def test_sample_is_a_share_of_the_objects_and_at_least_one_object() -> None:
    everything = list(stored_objects())
    objects = [StoredObject(f"archives/{number}", {}) for number in range(200)]
    outside = StoredObject("", {"archives/unknown": 1})

    assert list(drawn(everything, 1, 1)) == everything
    with pytest.raises(Refused):
        drawn(everything, 0, 1)
    assert 60 < len(list(drawn(objects, 0.5, 1))) < 140
    assert list(drawn(objects, 0.5, 1)) == list(drawn(objects, 0.5, 1)) != list(drawn(objects, 0.5, 2))
    assert all(len(list(drawn(objects, 1e-9, seed))) == 1 for seed in range(20))
    assert len({each.key for seed in range(20) for each in drawn(objects, 1e-9, seed)}) > 10
    assert list(drawn([], 1e-9, 1)) == []
    assert outside in drawn([outside, *objects], 1e-9, 1)


def test_empty_store_is_not_sound_when_the_database_has_archives(
    store_kind: str, configure: Configure, tmp_path: Path
) -> None:
    configure(
        store_url=f"s3://archives/{secrets.token_hex(8)}" if store_kind == "bucket" else str(tmp_path / "unmounted")
    )

    assert [each.fault for each in verified().findings] == [Fault.MISSING] * 3


def test_store_that_does_not_answer_is_never_reported_as_sound(
    store_kind: str, configure: Configure, tmp_path: Path
) -> None:
    if store_kind == "bucket":
        configure(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    else:
        (tmp_path / "a file").write_text("")
        configure(store_url=str(tmp_path / "a file"))

    with pytest.raises(Transient):
        verified()


@pytest.mark.parametrize("store_kind", ["folder"], indirect=True)
def test_process_with_connections_or_threads_makes_no_copies_of_itself() -> None:
    engine()
    with helpers() as processes:
        assert processes is None

    made_engine().dispose()
    made_engine.cache_clear()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(int).result()
        with helpers() as processes:
            assert processes is None
