"""Notifies a downstream system after its outage: by itself, or by a retry. Its archives are complete before."""

import subprocess
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.end_to_end.conftest import AWAY, FOR_RETRY, PREFECT, Endpoint, Running, cellar, have_ended


@pytest.mark.faults  # its pauses grow with the outage
def test_unconfirmed_message_is_delivered_by_itself_and_its_run_is_completed_then(
    up: Running, endpoint: Endpoint
) -> None:
    archive = up.read_until(AWAY, have_ended(runs=1))
    assert archive["state"] == "completed"
    assert states_of_messages(archive) == ["delivered", "pending"]
    run_id = archive["runs"][0]["flow_run_id"]
    assert state_of(up, run_id) == ("COMPLETED", "Undelivered", True)
    assert "pending" in cellar(up, "show", AWAY).stdout

    endpoint.mend(AWAY)

    wait_until(lambda: state_of(up, run_id) == ("COMPLETED", "Completed", False))
    assert states_of_messages(up.read(AWAY)) == ["delivered", "delivered"]
    assert endpoint.of_partners.count((AWAY, AWAY)) == 1


def test_retry_delivers_now_and_repeats_no_finished_task(up: Running, endpoint: Endpoint) -> None:
    run_id = up.read_until(FOR_RETRY, have_ended(runs=1))["runs"][0]["flow_run_id"]
    endpoint.mend(FOR_RETRY)

    prefect = {"PREFECT_API_URL": f"{up.prefect_url}/api", "PREFECT_HOME": str(up.folder / "data" / "prefect")}
    prefect["PREFECT_API_AUTH_STRING"] = up.prefect_login
    environment = up.environment | prefect
    subprocess.run([PREFECT, "flow-run", "retry", run_id], env=environment, capture_output=True, check=True)

    archive = up.read_until(FOR_RETRY, have_ended(runs=2))
    assert states_of_messages(archive) == ["delivered", "delivered"]
    assert [(each["state"], each["trigger"]) for each in archive["runs"]] == [
        ("Completed", "webhook"),
        ("Completed", "retry"),
    ]
    assert endpoint.of_partners.count((FOR_RETRY, FOR_RETRY)) == 1
    wait_until(lambda: state_of(up, run_id) == ("COMPLETED", "Completed", False))
    assert len([each for each in _log(up, run_id) if each.startswith("Scanning the body")]) == 1


def states_of_messages(archive: dict[str, Any]) -> list[str]:
    return sorted(each["state"] for each in archive["notifications"] if each["state"] != "skipped")


def state_of(up: Running, flow_run_id: str) -> tuple[str, str, bool]:
    """Return type and name of the state of a run in Prefect, and whether it has the tag of undelivered runs."""
    (run,) = up.prefect("/flow_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}})
    return run["state"]["type"], run["state"]["name"], "undelivered" in run["tags"]


def _log(up: Running, run_id: str) -> list[str]:
    """Return the log of a run, once Prefect's server has all of it."""
    found = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
    wait_until(lambda: "delivered (200)" in str(up.prefect("/logs/filter", found)))
    return [each["message"] for each in up.prefect("/logs/filter", found)]
