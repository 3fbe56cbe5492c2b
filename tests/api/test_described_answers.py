"""The OpenAPI schema describes exactly the answers that a real receiver gives: status, code, headers and shape."""

import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from adapters.files.store import store
from adapters.store import ocfl
from api.app import app
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Library, Receiver, contract, earlier_contract, receiving
from tests.api.receiver.test_bad_input import BAD_INPUT
from tests.api.receiver.test_public_link import LongAgo, token_of
from tests.api.senders import answer_on
from tests.installations import archived, deployed, installed
from tests.samples import sample_body

WEBHOOK = "POST /webhooks/cellosign"
ARCHIVES, ARCHIVE = "GET /api/archives", "GET /api/archives/{reference}"
FILE, DIFFERENCES = f"{ARCHIVE}/files/{{sha256}}", f"{ARCHIVE}/differences"
RERUN = "POST /api/archives/{reference}/rerun"
EXPLANATION = "POST /api/archives/{reference}/discrepancies/{discrepancy_id}/explanation"
DISCREPANCIES, ANY_EXPLANATION = "GET /api/discrepancies", "POST /api/discrepancies/{discrepancy_id}/explanation"
LINK, ALIVE, READY = "GET /d/{token}", "GET /healthz", "GET /readyz"
NEWEST, LOST = contract(event={"type": "WHP_ARCHIVE", "timestamp": "2030-01-01T00:00:00"}), sample_body("lost")


@dataclass(frozen=True, slots=True)
class World:
    """Receivers that give all answers: with a few archives, with narrow limits, and without a database."""

    shelf: Library
    narrow: Receiver
    away: Receiver


Case = Callable[[World], httpx.Response]


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, narrow: Receiver, without_database: Receiver, prefect_server: str
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("shelf")
    values: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    values |= {"public_link_days": 1, "PREFECT_API_URL": prefect_server}
    with deployed(prefect_server), receiving(folder, **values) as receiver:
        with installed(folder, **values):
            archived("contract", earlier_contract(), datetime(2003, 1, 1, tzinfo=UTC))
            archived("contract", NEWEST)
            archived("lost", LOST)
            found = ocfl.inventory("lost")
            assert found
            for content in found.manifest:
                store().overwrite_bytes(b"", ocfl.content_key("lost", found, content))
        yield World(Library(receiver, folder, values, []), narrow, without_database)


def _get(path: str) -> Case:
    return lambda world: world.shelf.get(path)


def _post(path: str) -> Case:
    return lambda world: world.shelf.post(path)


def _file(reference: str, sha256: str | None = None) -> Case:
    """Read the first file of an archive, or the file with a digest."""

    def _case(world: World) -> httpx.Response:
        path = f"/api/archives/{reference}"
        return world.shelf.get(f"{path}/files/{sha256 or world.shelf.get(path).json()['files'][0]['sha256']}")

    return _case


def _explain(prefix: str, kind: str | None = "discrepancies", **members: str) -> Case:
    """Explain a discrepancy of `contract`, or an unknown discrepancy."""

    def _case(world: World) -> httpx.Response:
        found = world.shelf.get("/api/archives/contract").json()[kind][0]["discrepancy_id"] if kind else "unknown"
        path, headers = f"{prefix}/{found}/explanation", {"authorization": f"Bearer {TOKEN}"}
        return world.shelf.receiver.client.post(path, json={"by": "Dana", "why": "a tip"} | members, headers=headers)

    return _case


def _send(body: bytes) -> Case:
    return lambda world: world.shelf.receiver.post(body)


def _speak(data: bytes) -> Case:
    """Send bytes to the receiver with narrow limits on a plain socket."""

    def _case(world: World) -> httpx.Response:
        with socket.create_connection(("127.0.0.1", world.narrow.port), timeout=30) as connection:
            connection.sendall(data.replace(b"SECRET", world.narrow.secret.encode()))
            status, content = answer_on(connection)
            return httpx.Response(status, json=content)

    return _case


def _follow(token: str) -> Case:
    return lambda world: world.shelf.receiver.client.get(f"/d/{token}")


def _plain(method: str, path: str, receiver: str = "shelf.receiver") -> Case:
    """Send a request without credentials."""
    return lambda world: attrgetter(receiver)(world).client.request(method, path)


def _without_database(method: str, path: str) -> Case:
    headers = {"authorization": f"Bearer {TOKEN}"}
    body = {"by": "Dana", "why": "a tip"} if method == "POST" else None
    return lambda world: world.away.client.request(method, path, json=body, headers=headers)


def _broken(pattern: str, case: Case) -> Case:
    """Put a file in place of a folder of the receiver, or a folder in place of a file, during a request."""

    def _case(world: World) -> httpx.Response:
        (path,) = (world.shelf.folder / "data").glob(pattern)
        is_folder, away = path.is_dir(), path.with_name("away")
        path.rename(away)
        path.write_bytes(b"") if is_folder else path.mkdir()
        try:
            return case(world)
        finally:
            path.unlink() if is_folder else path.rmdir()
            away.rename(path)

    return _case


OF_CONTRACT, OF_ANY = "/api/archives/contract/discrepancies", "/api/discrepancies"
HEAD = b"POST /webhooks/cellosign HTTP/1.1\r\nhost: cellar\r\nauthorization: SECRET\r\n"
TWO = "/api/archives/contract/differences?before=1&after=2"
CASES: dict[tuple[str, int, str], Case] = {
    (WEBHOOK, 200, ""): _send(sample_body("new")),
    (WEBHOOK, 400, "NOT_HTTP"): _speak(b"EHLO cellar\r\n\r\n"),
    (WEBHOOK, 400, "BAD_LENGTH"): _speak(HEAD + b"content-length: " + b"0" * 101 + b"\r\n\r\n"),
    (WEBHOOK, 401, "UNAUTHORIZED"): _plain("POST", "/webhooks/cellosign"),
    (WEBHOOK, 408, "BODY_TIMEOUT"): _speak(HEAD + b"content-length: 10\r\n\r\n{"),
    (WEBHOOK, 408, "HEADER_TIMEOUT"): _speak(HEAD),
    (WEBHOOK, 413, "TOO_LARGE"): _speak(HEAD + b"content-length: 100001\r\n\r\n"),
    (WEBHOOK, 413, "TOO_MANY_FILES"): _send(sample_body("many", attachments=[{"content": ""}] * 10_001)),
    (WEBHOOK, 431, "HEAD_TOO_LARGE"): _speak(HEAD + b"x: 1\r\n" * 100 + b"\r\n"),
    (WEBHOOK, 503, "UNAVAILABLE"): _broken("inbox", _send(sample_body("later"))),
    **{(WEBHOOK, status, code): _send(body) for body, status, code in BAD_INPUT.values() if not code.endswith("_")},
    (ARCHIVES, 200, ""): _get("/api/archives"),
    (ARCHIVES, 401, "UNAUTHORIZED"): _plain("GET", "/api/archives"),
    (ARCHIVES, 422, "BAD_PARAMETER"): _get("/api/archives?state=unknown"),
    (ARCHIVES, 503, "UNAVAILABLE"): _without_database("GET", "/api/archives"),
    (ARCHIVE, 200, ""): _get("/api/archives/contract"),
    (ARCHIVE, 401, "UNAUTHORIZED"): _plain("GET", "/api/archives/contract"),
    (ARCHIVE, 404, "UNKNOWN_REFERENCE"): _get("/api/archives/nowhere"),
    (ARCHIVE, 422, "BAD_PARAMETER"): _get("/api/archives/%00"),
    (ARCHIVE, 503, "UNAVAILABLE"): _without_database("GET", "/api/archives/contract"),
    (FILE, 200, ""): _file("contract"),
    (FILE, 401, "UNAUTHORIZED"): _plain("GET", "/api/archives/contract/files/x"),
    (FILE, 404, "UNKNOWN_FILE"): _file("contract", "0" * 64),
    (FILE, 422, "BAD_PARAMETER"): _file("%00", "0" * 64),
    (FILE, 500, "CONFLICT"): _file("lost"),
    (FILE, 503, "UNAVAILABLE"): _without_database("GET", "/api/archives/contract/files/x"),
    (DIFFERENCES, 200, ""): _get(TWO),
    (DIFFERENCES, 401, "UNAUTHORIZED"): _plain("GET", TWO),
    (DIFFERENCES, 404, "UNKNOWN_VERSION"): _get(TWO.replace("2", "3")),
    (DIFFERENCES, 422, "BAD_PARAMETER"): _get(TWO.replace("2", "two")),
    (DIFFERENCES, 500, "CONFLICT"): _get("/api/archives/lost/differences?before=1&after=1"),
    (DIFFERENCES, 503, "UNAVAILABLE"): _broken("store/archives/*/*/*/*contract/inventory.json", _get(TWO)),
    (RERUN, 202, ""): _post("/api/archives/contract/rerun"),
    (RERUN, 401, "UNAUTHORIZED"): _plain("POST", "/api/archives/contract/rerun"),
    (RERUN, 404, "UNKNOWN_REFERENCE"): _post("/api/archives/nowhere/rerun"),
    (RERUN, 422, "BAD_PARAMETER"): _post("/api/archives/contract/rerun?force=true"),
    (RERUN, 503, "UNAVAILABLE"): _without_database("POST", "/api/archives/contract/rerun"),
    (DISCREPANCIES, 200, ""): _get("/api/discrepancies"),
    (DISCREPANCIES, 401, "UNAUTHORIZED"): _plain("GET", "/api/discrepancies"),
    (DISCREPANCIES, 422, "BAD_PARAMETER"): _get("/api/discrepancies?code=unknown"),
    (DISCREPANCIES, 503, "UNAVAILABLE"): _without_database("GET", "/api/discrepancies"),
    **{
        (operation, status, code): case
        for operation, prefix in ((EXPLANATION, OF_CONTRACT), (ANY_EXPLANATION, OF_ANY))
        for status, code, case in (
            (200, "", _explain(prefix)),
            (401, "UNAUTHORIZED", _plain("POST", f"{prefix}/any/explanation")),
            (404, "UNKNOWN_DISCREPANCY", _explain(prefix, None)),
            (409, "DISCREPANCY_CLOSED", _explain(prefix, "closed_discrepancies")),
            (409, "DISCREPANCY_CHANGED", _explain(prefix, found="1.00 ILS")),
            (422, "BAD_PARAMETER", _explain(prefix, by=" ")),
            (503, "UNAVAILABLE", _without_database("POST", f"{prefix}/any/explanation")),
        )
    },
    (LINK, 200, ""): _follow(token_of(NEWEST)),
    (LINK, 202, ""): _follow(token_of(b"not yet registered")),
    (LINK, 404, ""): _follow("forged"),
    (LINK, 410, ""): _follow(token_of(NEWEST, LongAgo)),
    (LINK, 503, ""): _plain("GET", f"/d/{token_of(NEWEST)}", "away"),
    (ALIVE, 200, ""): _plain("GET", "/healthz"),
    (READY, 200, ""): _plain("GET", "/readyz"),
    (READY, 503, ""): _broken("inbox", _plain("GET", "/readyz")),
}


@cache
def _schema() -> dict[str, Any]:
    return app.openapi()


def _operation(name: str) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    found: dict[str, Any] = _schema()["paths"][path][method.lower()]
    return found


def _codes(described: dict[str, Any]) -> list[str]:
    return re.findall(r"^- `(\w+)`: ", described["description"], re.MULTILINE) or [""]


def _code_of(answer: httpx.Response) -> str:
    content = answer.json() if "json" in answer.headers["content-type"] else {}
    if "errordesc" in content:
        return str(re.split(r" at |: ", content["errordesc"])[0])
    return str(content["error"]["code"]) if "error" in content else ""


def test_every_described_answer_is_given_below() -> None:
    """All but unexpected errors, which no request can cause."""
    names = [f"{method.upper()} {path}" for path, methods in _schema()["paths"].items() for method in methods]
    described = {
        (name, int(status), code)
        for name in names
        for status, answer in _operation(name)["responses"].items()
        if status != "default"
        for code in _codes(answer)
    }
    assert described == set(CASES)
    assert {code for name in names for code in _codes(_operation(name)["responses"]["default"])} == {"INTERNAL"}


@pytest.mark.parametrize(("operation", "status", "code"), CASES, ids=str)
def test_answer_is_as_described(world: World, operation: str, status: int, code: str) -> None:
    answer = CASES[operation, status, code](world)

    assert (answer.status_code, _code_of(answer)) == (status, code), answer.text
    described = _operation(operation)["responses"][str(status)]
    ((media_type, content),) = described["content"].items()
    is_json = answer.headers["content-type"] == "application/json"
    assert media_type == "*/*" or answer.headers["content-type"].startswith(media_type)
    validator = Draft202012Validator(content["schema"] | {"components": _schema()["components"]})
    assert [each.message for each in validator.iter_errors(answer.json() if is_json else answer.text)] == []
    assert [name for name in described.get("headers", {}) if name not in answer.headers] == []


def test_failures_of_the_webhook_are_as_described_with_status_200(without_database: Receiver) -> None:
    described = _operation(WEBHOOK)["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(described | {"components": _schema()["components"]})

    for body in (b"no archive", sample_body("accepted")):
        answer = without_database.post(body)

        assert answer.status_code == 200
        assert [each.message for each in validator.iter_errors(answer.json())] == []


@pytest.mark.parametrize(
    ("method", "path", "schemes"),
    [
        ("GET", "/api/archives", 'Bearer realm="cellar"'),
        ("POST", "/webhooks/cellosign", 'Bearer realm="cellar", Basic realm="cellar"'),
    ],
)
def test_answer_without_credentials_names_the_ways_to_present_them(
    world: World, method: str, path: str, schemes: str
) -> None:
    answer = world.shelf.receiver.client.request(method, path)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, schemes)


def test_security_schemes_are_those_that_are_accepted(world: World) -> None:
    """Each way that the schema describes is tried, on each route that names it."""
    schemes = _schema()["components"]["securitySchemes"]
    presented = {name: _presented(scheme) for name, scheme in schemes.items()}
    client = world.shelf.receiver.client

    assert {name for each in _operation(WEBHOOK)["security"] for name in each} == set(presented) - {"apiToken"}
    for name, (header, value) in presented.items():
        secret = TOKEN if name == "apiToken" else SECRET
        credentials = {header: value.replace("SECRET", secret)}
        if value.startswith("Basic"):
            credentials = {header: f"Basic {b64encode(f'any:{secret}'.encode()).decode()}"}
        asked = ("GET", "/api/archives") if name == "apiToken" else ("POST", "/webhooks/cellosign")
        assert client.request(*asked, content=sample_body("ways"), headers=credentials).status_code == 200, name
    for path, methods in _schema()["paths"].items():
        if path.startswith("/api"):
            assert [each.get("security") for each in methods.values()] == [[{"apiToken": []}]] * len(methods)


def _presented(scheme: dict[str, Any]) -> tuple[str, str]:
    if scheme["type"] == "apiKey":
        return scheme["name"], "SECRET"
    return "Authorization", f"{scheme['scheme'].title()} SECRET"
