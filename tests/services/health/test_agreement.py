"""The deployments of `prefect.yaml` are expected; servers that share no events, or record none, are found."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from models.views.health import Check, Grade
from services.health.agreement import Expected, agreement_probes, expected_deployments
from services.health.checks import examined
from tests.conftest import Configure

ROOT = Path(__file__).parents[3]
SHARED = ("Prefect servers", "Prefect events")
MEMORY = {
    "events": {
        "messaging_broker": "prefect.server.utilities.messaging.memory",
        "messaging_cache": "prefect.server.utilities.messaging.memory",
        "causal_ordering": "prefect.server.events.ordering.memory",
    },
    "concurrency": {"lease_storage": "prefect.server.concurrency.lease_storage.memory"},
}
REDIS = {
    "events": {
        "messaging_broker": "prefect_redis.messaging",
        "messaging_cache": "prefect_redis.messaging",
        "causal_ordering": "prefect_redis.ordering",
    },
    "concurrency": {"lease_storage": "prefect_redis.lease_storage"},
}
RUN = {"id": "5f1c8f0e-0000-4000-8000-000000000001", "end_time": "2026-01-01T12:00:00Z"}


@pytest.fixture
def prefect(configure: Configure) -> Iterator[HTTPServer]:
    """Serve what Prefect's API answers: a server with shared parts, a run that has ended, and its event."""
    with HTTPServer() as server:
        configure(PREFECT_API_URL=server.url_for("/api"))
        yield server


def _serves(
    prefect: HTTPServer, *servers: dict[str, Any], runs: list[Any], events: list[Any], later: Sequence[Any] = ()
) -> dict[str, Check]:
    """Serve settings, the run that ended last, its own events, and events of runs after its end."""
    turns = cycle(servers)

    def recorded(request: Request) -> Response:
        asked = request.json["filter"]
        is_later = "id_prefix" in asked["resource"] and asked["occurred"]["since"] > RUN["end_time"]
        return _json({"events": list(later) if is_later else events, "total": 0, "next_page": None})

    prefect.expect_request("/api/admin/settings").respond_with_handler(
        lambda _: _json({"server": next(turns)}),
    )
    prefect.expect_request("/api/flow_runs/filter").respond_with_json(runs)
    prefect.expect_request("/api/events/filter").respond_with_handler(recorded)
    return {
        each.name: each
        for each in examined(
            [each for each in agreement_probes("") if each.name in ("Prefect servers", "Prefect events")], 20
        )
    }


def _json(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), content_type="application/json")


WITHOUT_REDIS = REDIS | {"concurrency": MEMORY["concurrency"]}


@pytest.mark.parametrize(
    ("servers", "verdict", "said"),
    [
        ([MEMORY], Grade.OK, "in its memory"),
        ([REDIS], Grade.OK, "by Redis"),
        ([REDIS, MEMORY], Grade.WRONG, "messaging_broker"),
        ([WITHOUT_REDIS], Grade.WRONG, "but lease_storage lies"),
    ],
)
def test_servers_share_all_parts_or_none(
    prefect: HTTPServer, servers: list[dict[str, Any]], verdict: Grade, said: str
) -> None:
    found = _serves(prefect, *servers, runs=[RUN], events=[{}])["Prefect servers"]
    assert (found.verdict, said in found.found) == (verdict, True)


@pytest.mark.parametrize(
    ("events", "later", "verdict", "said"),
    [
        ([{}], [], Grade.OK, "is recorded"),
        ([], [], Grade.WARNING, "2026-01-01 12:00:00 UTC is not recorded"),
        ([], [{}], Grade.OK, "events after it are"),  # Redis was away for a moment: one event is lost for ever
    ],
)
def test_end_of_a_run_that_nobody_records_is_a_warning_until_a_later_event_is(
    prefect: HTTPServer, events: list[Any], later: list[Any], verdict: Grade, said: str
) -> None:
    found = _serves(prefect, REDIS, runs=[RUN], events=events, later=later)["Prefect events"]
    assert (found.verdict, said in found.found) == (verdict, True)


def test_event_of_the_last_minute_is_not_expected_yet(prefect: HTTPServer) -> None:
    _serves(prefect, REDIS, runs=[], events=[])
    asked = next(request for request, _ in prefect.log if request.path == "/api/flow_runs/filter")
    assert _before(asked) <= datetime.now(UTC) - timedelta(minutes=1)


def _before(request: Request) -> datetime:
    return datetime.fromisoformat(request.json["flow_runs"]["end_time"]["before_"])


def test_every_deployment_of_prefect_yaml_is_expected_with_its_schedule() -> None:
    text = (ROOT / "prefect.yaml").read_text()

    expected = expected_deployments(text)

    assert Expected("process-archive/archive", "flows.process_archive.process_archive", False) in expected
    assert Expected("verify-archives/scheduled", "flows.verify_archives.verify_archives", True) in expected
    assert len(expected) == text.count("\n    entrypoint: ")
    assert sum(each.is_scheduled for each in expected) == text.count("\n    schedules:")
