"""`cellar doctor` finds Prefect servers that do not share events, and events that nobody records."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.settings.settings import Settings
from models.views.health import Check, Verdict
from services.health.bounded import examined
from services.health.prefect_servers import prefect_server_probes

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
def prefect(configure: Callable[..., Settings]) -> Iterator[HTTPServer]:
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
    return {each.name: each for each in examined(prefect_server_probes(), 20)}


def _json(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), content_type="application/json")


@pytest.mark.parametrize("server", [MEMORY, REDIS], ids=["embedded", "distributed"])
def test_servers_of_one_kind_are_well(prefect: HTTPServer, server: dict[str, Any]) -> None:
    found = _serves(prefect, server, runs=[RUN], events=[{}])
    assert [each.verdict for each in found.values()] == [Verdict.OK, Verdict.OK]


def test_server_without_redis_beside_one_with_redis_is_wrong(prefect: HTTPServer) -> None:
    found = _serves(prefect, REDIS, MEMORY, runs=[], events=[])
    assert found["Prefect servers"].verdict is Verdict.WRONG
    assert "messaging_broker" in found["Prefect servers"].found


def test_lease_storage_that_was_forgotten_is_wrong(prefect: HTTPServer) -> None:
    found = _serves(prefect, REDIS | {"concurrency": MEMORY["concurrency"]}, runs=[], events=[])
    assert found["Prefect servers"].verdict is Verdict.WRONG
    assert "but lease_storage lies" in found["Prefect servers"].found


def test_end_of_a_run_that_nobody_records_is_a_warning(prefect: HTTPServer) -> None:
    found = _serves(prefect, REDIS, runs=[RUN], events=[])
    assert found["Prefect events"].verdict is Verdict.WARNING
    assert "2026-01-01 12:00:00 UTC" in found["Prefect events"].found


def test_warning_ends_once_a_later_event_is_recorded(prefect: HTTPServer) -> None:
    """Redis was away for a moment: one event is lost for ever, and later events are recorded."""
    found = _serves(prefect, REDIS, runs=[RUN], events=[], later=[{}])
    assert found["Prefect events"].verdict is Verdict.OK
    assert "events after it are" in found["Prefect events"].found


def test_event_of_the_last_minute_is_not_expected_yet(prefect: HTTPServer) -> None:
    _serves(prefect, REDIS, runs=[], events=[])
    asked = next(request for request, _ in prefect.log if request.path == "/api/flow_runs/filter")
    assert _before(asked) <= datetime.now(UTC) - timedelta(minutes=1)


def _before(request: Request) -> datetime:
    return datetime.fromisoformat(request.json["flow_runs"]["end_time"]["before_"])
