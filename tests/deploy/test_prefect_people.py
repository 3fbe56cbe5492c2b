"""nginx with the very file of `deploy/nginx` lets people to a real Prefect server as the rules of access say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response
from sqlmodel import select

from adapters.database.transactions import reading
from api.console.frame import cookies
from models.access import AccessRow, Caller, Role, SignedInBy
from services.access import logins
from tests.conftest import free_port, make_tables, serving_prefect
from tests.deploy.proxy import Prefect, Proxy, proxied

FILTER, FLOWS = "/api/flow_runs/filter", "/api/flows/"


@dataclass(frozen=True)
class Site:
    proxy: Proxy
    url: str
    cookies: dict[Role, str]

    @contextmanager
    def person(self, role: Role | None) -> Iterator[httpx.Client]:
        with self.proxy.client(url=self.url) as client:
            if role:
                client.headers["cookie"] = self.cookies[role]
            yield client


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, secrets: Path, migrated_prefect: Path) -> Iterator[Site]:
    folder, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home-of-prefect")
    (home / "prefect.db").write_bytes(migrated_prefect.read_bytes())
    with pytest.MonkeyPatch.context() as environment:
        login = (secrets / "PREFECT_API_AUTH_STRING").read_text().strip()
        environment.setenv("PREFECT_SERVER_API_AUTH_STRING", login)
        prefect = Prefect(free_port(), secrets, free_port())
        environment.setenv("PREFECT_SERVER_UI_API_URL", f"{prefect.url}/api")
        with serving_prefect(home, prefect.port, prefect.url), proxied(folder, 1, prefect=prefect) as proxy:
            make_tables()
            yield Site(proxy, prefect.url, {role: cookie_of(role) for role in Role})


def cookie_of(role: Role, name: str = "", minutes: int = 0) -> str:
    """Return the cookie of a browser in which a person of a role signed in some minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    session_id = logins.begin(Caller(name or role, role), SignedInBy.PASSWORD, at)
    response = Response()
    cookies.VISITOR.keep(Request({"type": "http", "scheme": "https", "headers": []}), response, session_id)
    return response.headers["set-cookie"].partition(";")[0]


def test_data_reads_an_operator_acts_and_nobody_else_enters(site: Site) -> None:
    found = {}
    for role in (None, *Role):
        with site.person(role) as client:
            read = client.post(FILTER, json={"limit": 1}).status_code
            acted = client.post(FLOWS, json={"name": f"of-{role}"}).status_code
            found[role] = (read, acted, client.get("/").status_code)

    refused = (403, 403, 403)
    assert found == dict.fromkeys(Role, refused) | {
        None: (401, 401, 303),
        Role.DATA: (200, 403, 200),
        Role.OPERATOR: (200, 201, 200),
        Role.OWNER: (200, 201, 200),
    }


def test_acts_are_recorded_each_time_and_reading_once(site: Site) -> None:
    with site.person(Role.OPERATOR) as client:
        for _ in range(2):
            client.post(FILTER, json={"limit": 1})
            client.post("/api/flow_runs/bulk_delete", json={"flow_runs": {"id": {"any_": []}}})
    with site.person(Role.DATA) as client:
        client.post("/api/flow_runs/bulk_delete", json={})

    with reading() as session:
        rows = [(each.role, each.action, each.outcome, each.detail) for each in session.exec(select(AccessRow))]
    acts = [each for each in rows if each[3].get("route") == "POST /api/flow_runs/bulk_delete"]
    assert [each[:3] for each in acts] == [
        *[("operator", "act_in_prefect", "allowed")] * 2,
        ("data", "act_in_prefect", "denied"),
    ]
    assert len([each for each in rows if each[:2] == ("operator", "read_prefect")]) == 1


def test_page_of_prefect_that_is_left_open_keeps_no_login_alive(site: Site) -> None:
    with site.proxy.client(url=site.url) as client:
        client.headers["cookie"] = cookie_of(Role.DATA, "dana", minutes=20)
        assert client.post(FILTER, json={"limit": 1}).is_success

    (login,) = [each for each in logins.listed(datetime.now(UTC)) if each.person == "dana"]
    assert login.seen_at == login.began_at


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_page_of_another_site_lets_no_browser_act(site: Site, headers: dict[str, str]) -> None:
    with site.person(Role.OPERATOR) as client:
        assert client.post(FLOWS, json={"name": "forged"}, headers=headers).status_code == 403
        own = {"sec-fetch-site": "same-origin", "origin": site.url}
        assert client.post(FLOWS, json={"name": "own"}, headers=own).is_success


@pytest.mark.parametrize(
    "path",
    [
        "/api/flow_runs/..%2fflows%2f",
        "/api/%66lows/",
        "/api/flow_runs/x/../../flows/",
        "//api/flows/",
        "/api/block_documents/filter",
        "/api/%62lock_documents/filter",
        "/api/ui/../flows/",
    ],
)
def test_path_that_hides_an_act_is_one(site: Site, path: str) -> None:
    with site.person(Role.DATA) as client:
        request = client.build_request("POST", "/", json={"name": "hidden"})
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1?", "127.0.0.1#"])
def test_host_that_hides_the_path_hides_nothing(site: Site, host: str) -> None:
    with site.person(Role.DATA) as client:
        assert client.get("/api/block_types/slug/secret/block_documents", headers={"host": host}).status_code == 403


def test_no_websocket_passes(site: Site) -> None:
    asked = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    asked |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "prefect"}
    with site.person(Role.OPERATOR) as client:
        for path in ("/api/events/out", "/api/events/in", "/api/logs/out"):
            assert client.get(path, headers=asked).status_code != 101


def test_ui_opens_without_a_second_login_and_tells_nobody_the_login_of_prefect(site: Site, secrets: Path) -> None:
    with site.person(Role.DATA) as client:
        told = client.get("/ui-settings")
        access = client.get("/cellar-prefect-access")
        settings = client.get("/api/admin/%73ettings").json()

    assert told.json()["auth"] is None
    assert settings.keys() == {"server"}
    assert access.status_code == 404
    with site.proxy.client() as client:
        asked = client.get("/console/prefect-access", headers={"cookie": site.cookies[Role.OPERATOR]})
    login = (secrets / "PREFECT_API_AUTH_STRING").read_text().strip()
    assert login not in f"{asked.headers} {asked.text} {told.headers} {told.text}"
