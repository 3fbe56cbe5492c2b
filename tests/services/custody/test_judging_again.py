"""Signed documents are judged again: news is kept beside the verdict of the arrival, and a forged verdict is found."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.files.store import store
from adapters.store import ocfl
from adapters.store.objects import judgements
from adapters.store.objects.requests import stored_version
from adapters.tables.runs import leases
from models.archive.verdict import Change, Judged, Outcome
from models.views.archives.archives import ArchiveView
from services.custody.judging_again import count_due, due, judge_objects
from services.custody.objects import object_of, stored_objects
from services.custody.verifying import verify_objects
from services.processing.completion import load
from services.receipts import stored_archive
from tests import pdfs
from tests.conftest import IN_BOTH_KINDS, Configure
from tests.flows.databases import in_new_database, rows
from tests.insider.objects import opened
from tests.insider.stores import place_of
from tests.installations import archive_of, archived
from tests.ocfl_validator import validation_errors
from tests.samples import PDF, sample_body

BROKEN = PDF.replace(b"/Type", b"/tYpe", 1)


def body_with(document: bytes, reference: str = "process-1", **members: Any) -> bytes:
    payload = json.loads(sample_body(reference)) | members
    payload["signed_document"]["content"] = base64.b64encode(document).decode()
    return json.dumps(payload).encode()


def judged() -> Judged:
    return judge_objects(stored_objects(), lambda _, __: None)


def shown(reference: str = "process-1") -> ArchiveView:
    return archive_of(reference)


def files_of_judgements(reference: str = "process-1") -> dict[str, bytes]:
    stored = object_of(reference)
    paths = filter(judgements.is_judgement, stored.sizes)
    return {path: store().read_bytes(f"{stored.key}/{path}") for path in paths}


def with_root(configure: Configure, tmp_path: Path, name: str = "Test root") -> None:
    (tmp_path / f"{name}.pem").write_bytes(pdfs.authority(name).pem)
    configure(trust_roots=str(tmp_path / f"{name}.pem"))


def rewritten(**members: object) -> str:
    """Rewrite the recorded verdict on version 1, consistently with inventories, sidecars and rows, as an insider would.
    Return the key of the verdict.
    """
    its = opened(place_of("process-1"))
    its.replace_content(1, "signatures.json", lambda text: json.dumps(json.loads(text) | members).encode())
    its.write()
    load(stored_archive("process-1", its.versions[0].message))
    return stored_version("process-1", 1).keys["signatures.json"]


def recorded_verdict_on(document: bytes) -> Mapping[str, object]:
    """Return the members of the verdict that cellar records for a document."""
    archived("another", body_with(document, "another"))
    request = stored_version("another", 1)
    found: dict[str, object] = json.loads(store().read_bytes(request.keys["signatures.json"]))
    return found


@IN_BOTH_KINDS
@pytest.mark.usefixtures("installation", "store_kind")
def test_roots_that_are_added_later_make_a_signer_trusted(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(pdfs.signed(pdfs.form())))
    before = set(object_of("process-1").sizes)
    with_root(configure, tmp_path)

    found = judged()

    assert found == Judged(1, 1, 1, (Change("process-1", 1, "sound", "sound, trusted", False),))
    view = shown()
    assert view.signed_document_verdict
    assert view.signed_document_verdict.trusted is None
    ((judgement),) = view.judgements
    assert (judgement.number, judgement.outcome, judgement.trusted, judgement.is_newest) == (1, "sound", True, True)
    assert set(object_of("process-1").sizes) - before == set(files_of_judgements())
    assert verify_objects(stored_objects()).findings == ()
    assert validation_errors() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_certificate_that_has_expired_since_the_arrival_is_still_trusted(configure: Configure, tmp_path: Path) -> None:
    days_ago = [pdfs.NOW - timedelta(days=days) for days in (100, 80)]
    signer = pdfs.identity("Expired", valid_from=days_ago[0], valid_days=50)
    archived("process-1", body_with(pdfs.signed(pdfs.form(), by=signer)), days_ago[1])
    with_root(configure, tmp_path)

    assert [each.now for each in judged().changes] == ["sound, trusted"]


@pytest.mark.usefixtures("sqlite_installation", "store_kind")
def test_document_that_is_judged_as_before_leaves_nothing(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(PDF))

    assert (judged(), files_of_judgements()) == (Judged(1), {})

    with_root(configure, tmp_path, "Another root")
    assert judged().kept == 1
    kept = files_of_judgements()
    assert (judged(), files_of_judgements()) == (Judged(1), kept)


@pytest.mark.usefixtures("sqlite_installation")
def test_each_version_is_judged_and_its_judgements_are_numbered(configure: Configure, tmp_path: Path) -> None:
    first = archived("process-1", body_with(PDF))
    second = archived("process-1", body_with(BROKEN))
    for name in ("Test root", "Another root"):
        with_root(configure, tmp_path, name)
        found = judged()
        assert (found.documents, found.kept) == (2, 2)

    expected = {judgements.path_of(receipt_id, number) for receipt_id in (first, second) for number in (1, 2)}
    assert set(files_of_judgements()) == expected
    assert [each.verdict.outcome for each in stored_version("process-1", 2).judgements] == ["broken", "broken"]


@pytest.mark.usefixtures("sqlite_installation")
def test_warnings_follow_the_newest_judgement(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(pdfs.signed(pdfs.form())))

    with_root(configure, tmp_path, "Another root")
    judged()
    assert [each.code for each in shown().warnings] == ["SIGNED_DOCUMENT_NOT_TRUSTED"]

    with_root(configure, tmp_path)
    found = judged()
    assert found.changes == (Change("process-1", 1, "sound, not trusted", "sound, trusted", False),)
    assert shown().warnings == []


@pytest.mark.usefixtures("sqlite_installation")
def test_signer_who_is_no_longer_trusted_is_a_change_for_the_worse(configure: Configure, tmp_path: Path) -> None:
    with_root(configure, tmp_path)
    archived("process-1", body_with(pdfs.signed(pdfs.form())))
    with_root(configure, tmp_path, "Another root")

    found = judged()

    assert found.changes == (Change("process-1", 1, "sound, trusted", "sound, not trusted", True),)
    assert found.contradictions == ()


@pytest.mark.usefixtures("sqlite_installation")
def test_verdict_that_was_rewritten_from_broken_to_sound_is_found() -> None:
    archived("process-1", body_with(BROKEN))
    key = rewritten(**recorded_verdict_on(PDF))
    assert verify_objects(stored_objects()).findings == ()

    found = judged().contradictions

    assert {each.key for each in found} == {key}
    assert ("document", "sound", "broken") in {(each.about, each.kept, each.found) for each in found}
    assert judged().contradictions != (), "a contradiction stays, also when the new judgement is kept"
    assert [each.code for each in shown().warnings] == ["SIGNED_DOCUMENT_BROKEN"]


@pytest.mark.usefixtures("sqlite_installation")
def test_signature_or_signer_that_the_document_does_not_have_is_found() -> None:
    archived("process-1", body_with(pdfs.form()))
    archived("process-2", body_with(PDF, "process-2"))
    assert judged().contradictions == ()

    rewritten(**recorded_verdict_on(PDF))
    found = judged().contradictions
    assert [(each.about, each.kept, each.found) for each in found] == [
        ("signature 1", "a signature", "no such signature"),
    ]


@pytest.mark.usefixtures("sqlite_installation")
def test_other_name_of_a_signer_is_found_and_not_repeated() -> None:
    archived("process-1", body_with(PDF))
    signatures = json.loads(json.dumps(recorded_verdict_on(PDF)["signatures"]))
    signatures[0]["signer_name"] = "Mallory"
    rewritten(signatures=signatures)

    found = judged().contradictions

    assert [(each.about, each.found) for each in found] == [("signature 1", "another signer_name")]
    assert "Mallory" not in str(found)


@pytest.mark.usefixtures("sqlite_installation")
def test_false_alarm_that_a_newer_judge_mends_is_no_contradiction() -> None:
    archived("process-1", body_with(PDF))
    rewritten(outcome="changed", changed_after_signing=True, signatures=[])

    found = judged()

    assert (found.contradictions, found.kept) == ((), 1)
    assert [(each.before, each.now, each.is_worse) for each in found.changes] == [("changed", "sound", False)]
    assert shown().warnings == []


@pytest.mark.usefixtures("sqlite_installation")
def test_forged_judgement_is_found() -> None:
    receipt_id = archived("process-1", body_with(BROKEN))
    archived("another", body_with(PDF, "another"))
    forged = stored_version("another", 1).verdict()
    assert forged
    judgements.keep("process-1", receipt_id, forged, "0" * 64, pdfs.NOW)

    found = judged().contradictions

    assert ("document", "sound", "broken") in {(each.about, each.kept, each.found) for each in found}
    assert {each.key.endswith(judgements.path_of(receipt_id, 1)) for each in found} == {True}


@pytest.mark.usefixtures("sqlite_installation")
def test_verdict_that_is_gone_is_found() -> None:
    archived("process-1", body_with(BROKEN))
    its = opened(place_of("process-1"))
    its.change(1, state={name: sha256 for name, sha256 in its.versions[0].state.items() if name != "signatures.json"})
    its.write()

    assert [each.found for each in judged().contradictions] == ["none"]


@pytest.mark.usefixtures("sqlite_installation", "store_kind")
def test_damaged_document_is_named_and_not_judged(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(PDF))
    with_root(configure, tmp_path)
    store().overwrite_bytes(BROKEN, stored_version("process-1", 1).files[hashlib.sha256(PDF).hexdigest()])

    found = judged()

    assert (found.documents, found.kept, found.changes, found.contradictions) == (0, 0, (), ())
    assert "is damaged or missing" in found.unjudged[0][1]
    assert files_of_judgements() == {}


@pytest.mark.usefixtures("sqlite_installation")
def test_judgement_waits_while_a_run_works_on_the_archive(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(PDF))
    with_root(configure, tmp_path)
    leases.take(["process-1"], "a run", 60)

    assert (judged().kept, files_of_judgements()) == (0, {})
    assert "a run works on this archive" in judged().unkept[0][1]

    leases.release(["process-1"], "a run")
    assert judged().kept == 1


@pytest.mark.usefixtures("kinds")
def test_rebuilt_database_has_the_judgements(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", body_with(pdfs.signed(pdfs.form())))
    archived("process-1", body_with(pdfs.signed(pdfs.form()), event={"type": "WHP_ARCHIVE"}))
    with_root(configure, tmp_path, "Another root")
    judged()
    before = rows()
    assert "SIGNED_DOCUMENT_NOT_TRUSTED" in str(before["warning"])

    in_new_database(configure)

    after = rows()
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.usefixtures("installation")
def test_archives_are_due_until_they_are_judged_with_the_present_roots(configure: Configure, tmp_path: Path) -> None:
    for number in range(3):
        archived(f"process-{number}", body_with(PDF, f"process-{number}"))
    archived("without", sample_body("without", signed_document=None))
    assert (count_due(), due(10)) == (0, [])

    with_root(configure, tmp_path)
    assert (count_due(), len(due(2))) == (3, 2)
    judge_objects(due(2), lambda _, __: None)
    assert count_due() == 1
    judge_objects(due(2), lambda _, __: None)
    assert count_due() == 0


@pytest.mark.usefixtures("sqlite_installation")
def test_row_that_a_killed_process_has_not_replaced_is_replaced_later(configure: Configure, tmp_path: Path) -> None:
    receipt_id = archived("process-1", body_with(PDF))
    with_root(configure, tmp_path, "Another root")
    judged()
    expected = rows()
    (kept,) = stored_version("process-1", 1).judgements
    with_root(configure, tmp_path)
    judged()
    with_root(configure, tmp_path, "Another root")
    judgements.keep("process-1", receipt_id, kept.verdict, kept.roots, kept.at)  # and then the process is killed
    assert count_due() == 1

    assert (judged().kept, count_due()) == (0, 0)
    assert rows()["warning"] == expected["warning"]


@pytest.mark.usefixtures("sqlite_installation", "store_kind")
@pytest.mark.parametrize("damage", [b"", b"{}", b"0" * 64 + b"\n{}"])
def test_damaged_judgement_is_found_and_hides_no_other(configure: Configure, tmp_path: Path, damage: bytes) -> None:
    receipt_id = archived("process-1", body_with(PDF))
    for name in ("Test root", "Another root"):
        with_root(configure, tmp_path, name)
        judged()
    key = f"{ocfl.object_key('process-1')}/{judgements.path_of(receipt_id, 1)}"
    store().overwrite_bytes(damage, key)

    assert [(each.fault, each.key) for each in verify_objects(stored_objects()).findings] == [("damaged", key)]
    assert [each.number for each in stored_version("process-1", 1).judgements] == [2]

    store().remove(key)
    assert [(each.fault, each.key) for each in verify_objects(stored_objects()).findings] == [("missing", key)]


@pytest.mark.usefixtures("sqlite_installation")
def test_judgement_of_another_version_is_found(configure: Configure, tmp_path: Path) -> None:
    first, second = archived("process-1", body_with(BROKEN)), archived("process-1", body_with(PDF))
    with_root(configure, tmp_path)
    judged()
    key = ocfl.object_key("process-1")
    copied = store().read_bytes(f"{key}/{judgements.path_of(second, 1)}")
    store().overwrite_bytes(copied, f"{key}/{judgements.path_of(first, 1)}")

    assert [each.fault for each in verify_objects(stored_objects()).findings] == ["damaged"]
    assert stored_version("process-1", 1).judgements == ()


@pytest.mark.usefixtures("sqlite_installation")
def test_verdict_of_an_earlier_build_without_its_roots_is_due(configure: Configure) -> None:
    archived("process-1", body_with(PDF))
    rewritten(roots=None)
    in_new_database(configure)
    assert (count_due(), Outcome(shown().signed_document_verdict.outcome)) == (1, Outcome.SOUND)  # type: ignore[union-attr]

    judged()

    assert (count_due(), len(files_of_judgements())) == (0, 1)
