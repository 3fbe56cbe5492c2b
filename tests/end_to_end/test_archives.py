"""From the webhook to a finished archive, as its users see it: `cellar up` and real HTTP."""

import hashlib
import json
import subprocess
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.conftest import wait_until
from tests.end_to_end.conftest import CELLAR, PREFECT, Running
from tests.samples import PDF, PNG, sample_body


def _cellar(up: Running, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [CELLAR, *arguments],
        cwd=up.folder,
        env=up.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _is_completed(archive: dict[str, Any]) -> bool:
    return archive.get("state") == "completed" and all(each["ended_at"] for each in archive["runs"])


def test_sample_posted_with_curl_is_completed_and_posting_it_again_makes_nothing(
    up: Running, endpoint: HTTPServer
) -> None:
    endpoint.expect_request("/hook").respond_with_data("")
    body = sample_body("sample")
    (up.folder / "sample.json").write_bytes(body)
    curl = ["curl", "-sS", f"{up.url}/webhooks/cellosign", "-H", f"Authorization: Bearer {up.secret}"]
    curl += ["-H", "Content-Type: application/json", "--data-binary", "@sample.json"]

    answer = json.loads(subprocess.run(curl, cwd=up.folder, capture_output=True, check=True).stdout)

    assert (answer["status"], answer["errordesc"]) == ("0", "")
    assert answer["document"]["reference"] == hashlib.sha256(body).hexdigest()
    first = up.read_until("sample", _is_completed)
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
    assert sum(request.path == "/hook" for request, _ in endpoint.log) == 1


def test_failing_endpoint_leaves_the_archive_complete_until_retry_and_rerun_finish_it(
    up: Running, endpoint: HTTPServer
) -> None:
    works = False
    told: list[str] = []

    def hook(request: Request) -> Response:
        if works:
            told.append(json.loads(request.data)["data"]["reference"])
        return Response(status=200 if works else 503)

    endpoint.clear()
    endpoint.expect_request("/hook").respond_with_handler(hook)
    for reference in ("for-retry", "for-rerun"):
        up.send(sample_body(reference))
    for reference in ("for-retry", "for-rerun"):
        failed = up.read_until(reference, lambda archive: bool(archive.get("runs") and archive["runs"][0]["ended_at"]))
        assert failed["state"] == "completed"
        assert [(each["state"], each["attempts"]) for each in failed["notifications"]] == [("pending", 5)]
        assert [(each["state"], each["failed_task"]) for each in failed["runs"]] == [("Failed", "notify-downstream")]
    works = True

    assert _cellar(up, "rerun", "for-rerun").returncode == 0
    run_id = up.read("for-retry")["runs"][0]["flow_run_id"]
    environment = up.environment | {"PREFECT_API_URL": f"{up.prefect_url}/api"}
    subprocess.run([PREFECT, "flow-run", "retry", run_id], env=environment, capture_output=True, check=True)

    for reference, trigger in (("for-retry", "retry"), ("for-rerun", "rerun")):
        done = up.read_until(
            reference, lambda archive: len(archive["runs"]) == 2 and archive["runs"][1]["state"] == "Completed"
        )
        assert [each["state"] for each in done["notifications"]] == ["delivered"]
        assert done["runs"][1]["trigger"] == trigger
    assert sorted(told) == ["for-rerun", "for-retry"]
    assert len([each for each in logged(up, run_id) if each.startswith("Scanning the body")]) == 1


def logged(up: Running, run_id: str) -> list[str]:
    """The log of a run, once it has got to Prefect's server whole."""
    found = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
    wait_until(lambda: "delivered (200)" in str(up.prefect("/logs/filter", found)), timeout_s=30)
    return [each["message"] for each in up.prefect("/logs/filter", found)]


def test_twenty_realistic_archives_all_end_as_they_should(up: Running, endpoint: HTTPServer) -> None:
    endpoint.clear()
    endpoint.expect_request("/hook").respond_with_data("")

    simulated = _cellar(up, "simulate", "--count", "20", "--wait-s", "280")

    assert simulated.returncode == 0, simulated.stdout + simulated.stderr
