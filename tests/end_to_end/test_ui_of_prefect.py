"""Clicks Retry, Run and Cancel in Prefect's own UI, in a real browser, against `cellar up`."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from adapters.tables.runs import leases
from flows.execution.engine import BY_ITSELF
from tests.conftest import wait_until
from tests.end_to_end.browser import enter_prefect, needs_chromium, page
from tests.end_to_end.conftest import FOR_RETRY_IN_UI, Endpoint, Running, have_ended
from tests.installations import installed
from tests.samples import sample_body

pytestmark = needs_chromium

COMPLETE, LONG = "תיק-9/מכר", "ui-cancel"


@pytest.fixture(scope="module")
def called() -> set[str | None]:
    """All hosts that the pages have called."""
    return set()


@pytest.fixture(scope="module")
def browser(up: Running, called: set[str | None]) -> Iterator[Page]:
    with page() as opened:
        opened.on("request", lambda request: called.add(urlsplit(request.url).hostname))
        opened.on("websocket", lambda websocket: called.add(urlsplit(websocket.url).hostname))
        enter_prefect(opened, up.prefect_url, up.prefect_login)
        yield opened


@pytest.fixture(scope="module", autouse=True)
def complete(up: Running) -> None:
    up.send(sample_body(COMPLETE))
    up.read_until(COMPLETE, have_ended(runs=1))


@pytest.fixture
def busy(up: Running) -> Iterator[None]:
    """Hold the lease of the process, so that its run waits until the test clicks Cancel."""
    with installed(up.folder):
        assert leases.take([LONG], "another", 3600)
    yield
    with installed(up.folder):
        leases.release([LONG], "another")


def test_cancel_stops_a_run_and_the_sweep_does_not_restart_it(up: Running, browser: Page, busy: None) -> None:
    up.send(sample_body(LONG))
    (run,) = up.read_until(LONG, lambda archive: bool(archive.get("runs")))["runs"]

    browser.goto(run["url"])
    browser.get_by_role("button", name="Cancel", exact=True).click()
    browser.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(browser.get_by_text("Cancelled", exact=True).first).to_be_visible()

    cancelled = up.read_until(LONG, have_ended(runs=1))
    assert (cancelled["state"], cancelled["runs"][0]["state"]) == ("failed", "Cancelled")
    _sweep(up)
    after = up.read(LONG)  # the sweep may announce the failure, which the timeline shows
    assert all(after[name] == cancelled[name] for name in ("state", "runs", "deliveries", "cause"))
    assert [each["id"] for each in _runs_in_prefect(up, LONG)] == [run["flow_run_id"]]


def test_run_from_the_form_with_a_typed_reference_changes_nothing(up: Running, browser: Page) -> None:
    before = up.read(COMPLETE)

    browser.goto(f"{up.prefect_url}/deployments/deployment/{_deployment_id(up, 'process-archive/archive')}")
    browser.get_by_role("button", name="Run", exact=True).click()
    browser.get_by_role("link", name="Custom run").click()
    browser.get_by_role("group").get_by_role("textbox").fill(COMPLETE)
    browser.get_by_role("button", name="Submit").click()

    after = up.read_until(COMPLETE, have_ended(runs=2))
    history = dict.fromkeys(("runs", "runs_total", "timeline", "timeline_total"))
    assert after | history == before | history
    first, second = after["runs"]
    assert (first, second["state"], second["trigger"]) == (before["runs"][0], "Completed", "rerun")
    expected = [(each["flow_run_id"], COMPLETE, "Completed") for each in (first, second)]
    wait_until(  # Prefect learns of the end after our own history
        lambda: (
            [(each["id"], each["name"], each["state"]["name"]) for each in _runs_in_prefect(up, COMPLETE)] == expected
        ),
    )
    browser.goto(second["url"])
    expect(browser.get_by_text("Completed", exact=True).first).to_be_visible()


def test_undelivered_run_shows_state_and_tag_and_retry_delivers_without_repeating_finished_tasks(
    up: Running, endpoint: Endpoint, browser: Page
) -> None:
    (run,) = up.read_until(FOR_RETRY_IN_UI, have_ended(runs=1))["runs"]

    browser.goto(run["url"])
    expect(browser.get_by_text("Undelivered", exact=True).first).to_be_visible()
    # Prefect's page measures its line of tags once, and hides a tag that had no room at that moment.
    expect(browser.get_by_text("undelivered", exact=True).first).to_be_attached()
    endpoint.mend(FOR_RETRY_IN_UI)
    _click_retry(browser)
    expect(browser.get_by_text("Completed", exact=True).first).to_be_visible()
    expect(browser.get_by_text("undelivered", exact=True)).to_have_count(0)

    archive = up.read_until(FOR_RETRY_IN_UI, have_ended(runs=2))
    flow_run_id = run["flow_run_id"]
    assert {each["flow_run_id"] for each in archive["runs"]} == {flow_run_id}
    assert archive["runs"][1]["trigger"] == "retry"
    wait_until(lambda: sum(map(len, _task_states(up, flow_run_id).values())) == 9)
    states = _task_states(up, flow_run_id)
    assert len(states.pop("notify-downstream")) == 3  # of two endpoints, and of Retry for one of them
    assert states == {
        "persist-files": ["Completed", "Cached"],
        "load-metadata": ["Completed", "Cached"],
        "reconcile-payments": ["Completed", "Cached"],
    }
    assert endpoint.of_partners.count((FOR_RETRY_IN_UI, FOR_RETRY_IN_UI)) == 1


def test_list_of_runs_shows_archives_and_no_housekeeping_that_found_nothing(up: Running, browser: Page) -> None:
    left: list[str] = []
    wait_until(lambda: _leaves_no_run(up, "find-missing/scheduled", left))

    browser.goto(f"{up.prefect_url}/runs")

    expect(browser.get_by_text(COMPLETE, exact=True).first).to_be_visible()
    expect(browser.get_by_text(left[-1], exact=True)).to_have_count(0)


def _leaves_no_run(up: Running, deployment: str, left: list[str]) -> bool:
    """Return whether a planned run of housekeeping is gone at its end: one that takes two seconds stays."""
    planned = up.prefect(f"/deployments/{_deployment_id(up, deployment)}/create_flow_run", {"tags": [BY_ITSELF]})
    left.append(planned["name"])
    its: list[dict[str, Any]] = []

    def has_ended() -> bool:
        its[:] = up.prefect("/flow_runs/filter", {"flow_runs": {"id": {"any_": [planned["id"]]}}})
        return not its or its[0]["end_time"] is not None

    wait_until(has_ended)
    return not its


def test_ui_calls_only_its_own_server(up: Running, browser: Page, called: set[str | None]) -> None:
    for path in ("/dashboard", "/runs", "/deployments", "/work-pools/work-pool/cellar", "/settings"):
        browser.goto(up.prefect_url + path, wait_until="networkidle")

    assert called - {None} == {"127.0.0.1"}  # None: pictures that the page draws itself


def _click_retry(browser: Page) -> None:
    browser.get_by_role("button", name="Retry", exact=True).click()
    browser.get_by_role("dialog").get_by_role("button", name="Retry", exact=True).click()


def _sweep(up: Running) -> None:
    deployment_id = _deployment_id(up, "sweep-inbox/scheduled")
    sweep = up.prefect(f"/deployments/{deployment_id}/create_flow_run", {})
    wanted = {"flow_runs": {"id": {"any_": [sweep["id"]]}, "state": {"name": {"any_": ["Completed"]}}}}
    wait_until(lambda: len(up.prefect("/flow_runs/filter", wanted)) == 1)


def _deployment_id(up: Running, name: str) -> str:
    deployment_id: str = up.prefect(f"/deployments/name/{name}")["id"]
    return deployment_id


def _runs_in_prefect(up: Running, reference: str) -> list[dict[str, Any]]:
    """Return the runs that Prefect finds by the tag of a process, oldest first."""
    wanted = {"flow_runs": {"tags": {"all_": [f"reference:{reference}"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found: list[dict[str, Any]] = up.prefect("/flow_runs/filter", wanted)
    return found


def _task_states(up: Running, flow_run_id: str) -> dict[str, list[str]]:
    """Return the state names of each task's runs, by task name."""
    wanted = {"flow_runs": {"id": {"any_": [flow_run_id]}}, "sort": "EXPECTED_START_TIME_ASC"}
    states: dict[str, list[str]] = {}
    for each in up.prefect("/task_runs/filter", wanted):
        states.setdefault(each["name"].rpartition("-")[0], []).append(each["state"]["name"])
    return states
