"""An operator's ten tasks after a bad night: each is one command, and its output answers the question.

In place of three archives, the store had files that cellar did not write. A sender also sent a body that is no archive.
"""

import shutil

import pytest

from adapters.store import ocfl
from tests.conftest import wait_until
from tests.end_to_end.conftest import Running, cellar, have_ended
from tests.samples import sample_body, sample_document

FAILED = [f"failed-{number}" for number in range(3)]
REFUSED = "refused-1"


def _session(process_number: int) -> dict[str, object]:
    session: dict[str, object] = sample_document()["sessions"][0]
    return session | {"process_number": process_number}


@pytest.fixture(scope="module")
def after_a_bad_night(up: Running) -> Running:
    """Three archives have failed for one cause that is gone now, and a delivery was refused."""
    strangers = [up.folder / "data" / "store" / ocfl.object_key(reference) / "inventory.json" for reference in FAILED]
    for stranger in strangers:
        stranger.parent.mkdir(parents=True)
        stranger.write_text("{")
    for number, reference in enumerate(FAILED):
        assert up.send(sample_body(reference, sessions=[_session(700 + number)]))["status"] == "0"
    assert up.send(sample_body(REFUSED, signed_document={"content": "!"}))["status"] == "-1"
    for reference, stranger in zip(FAILED, strangers, strict=True):
        up.read_until(reference, have_ended(runs=1))
        shutil.rmtree(stranger.parent)
    return up


def _said(installation: Running, *command: str, status: int = 0) -> str:
    done = cellar(installation, *command)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_show_says_that_a_delivery_of_the_process_was_refused(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "show", REFUSED, status=1)

    assert "a delivery of this process was refused: NOT_BASE64 at signed_document.content" in said


def test_quarantine_list_names_process_and_reason(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "quarantine", "list")

    assert REFUSED in said
    assert "NOT_BASE64" in said


def test_release_says_what_became_of_each_body(after_a_bad_night: Running) -> None:
    assert "still refused: NOT_BASE64" in _said(after_a_bad_night, "quarantine", "release", "--all", status=1)


def test_failures_groups_them_by_cause_and_says_what_to_do(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "failures")

    assert "NOT_REPAIRABLE" in said
    assert "3 archives" in said
    assert "cellar restore" in said.lower()


def test_list_finds_a_failed_archive_by_its_process_number(after_a_bad_night: Running) -> None:
    assert FAILED[1] in _said(after_a_bad_night, "list", "--process-number", "701", "--state", "failed")


def test_list_finds_everything_that_needs_a_person(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "list", "--attention")

    assert all(reference in said for reference in FAILED)


def test_show_begins_with_the_cause(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "show", FAILED[0])

    assert said.index("NOT_REPAIRABLE") < said.index("deliveries")
    assert "cellar restore REFERENCE" in said


def test_status_says_that_something_failed(after_a_bad_night: Running) -> None:
    assert "NOT_REPAIRABLE" in _said(after_a_bad_night, "status", status=1)


def test_dry_run_shows_what_a_bulk_re_run_would_do(after_a_bad_night: Running) -> None:
    said = _said(after_a_bad_night, "rerun", "--failed", "--cause", "NOT_REPAIRABLE", "--dry-run")

    assert any(line.startswith("3 ") for line in said.splitlines())
    assert {after_a_bad_night.read(each)["state"] for each in FAILED} == {"failed"}


def test_rerun_repairs_all_archives_of_a_cause_and_the_record_says_so(after_a_bad_night: Running) -> None:
    _said(after_a_bad_night, "rerun", "--failed", "--cause", "NOT_REPAIRABLE", "--yes")

    wait_until(
        lambda: all(after_a_bad_night.read(each)["state"] == "completed" for each in FAILED),
    )
    record = _said(after_a_bad_night, "bulk", "list")
    assert "done" in record
    assert "NOT_REPAIRABLE" not in _said(after_a_bad_night, "failures")
