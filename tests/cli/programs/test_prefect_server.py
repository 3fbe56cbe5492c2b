"""Limits which pages and hosts may call the embedded Prefect server, over real HTTP."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.conftest import LONGEST_S, free_port, serving_prefect
from tests.installations import deployed

PREFECT = Subprotocol("prefect")


def origin_of(prefect_server: str, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{urlsplit(prefect_server).port}"


FOREIGN_ORIGINS = [
    "https://elsewhere.example",
    "http://127.0.0.1:1",
    "http://localhost",
    "https://127.0.0.1",
    "null",
    "",
]
FOREIGN_HOSTS = [
    "elsewhere.example",
    "elsewhere.example:4200",
    "127.0.0.1.elsewhere.example",
    "localhost.",
    "[::1]",
    "",
]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_page_of_the_ui_may_call_the_server(prefect_server: str, host: str) -> None:
    own = origin_of(prefect_server, host)
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}

    answer = httpx.post(f"{prefect_server}/flows/filter", json={}, headers={"origin": own}, timeout=LONGEST_S)
    before = httpx.options(f"{prefect_server}/flows/filter", headers={"origin": own, **asked})

    assert (answer.status_code, before.status_code) == (200, 200)
    assert answer.headers["access-control-allow-origin"] == before.headers["access-control-allow-origin"] == own


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_page_of_the_ui_is_served_for_both_local_hosts(prefect_server: str, host: str) -> None:
    headers = {"host": f"{host}:{urlsplit(prefect_server).port}", "accept": "text/html"}
    page = httpx.get(prefect_server.removesuffix("/api"), headers=headers, follow_redirects=True, timeout=LONGEST_S)

    assert (page.status_code, "<html" in page.text) == (200, True)


def test_program_without_an_origin_may_call_the_server(prefect_server: str) -> None:
    assert httpx.post(f"{prefect_server}/flows/filter", json={}, timeout=LONGEST_S).status_code == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_page_may_not_call_the_server(prefect_server: str, origin: str) -> None:
    asked = {"access-control-request-method": "POST"}
    answers = [
        httpx.get(f"{prefect_server}/health", headers={"origin": origin}, timeout=LONGEST_S),
        httpx.post(f"{prefect_server}/flows/filter", json={}, headers={"origin": origin}, timeout=LONGEST_S),
        httpx.options(f"{prefect_server}/flows/filter", headers={"origin": origin, **asked}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert [answer for answer in answers if "access-control-allow-origin" in answer.headers] == []


def test_foreign_page_cannot_start_a_run_by_a_post_without_preflight(prefect_server: str) -> None:
    """A request without a content type needs no preflight, and Prefect reads it as JSON."""
    with deployed(prefect_server) as runs:
        deployment = httpx.get(f"{prefect_server}/deployments/name/process-archive/archive", timeout=LONGEST_S).json()
        url, body = f"{prefect_server}/deployments/{deployment['id']}/create_flow_run", json.dumps({}).encode()

        refused = httpx.post(url, content=body, headers={"origin": "https://elsewhere.example"}, timeout=LONGEST_S)

        assert (refused.status_code, runs()) == (403, [])


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_hosts_are_refused(prefect_server: str, host: str) -> None:
    """A foreign name that resolves to this machine (DNS rebinding) gives its pages no access."""
    answers = [
        httpx.get(f"{prefect_server}/health", headers={"host": host}, timeout=LONGEST_S),
        httpx.post(
            f"{prefect_server}/flows/filter",
            json={},
            headers={"host": host, "origin": f"http://{host}"},
            timeout=LONGEST_S,
        ),
        httpx.get(
            prefect_server.removesuffix("/api"), headers={"host": host, "accept": "text/html"}, timeout=LONGEST_S
        ),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


def test_configured_origins_shut_out_no_program_of_this_machine_and_admit_nobody_else(
    tmp_path: Path, migrated_prefect: Path
) -> None:
    """Neither local host is configured. A trailing comma adds no empty origin and no empty host."""
    shutil.copy(migrated_prefect, tmp_path)
    with serving_prefect(tmp_path, free_port(), "https://cellar.example,") as url:
        hosts = ["127.0.0.1", "localhost", "cellar.example", "", "elsewhere.example"]
        by_host = [httpx.get(f"{url}/health", headers={"host": host}, timeout=LONGEST_S).status_code for host in hosts]
        origins = ["https://cellar.example", "", "https://elsewhere.example"]
        by_origin = [
            httpx.get(f"{url}/health", headers={"origin": origin}, timeout=LONGEST_S).status_code for origin in origins
        ]

    assert (by_host, by_origin) == ([200, 200, 200, 400, 400], [200, 403, 403])


def test_foreign_page_cannot_subscribe_to_events(prefect_server: str) -> None:
    """CORS does not cover WebSockets."""
    url = prefect_server.replace("http:", "ws:") + "/events/out"
    with connect(url, origin=Origin(origin_of(prefect_server)), subprotocols=[PREFECT], proxy=None) as own:
        assert own.subprotocol == PREFECT

    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(url, origin=Origin("https://elsewhere.example"), subprotocols=[PREFECT], proxy=None),
    ):
        pass

    assert refusal.value.response.status_code == 403
