"""Notifies a downstream system by a rerun or a retry after its outage. Its archives are complete before."""

import subprocess

import pytest

from tests.conftest import wait_until
from tests.end_to_end.conftest import FOR_RERUN, FOR_RETRY, PREFECT, Endpoint, Running, cellar, have_ended


@pytest.fixture(scope="module")
def unnotified(up: Running, endpoint: Endpoint) -> list[str]:
    """Archives whose runs failed because of the endpoint, which works again now."""
    references = [FOR_RERUN, FOR_RETRY]
    for reference in references:
        up.read_until(reference, have_ended(runs=1))
    endpoint.down_for -= {*references}
    return references


def test_failing_endpoint_fails_the_run_and_leaves_the_archive_complete(up: Running, unnotified: list[str]) -> None:
    for reference in unnotified:
        archive = up.read(reference)
        assert archive["state"] == "completed"
        assert [(each["state"], each["attempts"]) for each in archive["notifications"]] == [("pending", 5)]
        assert [(each["state"], each["failed_task"]) for each in archive["runs"]] == [("Failed", "notify-downstream")]


def test_rerun_notifies_the_endpoint_that_works_again(up: Running, endpoint: Endpoint, unnotified: list[str]) -> None:
    assert cellar(up, "rerun", FOR_RERUN).returncode == 0

    _assert_finished(up, endpoint, FOR_RERUN, trigger="rerun")


def test_retry_continues_at_the_failed_task(up: Running, endpoint: Endpoint, unnotified: list[str]) -> None:
    run_id = up.read(FOR_RETRY)["runs"][0]["flow_run_id"]

    prefect = {"PREFECT_API_URL": f"{up.prefect_url}/api", "PREFECT_HOME": str(up.folder / "data" / "prefect")}
    environment = up.environment | prefect
    subprocess.run([PREFECT, "flow-run", "retry", run_id], env=environment, capture_output=True, check=True)

    _assert_finished(up, endpoint, FOR_RETRY, trigger="retry")
    assert len([each for each in _log(up, run_id) if each.startswith("Scanning the body")]) == 1


def _assert_finished(up: Running, endpoint: Endpoint, reference: str, *, trigger: str) -> None:
    archive = up.read_until(reference, have_ended(runs=2))
    assert [each["state"] for each in archive["notifications"]] == ["delivered"]
    assert [(each["state"], each["trigger"]) for each in archive["runs"]][1] == ("Completed", trigger)
    assert endpoint.confirmed.count(reference) == 1


def _log(up: Running, run_id: str) -> list[str]:
    """Return the log of a run, once Prefect's server has all of it."""
    found = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
    wait_until(lambda: "delivered (200)" in str(up.prefect("/logs/filter", found)), timeout_s=30)
    return [each["message"] for each in up.prefect("/logs/filter", found)]
