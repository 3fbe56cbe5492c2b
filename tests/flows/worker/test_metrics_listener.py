"""The worker's metrics are served on a loopback port, to readers with a token."""

from collections.abc import Callable

import httpx
import pytest

from adapters.settings.settings import Settings
from flows.worker.metrics_listener import metrics_listening
from models.errors import Conflict
from tests.conftest import free_port
from tests.scrapes import scraped


@pytest.fixture
def port(configure: Callable[..., Settings]) -> int:
    configure(api_tokens="a token, the next token")
    return free_port()


def test_readers_with_a_token_get_the_metrics_of_the_worker(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with metrics_listening(port):
        found = [scraped(url, token) for token in ("a token", "the next token")]
        statuses = [
            httpx.get(f"{url}{path}", headers={"authorization": presented}, trust_env=False).status_code
            for path, presented in [
                ("/metrics", ""),
                ("/metrics", "Bearer another"),
                ("/metrics", "a token"),
                ("/", "Bearer a token"),
            ]
        ]

    assert statuses == [401, 401, 401, 404]
    for each in found:
        assert each.value("cellar_runs_ended_total", {"state": "Failed", "cause": ""}) is not None
        assert "cellar_deliveries_in_flight" not in each.names
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/metrics", trust_env=False)


def test_port_of_another_program_is_reported(port: int) -> None:
    with metrics_listening(port), pytest.raises(Conflict, match="CELLAR_WORKER_METRICS_PORT"), metrics_listening(port):
        pass


def test_without_a_port_nothing_listens() -> None:
    with metrics_listening(None):
        pass
