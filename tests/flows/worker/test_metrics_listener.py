"""The worker's metrics are served on a port, to readers with a token; its health to everybody."""

import time
from datetime import UTC, datetime

import httpx
import pytest

from adapters.observation.metrics import WORKER_BEAT
from flows.worker.metrics_listener import metrics_listening
from models.access import Role
from models.errors import Conflict
from services.access.tokens import add
from tests.conftest import LONGEST_S, Configure, free_port
from tests.scrapes import scraped

TOKENS = ("the readers' token of 32 characters", "the next token of 32 characters too")


@pytest.fixture
def port(configure: Configure) -> int:
    configure(api_tokens=", ".join(TOKENS))
    return free_port()


def test_readers_with_a_token_get_the_metrics_of_the_worker(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    scraper, clerk = (
        add(role, role, scope, None, "a test", datetime.now(UTC)).token
        for role, scope in ((Role.DATA, None), (Role.CLERK, "source=default"))
    )
    with metrics_listening(port):
        found = [scraped(url, token) for token in (*TOKENS, scraper)]
        statuses = [
            httpx.get(
                f"{url}{path}", headers={"authorization": presented}, trust_env=False, timeout=LONGEST_S
            ).status_code
            for path, presented in [
                ("/metrics", ""),
                ("/metrics", "Bearer another"),
                ("/metrics", f"Bearer {clerk}"),
                ("/metrics", TOKENS[0]),
                ("/", f"Bearer {TOKENS[0]}"),
            ]
        ]

    assert statuses == [401, 401, 401, 401, 404]
    for each in found:
        assert each.value("cellar_runs_ended_total", {"state": "Failed", "cause": ""}) is not None
        assert "cellar_deliveries_in_flight" not in each.names
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/metrics", trust_env=False, timeout=LONGEST_S)


def test_wrong_tokens_of_an_address_are_compared_up_to_a_limit(port: int) -> None:
    with metrics_listening(port):
        wrong = [
            httpx.get(
                f"http://127.0.0.1:{port}/metrics", headers={"authorization": f"Bearer wrong {each}"}, trust_env=False
            ).status_code
            for each in range(60)
        ]

    assert wrong == [401] * 50 + [429] * 10


def test_worker_is_healthy_while_its_event_loop_beats(port: int) -> None:
    def answer() -> tuple[int, str]:
        answered = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=LONGEST_S)
        return answered.status_code, answered.text

    with metrics_listening(port):
        WORKER_BEAT.set(0)
        assert answer() == (503, "the worker takes no runs yet\n")
        WORKER_BEAT.set(time.time())
        assert answer() == (200, "ok\n")
        WORKER_BEAT.set(time.time() - 60)
        assert answer() == (503, "the worker stands still since 60 s; start it again\n")


def test_metrics_are_served_where_the_receiver_listens(port: int, configure: Configure) -> None:
    configure(host="::1")
    with metrics_listening(port):
        assert httpx.get(f"http://[::1]:{port}/healthz", trust_env=False, timeout=LONGEST_S).status_code in {200, 503}
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=LONGEST_S)


def test_port_of_another_program_is_reported(port: int) -> None:
    with metrics_listening(port), pytest.raises(Conflict, match="CELLAR_WORKER_METRICS_PORT"), metrics_listening(port):
        pass


def test_without_a_port_nothing_listens() -> None:
    with metrics_listening(None):
        pass
