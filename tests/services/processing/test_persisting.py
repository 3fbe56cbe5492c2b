"""A receipt becomes a version or a delivery in the store, and the request can be rebuilt byte for byte."""

import base64
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.files.bucket import Bucket
from adapters.files.folder import Folder
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.store import ocfl
from adapters.store.objects.deliveries import delivery_path
from adapters.store.objects.requests import stored_request
from adapters.store.ocfl import REQUEST, SCANS
from models.errors import Conflict, Transient
from models.views.archives.archives import ArchiveView
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.processing.persisting import persist
from tests.flows.conftest import received
from tests.installations import archive_of, archived, inventory_of, request_of, stored_body, stored_file
from tests.ocfl_validator import validation_errors
from tests.samples import PDF, sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation", "store_kind")


def body_at(timestamp: str, *, indent: int | None = None, **members: Any) -> bytes:
    """Return the sample with this event time and this indentation."""
    document = json.loads(sample_body("process-1")) | members
    document["event"] = document["event"] | {"timestamp": timestamp}
    return json.dumps(document, indent=indent).encode()


def view(reference: str = "process-1") -> ArchiveView:
    return archive_of(reference)


JANUARY, FEBRUARY, MARCH = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")


def test_request_is_rebuilt_from_skeleton_and_files_and_kept_only_once() -> None:
    document = json.loads(sample_body("process-1"))
    document["signed_document"]["content"] = base64.b64encode(os.urandom(1_000_000)).decode()
    body = json.dumps(document).replace("/", r"\/").encode()

    receipt_id = archived("process-1", body)

    assert stored_body("process-1", receipt_id) == body
    stored = request_of("process-1", receipt_id)
    assert REQUEST not in stored.keys
    assert not inbox.has_body(receipt_id)
    assert validation_errors() == []


def lines(content: str) -> str:
    """Return base64 in lines, as in MIME."""
    return "".join(f"{content[at : at + 76]}\r\n" for at in range(0, len(content), 76))


@pytest.mark.parametrize(("spelled", "solidus"), [(str, "/"), (lines, r"\/")], ids=["plain", "in escaped lines"])
def test_archive_takes_less_than_four_fifths_of_requests_that_are_mostly_files(
    spelled: Callable[[str], str], solidus: str
) -> None:
    """The second of two versions adds a file, and shares the files of the first."""
    files = [spelled(base64.b64encode(os.urandom(60_000)).decode()) for _ in range(6)]
    bodies = []
    for timestamp, count in ((JANUARY, 5), (FEBRUARY, 6)):
        attachments = [
            {"id": str(number), "filename": f"{number}.bin", "content": content}
            for number, content in enumerate(files[:count])
        ]
        bodies.append(body_at(timestamp, attachments=attachments).replace(b"/", solidus.encode()))
    sizes_bytes = []

    for body in bodies:
        receipt_id = archived("process-1", body)
        sizes_bytes.append(sum(size_bytes for _, size_bytes in store().listed(ocfl.ROOT)))
        assert stored_body("process-1", receipt_id) == body

    assert len(view().versions) == 2
    assert sizes_bytes[0] < 0.80 * len(bodies[0])
    assert sizes_bytes[1] - sizes_bytes[0] < len(files[-1]), "files that were there already are stored again"


@pytest.mark.parametrize(
    "content", [pytest.param("QR==", id="bits that no byte has"), pytest.param(r"\/\//", id="one sign in two ways")]
)
def test_request_that_cannot_be_rebuilt_is_kept_whole(content: str) -> None:
    body = sample_body("process-1").replace(base64.b64encode(PDF), content.encode())
    assert content.encode() in body

    receipt_id = archived("process-1", body)

    assert stored_body("process-1", receipt_id) == body
    stored = request_of("process-1", receipt_id)
    assert REQUEST in stored.keys
    assert validation_errors() == []


@pytest.mark.parametrize("again", [body_at(FEBRUARY), body_at(JANUARY, indent=2), body_at(FEBRUARY, indent=1)])
def test_repeated_content_is_a_delivery_and_no_version(again: bytes) -> None:
    first_body = body_at(JANUARY)
    first = archived("process-1", first_body)

    second = archived("process-1", again)

    assert [(each.version, each.receipt_id) for each in view().versions] == [(1, first)]
    assert [(each.receipt_id, each.outcome) for each in view().deliveries] == [(first, "new"), (second, "duplicate")]
    assert view().state == "completed"
    found = inventory_of("process-1")
    assert found.head == 1
    assert (stored_body("process-1", first), stored_body("process-1", second)) == (first_body, again)
    assert validation_errors() == []


def test_changed_body_is_the_next_version_and_stores_equal_files_once() -> None:
    first = archived("process-1", body_at(JANUARY))
    second = archived("process-1", body_at(FEBRUARY, data=[]))

    assert [(each.version, each.receipt_id) for each in view().versions] == [(1, first), (2, second)]
    assert view().fields == []
    found = inventory_of("process-1")
    brought = sorted(path.rpartition("/")[2] for path in found.content_of(2).values())
    assert brought == ["cuts.json", "skeleton.json"]
    assert validation_errors() == []


def test_return_to_an_earlier_content_is_a_version() -> None:
    receipts = [archived("process-1", body) for body in (body_at(JANUARY), body_at(FEBRUARY, data=[]), body_at(MARCH))]

    assert [each.receipt_id for each in view().versions] == receipts
    assert view().fields != []


def test_old_body_that_arrives_late_is_a_version_but_not_current() -> None:
    archived("process-1", body_at(MARCH))
    archived("process-1", body_at(FEBRUARY, data=[]))

    assert len(view().versions) == 2
    assert view().fields != []


def test_version_is_as_new_as_its_latest_delivery() -> None:
    """A body sent between two equal deliveries, which arrives after them, is older than the second delivery."""
    archived("process-1", body_at(JANUARY))
    archived("process-1", body_at(MARCH))
    archived("process-1", body_at(FEBRUARY, data=[]))

    assert len(view().versions) == 2
    assert view().fields != []


def test_change_in_a_file_alone_makes_a_version() -> None:
    """Both skeletons are equal, since an index replaces the file."""
    document = json.loads(sample_body("process-1"))
    archived("process-1", json.dumps(document).encode())
    document["signed_document"]["content"] = base64.b64encode(b"%PDF-1.7 another").decode()
    archived("process-1", json.dumps(document).encode())

    assert len(view().versions) == 2
    assert validation_errors() == []


def test_persisting_again_changes_nothing() -> None:
    body = body_at(JANUARY)
    receipt_id = archived("process-1", body)
    before = ocfl.inventory("process-1")

    persist("process-1", receipt_id)  # rebuilt
    received("process-1", body)
    persist("process-1", receipt_id)  # from the inbox

    assert ocfl.inventory("process-1") == before
    assert validation_errors() == []


def test_damaged_files_are_repaired_by_another_delivery() -> None:
    body = body_at(JANUARY)
    receipt_id = archived("process-1", body)
    stored = request_of("process-1", receipt_id)
    for key in [*stored.files.values()]:
        store().overwrite_bytes(b"damaged", key)
    with pytest.raises(Conflict):
        persist("process-1", receipt_id)

    received("process-1", body)
    persist("process-1", receipt_id)

    assert stored_body("process-1", receipt_id) == body
    assert validation_errors() == []


def test_damaged_record_of_a_delivery_is_repaired_by_another_delivery() -> None:
    archived("process-1", body_at(JANUARY))
    again = body_at(FEBRUARY)
    receipt_id = archived("process-1", again)
    archived("process-1", body_at(MARCH, data=[]))
    store().overwrite_bytes(b"{", f"{ocfl.object_key('process-1')}/{delivery_path(receipt_id)}")
    with pytest.raises(Conflict, match="send the archive again"):
        stored_request("process-1", receipt_id)

    received("process-1", again)
    assert persist("process-1", receipt_id).version == 1

    assert stored_body("process-1", receipt_id) == again
    assert len(view().versions) == 2
    assert validation_errors() == []


def test_request_is_whole_without_its_scans() -> None:
    receipt_id = archived("process-1", body_at(JANUARY))
    stored = request_of("process-1", receipt_id)
    assert stored.cuts()[0].content.looks_like
    store().overwrite_bytes(b"{", stored.keys[SCANS])
    stored = request_of("process-1", receipt_id)  # a request reads each part once

    assert stored.is_whole()
    assert not any(cut.content.is_scanned for cut in stored.cuts())
    assert {"FILE_NOT_SCANNED"} == {warning.code for warning in stored.archive().warnings}


def test_files_under_a_key_that_comes_again_are_kept_with_a_warning() -> None:
    document = sample_body("process-1")
    files = {each["filename"] for each in json.loads(document)["attachments"]}
    one, other = (base64.b64encode(each).decode() for each in (b"one", b"other"))
    attachment = f'{{"filename": "x", "content": "{one}", "content": "{other}"}}'
    body = document[:-1] + f', "attachments": [{attachment}], "attachments": []}}'.encode()

    receipt_id = archived("process-1", body)

    assert {(each.code, each.where) for each in view().warnings} == {
        ("DUPLICATE_KEY", "attachments"),
        ("DUPLICATE_KEY", "attachments[0].content"),
    }
    attached = [each for each in view().files if each.role == "attachment"]
    assert {each.filename for each in attached} == {*files, "x"}
    kept = {stored_file("process-1", each.sha256) for each in attached if each.filename == "x"}
    assert kept == {b"one", b"other"}
    assert verify_object(object_of("process-1")).findings == ()
    assert stored_body("process-1", receipt_id) == body


def test_file_that_differs_from_its_declared_type_is_kept_with_a_warning() -> None:
    page = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    attachment = {"id": "1", "filename": "a.png", "mimetype": "image/png", "content": base64.b64encode(page).decode()}

    receipt_id = archived("process-1", body_at(JANUARY, attachments=[attachment]))

    assert [(each.code, each.where) for each in view().warnings] == [("MEDIA_TYPE_MISMATCH", "attachments[0].mimetype")]
    assert "text/html" in view().warnings[0].detail
    assert view().state == "completed"
    (file,) = (each for each in view().files if each.role == "attachment")
    assert file.media_type == "image/png"
    assert stored_file("process-1", file.sha256) == page
    stored = request_of("process-1", receipt_id)
    assert stored.is_whole()


def test_body_of_another_process_is_refused_and_leaves_nothing() -> None:
    delivery = received("another", body_at(JANUARY))

    with pytest.raises(Exception, match="another process"):
        persist("another", delivery.receipt_id)

    assert ocfl.inventory("another") is None
    assert ocfl.inventory("process-1") is None


def test_time_of_a_version_is_the_time_of_its_receipt() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    delivery = received("process-1", body_at(JANUARY), at)

    persist("process-1", delivery.receipt_id)

    found = inventory_of("process-1")
    assert (found.versions[0].created_at, found.versions[0].message) == (at, delivery.receipt_id)


WRITES: dict[str, tuple[type[Storage], tuple[str, ...]]] = {
    "folder": (Folder, ("keep", "keep_first", "overwrite", "place_folder", "remove")),
    "bucket": (
        Bucket,
        ("keep", "keep_first", "overwrite", "overwrite_bytes", "replace_bytes", "remove", "remove_same"),
    ),
}
MOST_WRITES = 30
IN_A_BUCKET = {"nothing", "a part of the content", "content alone", "all but the sidecar", "all"}
LEFT_BEHIND = {
    ("folder", 1): {"nothing", "all"},  # the version enters the store with its object
    ("folder", 2): IN_A_BUCKET - {"a part of the content"},
    ("bucket", 1): IN_A_BUCKET,
    ("bucket", 2): IN_A_BUCKET,
}
"""How much of a version a killed writer can leave."""


def break_off_before(patch: pytest.MonkeyPatch, store_kind: str, writes: int) -> None:
    """Make a write of the store fail after `writes` writes have taken effect."""
    left = iter(range(writes))

    def breaking(write: Callable[..., Any]) -> Callable[..., Any]:
        def _write(*arguments: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise Transient("the writer ends here")
            return write(*arguments, **named)

        return _write

    storage, names = WRITES[store_kind]
    for name in names:
        patch.setattr(storage, name, breaking(getattr(storage, name)))


def there(reference: str, version: int) -> str:
    """Return how much of a version the object of a process has."""
    key = ocfl.object_key(reference)
    inventory = store().found_bytes(f"{key}/v{version}/{ocfl.INVENTORY}")
    if inventory is None:
        return "nothing"
    if store().found_bytes(f"{key}/{ocfl.INVENTORY}") == inventory:
        is_proved = store().found_bytes(f"{key}/{ocfl.SIDECAR}") == ocfl.sidecar(inventory)
        return "all" if is_proved else "all but the sidecar"
    content = ocfl.parsed(inventory, key).content_of(version).values()
    is_whole = {f"{key}/{path}" for path in content} <= {path for path, _ in store().listed(key)}
    return "content alone" if is_whole else "a part of the content"


@pytest.mark.parametrize("version", [1, 2])
def test_next_run_completes_the_version_of_a_writer_killed_before_any_write(
    monkeypatch: pytest.MonkeyPatch, store_kind: str, version: int
) -> None:
    left_behind = set()
    for writes in range(MOST_WRITES):
        reference = f"process-{writes}"
        if version == 2:
            archived(reference, sample_body(reference))
        body = sample_body(reference, data=[], attachments=[])
        receipt_id = received(reference, body).receipt_id
        with monkeypatch.context() as patch:
            break_off_before(patch, store_kind, writes)
            try:
                persist(reference, receipt_id)
                has_ended = True
            except Transient:
                has_ended = False
        stored = object_of(reference)
        assert not stored.sizes or verify_object(stored).is_sound, f"broken off before write {writes}"
        left_behind.add(there(reference, version))

        persist(reference, receipt_id)

        assert verify_object(object_of(reference)).findings == ()
        assert stored_body(reference, receipt_id) == body
        if has_ended:
            break
    else:
        pytest.fail(f"more than {MOST_WRITES} writes; raise the bound")
    assert left_behind == LEFT_BEHIND[store_kind, version]
    assert validation_errors() == []


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[], None]]:
    """Return a function that limits files to 2 MiB, so that a write fails halfway as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["a file", "the skeleton"])
def test_full_disk_while_staging_a_body_is_transient(file_size_limit: Callable[[], None], name: str) -> None:
    document = json.loads(body_at(JANUARY))
    if name == "a file":
        document["signed_document"]["content"] = base64.b64encode(bytes(3 << 20)).decode()
    else:
        document["data"] = [{"id": "f", "value": "x" * (3 << 20)}]
    delivery = received("process-1", json.dumps(document).encode())
    file_size_limit()

    with pytest.raises(Transient, match="the spool folder of the store does not take more: File too large"):
        persist("process-1", delivery.receipt_id)
