"""From the webhook to a finished archive, as its users see it: `cellar up`, real HTTP, a real browser."""

import hashlib
import json
import subprocess
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_until
from tests.end_to_end.browser import needs_chromium, page
from tests.end_to_end.conftest import PREFECT, Endpoint, Running, cellar
from tests.samples import PDF, PNG, sample_body


def test_sample_posted_with_curl_is_completed_and_posting_it_again_makes_nothing(
    up: Running, endpoint: Endpoint
) -> None:
    body = sample_body("sample")
    (up.folder / "sample.json").write_bytes(body)
    curl = ["curl", "-sS", f"{up.url}/webhooks/cellosign", "-H", f"Authorization: Bearer {up.secret}"]
    curl += ["-H", "Content-Type: application/json", "--data-binary", "@sample.json"]

    answer = json.loads(subprocess.run(curl, cwd=up.folder, capture_output=True, check=True).stdout)

    assert (answer["status"], answer["errordesc"]) == ("0", "")
    assert answer["document"]["reference"] == hashlib.sha256(body).hexdigest()
    first = up.read_until("sample", _has_ended(runs=1))
    assert first["state"] == "completed"
    assert [(each["role"], each["sha256"]) for each in first["files"]] == [
        ("signed_document", hashlib.sha256(PDF).hexdigest()),
        ("attachment", hashlib.sha256(PNG).hexdigest()),
    ]
    assert [each["standing"] for each in first["payments"]] == ["verified"]
    (run,) = first["runs"]
    assert (run["state"], run["trigger"]) == ("Completed", "webhook")
    in_prefect = up.prefect("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run["flow_run_id"]]}}})
    assert [(each["name"], each["state"]["name"]) for each in in_prefect] == [("sample", "Completed")]

    up.send(body)

    second = up.read_until("sample", lambda archive: len(archive["deliveries"]) == 2)
    assert [each["outcome"] for each in second["deliveries"]] == ["new", "duplicate"]
    assert {**second, "deliveries": None} == {**first, "deliveries": None}
    wait_until(lambda: not any((up.folder / "data" / "inbox" / "waiting").iterdir()), timeout_s=30)
    assert endpoint.confirmed.count("sample") == 1


@needs_chromium
def test_public_link_opens_in_a_browser_and_tells_nothing_personal(up: Running) -> None:
    reference = "תיק-7/שכירות"
    link = up.send(sample_body(reference))["document"]["public_link"]
    archive = up.read_until(reference, _has_ended(runs=1))

    with page() as browser:
        browser.goto(link)
        expect(browser.get_by_role("heading", name="The archive is completed.")).to_be_visible()
        text = browser.inner_text("body")

    assert all(each["sha256"] in text for each in archive["files"])
    assert [each for each in (reference, "client", "john", "SOMEFILENAME1") if each in text] == []


@pytest.fixture(scope="module")
def untold(up: Running, endpoint: Endpoint) -> list[str]:
    """Archives whose runs failed because the endpoint did, which works again by now."""
    references = ["for-rerun", "for-retry"]
    endpoint.works = False
    for reference in references:
        up.send(sample_body(reference))
    for reference in references:
        up.read_until(reference, _has_ended(runs=1))
    endpoint.works = True
    return references


def test_failing_endpoint_fails_the_run_and_leaves_the_archive_complete(up: Running, untold: list[str]) -> None:
    for reference in untold:
        archive = up.read(reference)
        assert archive["state"] == "completed"
        assert [(each["state"], each["attempts"]) for each in archive["notifications"]] == [("pending", 5)]
        assert [(each["state"], each["failed_task"]) for each in archive["runs"]] == [("Failed", "notify-downstream")]


def test_rerun_tells_the_endpoint_that_works_again(up: Running, endpoint: Endpoint, untold: list[str]) -> None:
    assert cellar(up, "rerun", "for-rerun").returncode == 0

    _assert_finished(up, endpoint, "for-rerun", trigger="rerun")


def test_retry_goes_on_at_the_task_that_failed(up: Running, endpoint: Endpoint, untold: list[str]) -> None:
    run_id = up.read("for-retry")["runs"][0]["flow_run_id"]

    prefect = {"PREFECT_API_URL": f"{up.prefect_url}/api", "PREFECT_HOME": str(up.folder / "data" / "prefect")}
    environment = up.environment | prefect
    subprocess.run([PREFECT, "flow-run", "retry", run_id], env=environment, capture_output=True, check=True)

    _assert_finished(up, endpoint, "for-retry", trigger="retry")
    assert len([each for each in _log(up, run_id) if each.startswith("Scanning the body")]) == 1


def _has_ended(*, runs: int) -> Any:
    return lambda archive: len(archive.get("runs", [])) == runs and all(each["ended_at"] for each in archive["runs"])


def _assert_finished(up: Running, endpoint: Endpoint, reference: str, *, trigger: str) -> None:
    archive = up.read_until(reference, _has_ended(runs=2))
    assert [each["state"] for each in archive["notifications"]] == ["delivered"]
    assert [(each["state"], each["trigger"]) for each in archive["runs"]][1] == ("Completed", trigger)
    assert endpoint.confirmed.count(reference) == 1


def _log(up: Running, run_id: str) -> list[str]:
    """The log of a run, once it has got to Prefect's server whole."""
    found = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
    wait_until(lambda: "delivered (200)" in str(up.prefect("/logs/filter", found)), timeout_s=30)
    return [each["message"] for each in up.prefect("/logs/filter", found)]
