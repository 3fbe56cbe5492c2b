"""Limits which pages and hosts may call the embedded Prefect server, over real HTTP."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.conftest import LONGEST_S, free_port, serving_prefect
from tests.installations import deployed

ELSEWHERE = "https://elsewhere.example"
FOREIGN_ORIGINS = [ELSEWHERE, "http://127.0.0.1:1", "http://localhost", "https://127.0.0.1", "null", ""]
FOREIGN_HOSTS = [
    *("elsewhere.example", "elsewhere.example:4200", "127.0.0.1.elsewhere.example"),
    *("localhost.", "[::1]", ""),
]


def asked(method: str, url: str, **headers: str) -> httpx.Response:
    """Return an answer; a POST sends JSON."""
    content: dict[str, Any] = {"json": {}} if method == "POST" else {}
    return httpx.request(method, url, headers=headers, follow_redirects=True, timeout=LONGEST_S, **content)


def preflight(prefect_server: str, origin: str) -> httpx.Response:
    wanted = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    return asked("OPTIONS", f"{prefect_server}/flows/filter", origin=origin, **wanted)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_page_of_the_ui_is_served_and_may_call_the_server(prefect_server: str, host: str) -> None:
    place = f"{host}:{urlsplit(prefect_server).port}"
    own = f"http://{place}"

    page = asked("GET", prefect_server.removesuffix("/api"), host=place, accept="text/html")
    answer, before = asked("POST", f"{prefect_server}/flows/filter", origin=own), preflight(prefect_server, own)

    assert (page.status_code, "<html" in page.text) == (200, True)
    assert (answer.status_code, before.status_code) == (200, 200)
    assert answer.headers["access-control-allow-origin"] == before.headers["access-control-allow-origin"] == own


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_page_may_not_call_the_server(prefect_server: str, origin: str) -> None:
    assert asked("POST", f"{prefect_server}/flows/filter").status_code == 200  # a program has no origin

    answers = [
        asked("GET", f"{prefect_server}/health", origin=origin),
        asked("POST", f"{prefect_server}/flows/filter", origin=origin),
        preflight(prefect_server, origin),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert [answer for answer in answers if "access-control-allow-origin" in answer.headers] == []


def test_foreign_page_cannot_start_a_run_by_a_post_without_preflight(prefect_server: str) -> None:
    """A request without a content type needs no preflight, and Prefect reads it as JSON."""
    with deployed(prefect_server) as runs:
        deployment = asked("GET", f"{prefect_server}/deployments/name/process-archive/archive").json()
        url, body = f"{prefect_server}/deployments/{deployment['id']}/create_flow_run", json.dumps({}).encode()

        refused = httpx.post(url, content=body, headers={"origin": ELSEWHERE}, timeout=LONGEST_S)

        assert (refused.status_code, runs()) == (403, [])


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_hosts_are_refused(prefect_server: str, host: str) -> None:
    """A foreign name that resolves to this machine (DNS rebinding) gives its pages no access."""
    answers = [
        asked("GET", f"{prefect_server}/health", host=host),
        asked("POST", f"{prefect_server}/flows/filter", host=host, origin=f"http://{host}"),
        asked("GET", prefect_server.removesuffix("/api"), host=host, accept="text/html"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


def test_configured_origins_shut_out_no_program_of_this_machine_and_admit_nobody_else(
    tmp_path: Path, migrated_prefect: Path
) -> None:
    """Neither local host is configured. A trailing comma adds no empty origin and no empty host."""
    shutil.copy(migrated_prefect, tmp_path)
    with serving_prefect(tmp_path, free_port(), "https://cellar.example,") as url:
        hosts = ["127.0.0.1", "localhost", "cellar.example", "", "elsewhere.example"]
        by_host = [asked("GET", f"{url}/health", host=host).status_code for host in hosts]
        origins = ["https://cellar.example", "", ELSEWHERE]
        by_origin = [asked("GET", f"{url}/health", origin=origin).status_code for origin in origins]

    assert (by_host, by_origin) == ([200, 200, 200, 400, 400], [200, 403, 403])


def test_foreign_page_cannot_subscribe_to_events(prefect_server: str) -> None:
    """CORS does not cover WebSockets."""
    url, prefect = prefect_server.replace("http:", "ws:") + "/events/out", Subprotocol("prefect")
    with connect(url, origin=Origin(prefect_server.removesuffix("/api")), subprotocols=[prefect], proxy=None) as own:
        assert own.subprotocol == prefect

    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(url, origin=Origin(ELSEWHERE), subprotocols=[prefect], proxy=None),
    ):
        pass

    assert refusal.value.response.status_code == 403
