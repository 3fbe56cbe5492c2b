"""People sign in by a certified OpenID Connect provider, and by nothing that only looks like one."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from pytest_httpserver import HTTPServer

from adapters.peers import oidc
from adapters.settings.settings import Settings
from models.access import Caller, Role
from models.errors import Refused, Transient
from services.access import provider
from tests.api.conftest import Receiver, receiving
from tests.api.console.conftest import posted
from tests.conftest import Configure, answers, free_port, running, wait_until

CLIENT: dict[str, Any] = {
    "oidc_client_id": "cellar",
    "oidc_client_secret": "a secret: with + signs",
    "oidc_roles": "ops=operator,tellers=clerk@label:branch=Haifa,staff=viewer",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A receiver beside a provider."""

    receiver: Receiver
    issuer: str
    stop: Callable[[], None]

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        with self.receiver.visitor() as client:
            yield client


@pytest.fixture(scope="module")
def door(node_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    port, issuer_port = free_port(), free_port()
    issuer, back = f"http://127.0.0.1:{issuer_port}", f"http://127.0.0.1:{port}/console/login/provider/back"
    command = ["node", str(node_folder / "provider.mjs"), str(issuer_port), back]
    with running(command, dict(os.environ), node_folder / "provider.log") as process:
        wait_until(lambda: answers(f"{issuer}/.well-known/openid-configuration"))
        folder = tmp_path_factory.mktemp("door")
        with receiving(folder, port=port, oidc_issuer=issuer, **CLIENT) as receiver:
            yield Door(receiver, issuer, process.terminate)


def came_back(client: httpx.Client, name: str) -> str:
    """Go to the provider, say there who one is, and return the address to which it leads back."""
    at = client.get("/console/login/provider", params={"then": "/console/me"})
    forms = [{"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}]
    while "/console/login/provider/back" not in (where := str(at.next_request and at.next_request.url)):
        at = client.get(where)
        if at.status_code == 200:
            action = re.search(r'action="([^"]+)"', at.text)
            assert action, at.text
            at = client.post(action[1], data=forms.pop(0))
        assert at.next_request, at.text
    return where


@pytest.mark.parametrize(
    ("name", "role", "scope"), [("dana", "Operator", None), ("ruth", "Clerk", "label:branch=Haifa")]
)
def test_person_signs_in_with_the_role_of_the_first_group_that_fits(
    door: Door, name: str, role: str, scope: str | None
) -> None:
    with door.browser() as client:
        entered = client.get(came_back(client, name))
        own = client.get(entered.headers["location"]).text

    assert entered.headers["location"] == "/console/me"
    assert f">{name}@127.0.0.1</bdi>" in own
    assert role in own
    assert scope is None or scope in own


def test_person_without_a_group_is_denied_and_on_record(door: Door) -> None:
    with door.browser() as client:
        answer = client.get(came_back(client, "guest"))

        assert (answer.status_code, "None of your groups" in answer.text) == (403, True)
        assert client.get("/console/me").status_code == 303
    said = door.receiver.client.get(
        "/api/access", params={"person": "guest@127.0.0.1"}, headers={"authorization": f"Bearer {door.receiver.token}"}
    ).json()["items"]
    assert [(each["action"], each["outcome"]) for each in said] == [("enter", "denied")]


def test_answer_of_the_provider_fits_one_login_of_one_browser_once(door: Door) -> None:
    with door.browser() as client, door.browser() as other:
        back = came_back(client, "dana")
        wrong_state = back.replace(f"state={parse_qs(urlsplit(back).query)['state'][0]}", "state=x")
        other.get("/console/login/provider")
        assert other.get(back).status_code == 403

        kept = next(each.value or "" for each in client.cookies.jar if each.name == "cellar_provider")
        statuses = []
        for address in (wrong_state, back, back):
            client.cookies.delete("cellar_provider", path="/console")
            client.cookies.set("cellar_provider", kept, domain="127.0.0.1", path="/console")
            statuses.append(client.get(address).status_code)
        assert statuses == [403, 303, 403]


def test_provider_that_is_away_leaves_break_glass_and_tokens(door: Door) -> None:
    with door.browser() as client:
        back = came_back(client, "dana")
        door.stop()
        wait_until(lambda: not answers(f"{door.issuer}/.well-known/openid-configuration"))

        assert [client.get(each).status_code for each in (back, "/console/login/provider")] == [503, 503]
        assert posted(client, "/console/login", {"token": door.receiver.token}).status_code == 303


KEY, OTHER = RSAKey.generate_key(2048, {"kid": "k"}), RSAKey.generate_key(2048, {"kid": "k"})
BEGUN = oidc.Begun(state="state", nonce="nonce", verifier="v" * 43, back_url="http://back", then="/console/")


@pytest.fixture
def issuer(sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer) -> str:
    url = httpserver.url_for("").rstrip("/").replace("localhost", "127.0.0.1")
    configure(oidc_issuer=url, **CLIENT)
    metadata = {each: f"{url}/{each}" for each in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json({"issuer": url, **metadata})
    httpserver.expect_request("/jwks_uri").respond_with_json(KeySet([KEY]).as_dict(private=False))
    return url


def claims(issuer: str, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    plain = {"iss": issuer, "sub": "7", "aud": "cellar", "iat": now, "exp": now + 300, "nonce": "nonce"}
    plain |= {"groups": ["ops"], "preferred_username": "dana"} | changed
    return {name: value for name, value in plain.items() if value is not None}


def signed(made: dict[str, Any], key: Any = KEY, algorithm: str = "RS256") -> str:
    return jwt.encode({"alg": algorithm, "kid": "k"}, made, key, algorithms=[algorithm])


def spoilt(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{signed({'iss': 'x'}).split('.')[1]}.{signature}"


def test_person_is_known_by_issuer_and_subject_and_keeps_the_name(issuer: str) -> None:
    """Who gets a name that somebody had before is another person in records, and so is the issuer's namesake."""
    first = provider.name_of(claims(issuer))
    second, third = (provider.name_of(claims(issuer, sub=each)) for each in ("8", "9"))

    assert first == provider.name_of(claims(issuer, preferred_username="dana.levy")) == "dana@127.0.0.1"
    assert len({first, second, third}) == 3
    assert second == provider.name_of(claims(issuer, sub="8"))
    forged = provider.name_of(claims(issuer, sub="10", preferred_username=second))
    assert forged not in {first, second, third}


BAD: dict[str, Callable[[str], object]] = {
    "another issuer": lambda issuer: signed(claims(issuer, iss="https://other.example.com")),
    "another client": lambda issuer: signed(claims(issuer, aud="other")),
    "several clients, none authorised": lambda issuer: signed(claims(issuer, aud=["cellar", "other"], azp="other")),
    "another client, for us": lambda issuer: signed(claims(issuer, aud="other", azp="cellar")),
    "another login": lambda issuer: signed(claims(issuer, nonce="other")),
    "no nonce": lambda issuer: signed(claims(issuer, nonce=None)),
    "expired": lambda issuer: signed(claims(issuer, exp=int(time.time()) - 120)),
    "never expires": lambda issuer: signed(claims(issuer, exp=None)),
    "of the future": lambda issuer: signed(claims(issuer, iat=int(time.time()) + 600)),
    "nobody": lambda issuer: signed(claims(issuer, sub=None)),
    "another key": lambda issuer: signed(claims(issuer), OTHER),
    "our secret as key": lambda issuer: signed(
        claims(issuer), OctKey.import_key(CLIENT["oidc_client_secret"]), "HS256"
    ),
    "no signature": lambda issuer: "eyJhbGciOiJub25lIn0." + signed(claims(issuer)).split(".")[1] + ".",
    "other claims under the signature": lambda issuer: spoilt(signed(claims(issuer))),
    "no token": lambda issuer: None,
    "no text": lambda issuer: 7,
}


def caller_of(httpserver: HTTPServer, token: object) -> tuple[Caller, bool]:
    httpserver.expect_request("/token_endpoint", method="POST").respond_with_json({"id_token": token})
    return asyncio.run(provider.caller_of(BEGUN, "code", "192.0.2.1"))


@pytest.mark.parametrize("bad", BAD)
def test_token_that_is_not_for_this_login_lets_nobody_in(httpserver: HTTPServer, issuer: str, bad: str) -> None:
    with pytest.raises(Refused, match="SIGN_IN_FAILED"):
        caller_of(httpserver, BAD[bad](issuer))


@pytest.mark.parametrize(
    ("changed", "name", "role"),
    [
        ({}, "dana@127.0.0.1", Role.OPERATOR),
        ({"preferred_username": "דנה@example.com"}, "דנה@example.com", Role.OPERATOR),
        ({"preferred_username": None, "email": "d@example.com", "groups": "ops"}, "d@example.com", Role.OPERATOR),
        ({"preferred_username": "\u202ex", "groups": ["other", "staff"]}, "7@127.0.0.1", Role.VIEWER),
        ({"preferred_username": None, "sub": "\n"}, "'\\n'@127.0.0.1", Role.OPERATOR),
        ({"aud": ["cellar"], "groups": []}, "dana@127.0.0.1", None),
    ],
)
def test_claims_name_a_person_and_their_role(
    httpserver: HTTPServer, issuer: str, changed: dict[str, Any], name: str, role: Role | None
) -> None:
    caller, has_role = caller_of(httpserver, signed(claims(issuer, **changed)))

    assert (caller.name, caller.role if has_role else None) == (name, role)


@pytest.mark.parametrize(("subject", "role"), [("7", Role.OPERATOR), ("8", None)])
def test_groups_of_the_userinfo_endpoint_are_those_of_the_same_person(
    httpserver: HTTPServer, issuer: str, subject: str, role: Role | None
) -> None:
    userinfo = {"userinfo_endpoint": f"{issuer}/userinfo"}
    httpserver.clear()
    known = {each: f"{issuer}/{each}" for each in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    metadata = {"issuer": issuer, **known, **userinfo}
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json(metadata)
    httpserver.expect_request("/jwks_uri").respond_with_json(KeySet([KEY]).as_dict(private=False))
    httpserver.expect_request("/userinfo").respond_with_json({"sub": subject, "groups": ["ops"]})

    caller, has_role = caller_of(httpserver, signed(claims(issuer, groups=None)))

    assert (caller.role if has_role else None) == role


@pytest.mark.parametrize("changed", [{"issuer": "https://other.example.com"}, {"token_endpoint": None}])
def test_provider_that_states_another_issuer_or_no_endpoints_is_not_asked(
    httpserver: HTTPServer, issuer: str, changed: dict[str, Any]
) -> None:
    known = {each: f"{issuer}/{each}" for each in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    metadata = {name: each for name, each in ({"issuer": issuer, **known} | changed).items() if each}
    httpserver.clear()
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json(metadata)
    httpserver.expect_request("/jwks_uri").respond_with_json(KeySet([KEY]).as_dict(private=False))

    with pytest.raises(Transient):
        caller_of(httpserver, signed(claims(issuer)))
