"""Notifies a downstream system after its outage, or by a rerun or a retry. Its archives are complete before."""

import subprocess

import pytest

from tests.conftest import wait_until
from tests.end_to_end.conftest import FOR_RERUN, FOR_RETRY, FOR_WAITING, PREFECT, Endpoint, Running, cellar, have_ended


@pytest.fixture(scope="module")
def unnotified(up: Running, endpoint: Endpoint) -> list[str]:
    """Archives whose runs failed because of the endpoint, which takes messages again now."""
    references = [FOR_RERUN, FOR_RETRY]
    for reference in references:
        up.read_until(reference, have_ended(runs=1))
    endpoint.gone_for -= {*references}
    return references


def test_run_waits_for_an_endpoint_that_is_down_and_notifies_it_by_itself(up: Running, endpoint: Endpoint) -> None:
    waits = up.read_until(FOR_WAITING, lambda archive: any(each["ended_at"] for each in archive.get("runs", [])))
    first = waits["runs"][0]
    assert waits["state"] == "completed"
    assert (first["state"], first["failed_task"], first["cause"]["code"]) == (
        "AwaitingRetry",
        "notify-downstream",
        "ENDPOINT_AWAY",
    )

    endpoint.down_for.remove(FOR_WAITING)

    def is_notified(archive: dict[str, object]) -> bool:
        return bool(archive["runs"][-1]["state"] == "Completed")  # type: ignore[index]

    archive = up.read_until(FOR_WAITING, is_notified)
    assert [each["state"] for each in archive["notifications"]] == ["delivered"]
    assert {each["flow_run_id"] for each in archive["runs"]} == {first["flow_run_id"]}
    assert endpoint.confirmed.count(FOR_WAITING) == 1


def test_gone_endpoint_fails_the_run_and_leaves_the_archive_complete(up: Running, unnotified: list[str]) -> None:
    for reference in unnotified:
        archive = up.read(reference)
        assert archive["state"] == "completed"
        assert [(each["state"], each["attempts"]) for each in archive["notifications"]] == [("dead", 1)]
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
