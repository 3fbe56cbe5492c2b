"""An archive with earlier rules of sealing is repaired by them, as derived from its remains and its digests."""

import base64
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.store.objects.deliveries import kept_key
from adapters.store.ocfl import CUTS, SCANS, SKELETON
from domain.secrets.card_secrets import secret_ranges
from models.errors import Conflict
from services.anchors.anchors import hold
from services.anchors.making import make
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.processing import persisting
from services.processing.persisting import persist
from tests.adapters.documents.test_clamd import BAD, running_clamd
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import archived, request_of, stored_body
from tests.ocfl_validator import validation_errors
from tests.samples import sample_document

pytestmark = pytest.mark.usefixtures("sqlite_installation")

Rule = Callable[[bytes], list[tuple[int, int]]]
DAMAGES = [{CUTS}, {SKELETON}, {CUTS, SKELETON}]


def body(**members: object) -> bytes:
    document = sample_document() | members
    document["reference"] = "process-1"
    document["payments"][0]["provider_transaction_result"]["session_cd"] = None  # sealed, but looks unsealed
    return json.dumps(document).encode()


def nothing(_skeleton: bytes) -> list[tuple[int, int]]:
    return []


def less(skeleton: bytes) -> list[tuple[int, int]]:
    return secret_ranges(skeleton)[1:]


def archived_by(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as then:
        then.setattr(persisting, "secret_ranges", rule)
        return archived("process-1", body())


def damage(receipt_id: str, names: Collection[str]) -> None:
    request = request_of("process-1", receipt_id)
    for name in names:
        store().overwrite_bytes(store().read_bytes(request.keys[name])[:-5], request.keys[name])


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (rule, names)
        for rule in (nothing, less, secret_ranges)
        for names in DAMAGES
        if (rule, names) != (less, DAMAGES[2])
    ],
)
def test_archive_with_other_sealing_rules_is_repaired(
    monkeypatch: pytest.MonkeyPatch, rule: Rule, names: Collection[str]
) -> None:
    receipt_id = archived_by(rule, monkeypatch)
    damage(receipt_id, names)

    persist("process-1", received("process-1", body()).receipt_id)

    assert stored_body("process-1", receipt_id) == body()
    assert verify_object(object_of("process-1")).findings == ()
    assert validation_errors() == []


@pytest.mark.parametrize("names", DAMAGES[:2])
def test_repaired_delivery_keeps_its_content_root(monkeypatch: pytest.MonkeyPatch, names: Collection[str]) -> None:
    archived("process-1", body())
    again = json.dumps(json.loads(body()), indent=1).encode()
    with monkeypatch.context() as then:
        then.setattr(persisting, "secret_ranges", less)
        receipt_id = archived("process-1", again)
    root = request_of("process-1", receipt_id).kept_root
    damage(receipt_id, names)

    persist("process-1", received("process-1", again).receipt_id)

    assert root
    assert request_of("process-1", receipt_id).kept_root == root
    assert verify_object(object_of("process-1")).findings == ()


def test_archive_with_unknown_sealing_rules_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt_id = archived_by(less, monkeypatch)
    damage(receipt_id, {CUTS, SKELETON})

    with pytest.raises(Conflict, match="cannot be repaired"):
        persist("process-1", received("process-1", body()).receipt_id)


def test_damaged_cuts_are_repaired_although_clamav_has_changed_its_result(configure: Configure, tmp_path: Path) -> None:
    content = base64.b64encode(BAD).decode()
    sent = body(attachments=[{"id": "1", "filename": "a.txt", "mimetype": "text/plain", "content": content}])
    receipt_id = archived("process-1", sent)
    request = request_of("process-1", receipt_id)
    scans = store().read_bytes(request.keys[SCANS])
    damage(receipt_id, {CUTS})

    with running_clamd(tmp_path) as (address, _):
        configure(clamd=address)
        staged = persist("process-1", received("process-1", sent).receipt_id)

    assert "Test.Bad.UNOFFICIAL" in {each.infection for each in staged.contents}
    assert stored_body("process-1", receipt_id) == sent
    assert store().read_bytes(request.keys[SCANS]) == scans
    assert verify_object(object_of("process-1")).findings == ()
    assert validation_errors() == []


def test_delivery_with_a_damaged_record_keeps_the_version_that_it_repeats() -> None:
    again = json.dumps(json.loads(body()), indent=1).encode()
    archived("process-1", body())
    receipt_id = archived("process-1", again)
    archived("process-1", body(data=[]))
    archived("process-1", json.dumps(json.loads(body()), indent=2).encode())
    root = make(datetime.now(UTC)).anchor.root
    store().overwrite_bytes(b"{}", kept_key("process-1", receipt_id, "receipt.json"))

    persist("process-1", received("process-1", again).receipt_id)

    assert hold(root).findings == ()
