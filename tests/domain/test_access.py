"""The rules of access name each action, and roles that exist."""

import re
from collections.abc import Iterator

import pytest
from prefect.server.api.server import create_api_app

from domain.access import action_in_prefect, is_allowed
from models.access import Action, Role

PEOPLE = [each for each in Role if each is not Role.OWNER]


@pytest.mark.parametrize("action", Action)
def test_each_action_is_for_an_owner_and_for_some_role(action: Action) -> None:
    assert is_allowed(Role.OWNER, action)
    assert any(is_allowed(each, action) for each in PEOPLE)


@pytest.mark.parametrize(
    ("role", "may_not"),
    [
        (Role.VIEWER, {Action.DOWNLOAD_FILE, Action.EXPORT_ARCHIVE, Action.RERUN, Action.READ_ACCESS}),
        (Role.CLERK, {Action.READ_TROUBLES, Action.READ_TEMPLATES, Action.RERUN, Action.READ_PREFECT}),
        (Role.OPERATOR, {Action.READ_ACCESS, Action.CHANGE_PEOPLE, Action.CHANGE_SETTINGS}),
        (Role.DATA, {Action.DOWNLOAD_FILE, Action.EXPORT_ARCHIVE, Action.ACT_IN_PREFECT}),
        (Role.AUDITOR, {Action.RERUN, Action.DECIDE, Action.CHANGE_SETTINGS, Action.SAVE_VIEW, Action.UNMASK}),
        (Role.ADMINISTRATOR, {Action.LIST_ARCHIVES, Action.READ_ARCHIVE, Action.DOWNLOAD_FILE, Action.READ_TROUBLES}),
    ],
)
def test_no_role_does_what_it_is_not_there_for(role: Role, may_not: set[Action]) -> None:
    assert not {each for each in may_not if is_allowed(role, each)}


READING_POSTS = """
artifacts/count artifacts/filter artifacts/latest/count artifacts/latest/filter automations/count automations/filter
block_schemas/filter block_types/filter concurrency_limits/filter deployments/count deployments/filter
deployments/paginate events/count-by/x events/filter flow_runs/count flow_runs/filter flow_runs/history
flow_runs/lateness flow_runs/paginate flow_runs/x/input/filter flows/count flows/filter flows/paginate logs/filter
saved_searches/filter task_runs/count task_runs/filter task_runs/history task_runs/paginate task_workers/filter
ui/flow_runs/count-task-runs ui/flow_runs/history ui/flows/count-deployments ui/flows/next-runs ui/schemas/validate
ui/task_runs/count ui/task_runs/dashboard/counts v2/concurrency_limits/filter variables/count variables/filter
work_pools/count work_pools/filter work_pools/x/concurrency_status work_pools/x/queues/filter
work_pools/x/workers/filter work_queues/filter work_queues/x/concurrency_status
"""
ACTING_POSTS = """
artifacts/ automations/ automations/templates/validate block_documents/ block_documents/count block_documents/filter
block_schemas/ block_types/ block_types/install_system_block_types concurrency_limits/ concurrency_limits/decrement
concurrency_limits/increment concurrency_limits/tag/x/reset deployments/ deployments/bulk_delete
deployments/get_scheduled_flow_runs deployments/x/create_flow_run deployments/x/create_flow_run/bulk
deployments/x/pause_deployment deployments/x/resume_deployment deployments/x/schedule deployments/x/schedules events
flow_runs/ flow_runs/bulk_delete flow_runs/bulk_set_state flow_runs/x/input flow_runs/x/resume flow_runs/x/set_state
flows/ flows/bulk_delete logs/ task_runs/ task_runs/x/set_state templates/validate v2/concurrency_limits/
v2/concurrency_limits/decrement v2/concurrency_limits/decrement-with-lease v2/concurrency_limits/increment
v2/concurrency_limits/increment-with-lease v2/concurrency_limits/leases/x/renew variables/ work_pools/
work_pools/x/get_scheduled_flow_runs work_pools/x/queues work_pools/x/workers/heartbeat work_queues/
work_queues/x/get_runs
"""
HIDDEN_GETS = """
admin/settings admin/storage block_documents/x block_types/slug/x/block_documents
block_types/slug/x/block_documents/name/x
"""
"""What the role data, which only reads, does not see: blocks may hold secrets."""


def routes_of_prefect() -> Iterator[tuple[str, str]]:
    for path, methods in create_api_app().openapi()["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"{\w+}", "x", path).removeprefix("/")


def test_each_route_of_the_installed_prefect_reads_or_acts_as_listed() -> None:
    routes = set(routes_of_prefect())
    reading_posts, acting_posts, hidden_gets = READING_POSTS.split(), ACTING_POSTS.split(), HIDDEN_GETS.split()

    assert {path for method, path in routes if method == "POST"} == {*reading_posts, *acting_posts}
    acting = {(method, path) for method, path in routes if method not in ("GET", "POST")}
    acting |= {("POST", each) for each in acting_posts} | {("GET", each) for each in hidden_gets}
    assert acting < routes
    assert {each for each in routes if action_in_prefect(each[0], f"/api/{each[1]}") is Action.ACT_IN_PREFECT} == acting
