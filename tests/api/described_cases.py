"""Requests to real receivers: for each answer that the OpenAPI schema describes, a case that causes it."""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any

import httpx

from domain.messages.endpoints import name_of
from tests.api.conftest import SECRET, TOKEN, Library, Receiver, contract, from_a_new_address
from tests.api.receiver.test_public_link import LongAgo, token_of
from tests.api.receiver.test_webhook import BAD_INPUT
from tests.api.senders import answer_on
from tests.conftest import LONGEST_S, wait_until
from tests.samples import sample_body

WEBHOOK, GIVE_TOKEN = "POST /webhooks/cellosign", "POST /oauth/token"
ARCHIVES, ARCHIVE = "GET /api/archives", "GET /api/archives/{reference}"
FILE, DIFFERENCES = f"{ARCHIVE}/files/{{sha256}}", f"{ARCHIVE}/differences"
LIST = f"{ARCHIVE}/{{name}}"
RERUN = "POST /api/archives/{reference}/rerun"
HOLD = "POST /api/archives/{reference}/hold"
RELEASE = "POST /api/archives/{reference}/release"
UNMASK, WHY = "POST /api/archives/{reference}/unmask", {"place": "sessions[0].author", "why": "a call"}
EXPLANATION = "POST /api/archives/{reference}/discrepancies/{discrepancy_id}/explanation"
DISCREPANCIES, ANY_EXPLANATION = "GET /api/discrepancies", "POST /api/discrepancies/{discrepancy_id}/explanation"
ERASURES = "/api/erasures"
BATCHES: dict[str, dict[str, Any]] = {
    ERASURES: {"references": ["lost"], "reason": "asked for"},
    "/api/bulk-reruns": {"reference": "lost"},
    "/api/redeliveries": {"reference": "contract", "state": ["pending"]},
}
"""The paths of batches, each with a filter that matches something."""
LIST_ENDPOINTS, ADD_ENDPOINT, ENDPOINT = "GET /api/endpoints", "POST /api/endpoints", "GET /api/endpoints/{name}"
MESSAGES, MESSAGE = "GET /api/messages", "GET /api/messages/{message_id}"
REFUSED, FAILURES, METRICS = "GET /api/refused", "GET /api/failures", "GET /metrics"
SOURCES, OVERVIEW = "GET /api/sources", "GET /api/overview"
MISSING, DISMISSAL = "GET /api/missing", "POST /api/missing/{missing_id}/dismiss"
ACCESS, ANCHORS, CHANGES = "GET /api/access", "GET /api/anchors", "GET /api/changes"
TEMPLATES, TEMPLATE, NAMING = (
    "GET /api/templates",
    *(f"{each} /api/templates/{{template_id}}" for each in ("GET", "PUT")),
)
SHAPE = f"{TEMPLATE}/shape"
FORM, F1 = "/api/templates/9fa70d4ccea84262b1ed2308a07a3fb4", "field:SOMEFIELD1"
LINK, ALIVE, READY = "GET /d/{token}", "GET /healthz", "GET /readyz"
READER = {"authorization": f"Bearer {TOKEN}"}
NEWEST, LOST = contract(event={"type": "WHP_ARCHIVE", "timestamp": "2024-01-01T00:00:00"}), sample_body("lost")
WIDE = sample_body("wide", note=[0] * 20_001)


@dataclass(frozen=True, slots=True)
class World:
    """Receivers that give all answers: with a few archives, with narrow limits, and without a database."""

    shelf: Library
    narrow: Receiver
    away: Receiver
    tokens: list[str]
    """Of roles that may do little, each of them something else."""
    erasures: list[str]
    """The ids of plans of erasures by another person."""


Case = Callable[[World], httpx.Response]


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


def _unmask(place: str, of: str = "contract") -> Case:
    return lambda world: _post_json(world.shelf.receiver, f"/api/archives/{of}/unmask", WHY | {"place": place})


def _hold(reference: str = "contract", **members: Any) -> Case:
    path = f"/api/archives/{reference}/hold"
    return lambda world: _post_json(world.shelf.receiver, path, {"reason": "a claim"} | members)


def _release(world: World) -> httpx.Response:
    _hold()(world)
    return _post_json(world.shelf.receiver, "/api/archives/contract/release", {})


def _explain(prefix: str, kind: str | None = "discrepancies", **members: str) -> Case:
    """Explain a discrepancy of `contract`, or an unknown discrepancy."""

    def _case(world: World) -> httpx.Response:
        found = world.shelf.get("/api/archives/contract").json()[kind][0]["discrepancy_id"] if kind else "unknown"
        return _post_json(world.shelf.receiver, f"{prefix}/{found}/explanation", EXPLAINED | members)

    return _case


def _plan(path: str, **members: Any) -> Case:
    """Plan a batch."""
    return lambda world: _post_json(world.shelf.receiver, path, BATCHES[path] | members)


def _planned_by_another(path: str) -> Callable[[World], str]:
    """Plan a batch, and return its id. An erasure needs another person than the one who confirms it."""
    if path == ERASURES:
        return lambda world: world.erasures.pop()
    return lambda world: str(_plan(path)(world).json()["id"])


def _after(path: str, actions: str, case: Callable[[str], Case]) -> Case:
    """Plan a batch and do some actions on it. Then the case is given its path."""

    def _case(world: World) -> httpx.Response:
        of_batch = f"{path}/{_planned_by_another(path)(world)}"
        for action in actions.split():
            world.shelf.post(f"{of_batch}/{action}").raise_for_status()
        return case(of_batch)(world)

    return _case


def _act(action: str) -> Callable[[str], Case]:
    return lambda path: _post(f"{path}/{action}")


_numbers = count(1)


def _add(**members: Any) -> Case:
    """Add an endpoint with a new name, at an address that does not resolve."""
    return lambda world: _post_json(
        world.shelf.receiver, ENDPOINTS, {"url": HOOK, "name": f"endpoint-{next(_numbers)}"} | members
    )


def _added(case: Callable[[str], Case]) -> Case:
    """Add an endpoint. Then the case is given its path."""
    return lambda world: case(f"{ENDPOINTS}/{_add()(world).json()['name']}")(world)


def _read_message(world: World) -> httpx.Response:
    """Read a message to the declared endpoint."""
    found = world.shelf.get("/api/messages?reference=contract").json()["items"][0]
    return world.shelf.get(f"/api/messages/{found['message_id']}")


def _send_json(path: str, **members: Any) -> Case:
    return lambda world: _post_json(world.shelf.receiver, path, members)


def _list_refused(world: World) -> httpx.Response:
    """Read a list with a refused delivery. The receiver lists it after its answer."""
    _send(b"<xml/>")(world)
    wait_until(lambda: world.shelf.get("/api/refused").json()["items"] != [])
    return world.shelf.get("/api/refused")


def _dismiss(reference: str, times: int = 1) -> Case:
    """Dismiss the finding about a process, or an unknown finding."""

    def _case(world: World) -> httpx.Response:
        found = world.shelf.get("/api/missing").json()["items"]
        missing_id = next((each["missing_id"] for each in found if each["reference"] == reference), "unknown")
        path = f"/api/missing/{missing_id}/dismiss"
        return [_post_json(world.shelf.receiver, path, EXPLAINED) for _ in range(times)][-1]

    return _case


def _send(body: bytes) -> Case:
    return lambda world: world.shelf.receiver.post(body)


def _ask_token(name: str = "default", secret: str = SECRET, times: int = 1, **members: str) -> Case:
    """Ask for a token of a source, from a new address."""

    def _case(world: World) -> httpx.Response:
        given, headers = {"client_id": name, "client_secret": secret} | members, from_a_new_address()
        client = world.shelf.receiver.client
        return [client.post("/oauth/token", data=given, headers=headers) for _ in range(times)][-1]

    return _case


def _speak(data: bytes) -> Case:
    """Send bytes to the receiver with narrow limits on a plain socket."""

    def _case(world: World) -> httpx.Response:
        with socket.create_connection(("127.0.0.1", world.narrow.port), timeout=LONGEST_S) as connection:
            connection.sendall(data.replace(b"SECRET", world.narrow.secret.encode()))
            status, content = answer_on(connection)
            return httpx.Response(status, json=content)

    return _case


def _follow_many(world: World) -> httpx.Response:
    """Follow wrong links until their network has to wait."""
    address = from_a_new_address()
    for _ in range(60):
        answer = world.shelf.receiver.client.get("/d/forged", headers=address)
        if answer.status_code == 429:
            break
    return answer


def _follow(token: str) -> Case:
    return lambda world: world.shelf.receiver.client.get(f"/d/{token}")


def _plain(method: str, path: str, receiver: str = "shelf.receiver") -> Case:
    """Send a request without credentials."""
    return lambda world: attrgetter(receiver)(world).client.request(method, path)


def _of_a_role(case: Case) -> Case:
    """Send a request that has no credentials with a token whose role may not do this."""

    def _asked(world: World) -> httpx.Response:
        client = world.shelf.receiver.client
        answers = []
        for token in world.tokens:
            client.headers["authorization"] = f"Bearer {token}"
            answers.append(case(world))
            del client.headers["authorization"]
        return max(answers, key=lambda answer: answer.status_code == 403)

    return _asked


def _without_database(method: str, path: str, body: dict[str, str] | None = None) -> Case:
    return lambda world: world.away.client.request(method, path, json=body, headers=READER)


def _with_an_unknown_parameter(method: str, path: str) -> Case:
    sent = f"{path}?unheard-of=1"
    return lambda world: world.shelf.receiver.client.request(method, sent, json=EXPLAINED, headers=READER)


def _post_json(receiver: Receiver, path: str, body: dict[str, Any]) -> httpx.Response:
    return receiver.client.post(path, json=body, headers=READER)


def _name(words: dict[str, Any]) -> Case:
    return lambda world: world.shelf.receiver.client.put(FORM, json=words, headers=READER)


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


EXPLAINED = {"by": "Dana", "why": "a tip"}
OF_CONTRACT, OF_ANY = "/api/archives/contract/discrepancies", "/api/discrepancies"
ENDPOINTS, HOOK, DECLARED = "/api/endpoints", "https://erp.invalid/hook", "https://declared.invalid/hook"
DECLARED_PATH = f"{ENDPOINTS}/{name_of(DECLARED)}"
WRONG_SECRET = "whsec_c2hvcnQ="
HEAD = b"POST /webhooks/cellosign HTTP/1.1\r\nhost: cellar\r\nauthorization: SECRET\r\n"
TWO = "/api/archives/contract/differences?before=1&after=2"
CASES: dict[tuple[str, int, str], Case] = {
    (WEBHOOK, 200, ""): _send(sample_body("new")),
    (WEBHOOK, 400, "NOT_HTTP"): _speak(b"EHLO cellar\r\n\r\n"),
    (WEBHOOK, 400, "BAD_LENGTH"): _speak(HEAD + b"content-length: " + b"0" * 101 + b"\r\n\r\n"),
    (WEBHOOK, 400, "BAD_PATH"): _speak(HEAD.replace(b"/webhooks", b"/api/..%2fwebhooks") + b"\r\n"),
    (WEBHOOK, 401, "UNAUTHORIZED"): _plain("POST", "/webhooks/cellosign"),
    (WEBHOOK, 408, "BODY_TIMEOUT"): _speak(HEAD + b"content-length: 10\r\n\r\n{"),
    (WEBHOOK, 408, "HEADER_TIMEOUT"): _speak(HEAD),
    (WEBHOOK, 413, "TOO_LARGE"): _speak(HEAD + b"content-length: 100001\r\n\r\n"),
    (WEBHOOK, 413, "TOO_MANY_FILES"): _send(sample_body("many", attachments=[{"content": ""}] * 10_001)),
    (WEBHOOK, 431, "HEAD_TOO_LARGE"): _speak(HEAD + b"x: 1\r\n" * 100 + b"\r\n"),
    (WEBHOOK, 503, "UNAVAILABLE"): _broken("inbox", _send(sample_body("later"))),
    **{(WEBHOOK, *answer): _send(body) for answer, body in BAD_INPUT.items()},
    (WEBHOOK, 403, "ADDRESS_NOT_ALLOWED"): lambda world: world.shelf.receiver.client.post(
        "/webhooks/cellosign/far", headers={"authorization": SECRET}
    ),
    (GIVE_TOKEN, 200, ""): _ask_token(),
    (GIVE_TOKEN, 400, "invalid_request"): _ask_token(secret=""),
    (GIVE_TOKEN, 400, "invalid_grant"): _ask_token(secret="", username="default", password="wrong"),
    (GIVE_TOKEN, 400, "unsupported_grant_type"): _ask_token(grant_type="authorization_code"),
    (GIVE_TOKEN, 401, "invalid_client"): _ask_token(secret="wrong"),
    (GIVE_TOKEN, 403, "unauthorized_client"): _ask_token("far"),
    (GIVE_TOKEN, 408, "invalid_request"): _speak(
        b"POST /oauth/token HTTP/1.1\r\nhost: cellar\r\ncontent-length: 10\r\n\r\n{"
    ),
    (GIVE_TOKEN, 413, "invalid_request"): _ask_token(scope="x" * 20_000),
    (GIVE_TOKEN, 429, "invalid_client"): _ask_token(secret="wrong", times=51),
    (GIVE_TOKEN, 503, "temporarily_unavailable"): lambda world: world.away.client.post(
        "/oauth/token", data={"client_id": "named", "client_secret": "wrong"}
    ),
    (ARCHIVES, 200, ""): _get("/api/archives"),
    (ARCHIVE, 200, ""): _get("/api/archives/contract"),
    (ARCHIVE, 404, "UNKNOWN_REFERENCE"): _get("/api/archives/nowhere"),
    (ARCHIVE, 410, "ERASED"): _get("/api/archives/erased"),
    (LIST, 200, ""): _get("/api/archives/contract/payments"),
    (LIST, 404, "UNKNOWN_REFERENCE"): _get("/api/archives/nowhere/payments"),
    (LIST, 410, "ERASED"): _get("/api/archives/erased/payments"),
    (LIST, 503, "UNAVAILABLE"): _without_database("GET", "/api/archives/contract/payments"),
    (FILE, 200, ""): _file("contract"),
    (FILE, 404, "UNKNOWN_FILE"): _file("contract", "0" * 64),
    (FILE, 410, "ERASED"): _file("erased", "0" * 64),
    (FILE, 500, "CONFLICT"): _file("lost"),
    (DIFFERENCES, 200, ""): _get(TWO),
    (DIFFERENCES, 404, "UNKNOWN_VERSION"): _get(TWO.replace("2", "3")),
    (DIFFERENCES, 410, "ERASED"): _get(TWO.replace("contract", "erased")),
    (DIFFERENCES, 413, "TOO_LARGE_TO_COMPARE"): _get("/api/archives/wide/differences?before=1&after=1"),
    (DIFFERENCES, 500, "CONFLICT"): _get("/api/archives/lost/differences?before=1&after=1"),
    (DIFFERENCES, 503, "UNAVAILABLE"): _broken("store/archives/*/*/*/*contract/inventory.json", _get(TWO)),
    (RERUN, 202, ""): _post("/api/archives/contract/rerun"),
    (RERUN, 404, "UNKNOWN_REFERENCE"): _post("/api/archives/nowhere/rerun"),
    (RERUN, 410, "ERASED"): _post("/api/archives/erased/rerun"),
    (RERUN, 503, "UNAVAILABLE"): _without_database("POST", "/api/archives/contract/rerun"),
    (HOLD, 200, ""): _hold(until="2199-12-31"),
    (HOLD, 404, "UNKNOWN_REFERENCE"): _hold("nowhere"),
    (HOLD, 410, "ERASED"): _hold("erased"),
    (HOLD, 503, "UNAVAILABLE"): _without_database("POST", "/api/archives/contract/hold", {"reason": "a claim"}),
    (RELEASE, 200, ""): _release,
    (RELEASE, 404, "UNKNOWN_HOLD"): _send_json("/api/archives/contract/release", hold_id="none"),
    (RELEASE, 410, "ERASED"): _send_json("/api/archives/erased/release"),
    (RELEASE, 503, "UNAVAILABLE"): _without_database("POST", "/api/archives/contract/release", {}),
    (UNMASK, 200, ""): _unmask("sessions[0].author"),
    (UNMASK, 404, "UNKNOWN_REFERENCE"): _unmask("sessions[0].author", of="nowhere"),
    (UNMASK, 404, "BAD_PARAMETER"): _unmask("sessions[9].author"),
    (UNMASK, 410, "ERASED"): _unmask("sessions[0].author", of="erased"),
    (UNMASK, 429, "TOO_MANY_REQUESTS"): lambda world: [_unmask("sessions[0].id")(world) for _ in range(30)][-1],
    (UNMASK, 503, "UNAVAILABLE"): _without_database("POST", "/api/archives/contract/unmask", WHY),
    (DISCREPANCIES, 200, ""): _get("/api/discrepancies"),
    (EXPLANATION, 410, "ERASED"): _explain("/api/archives/erased/discrepancies", None),
    **{
        (operation, status, code): case
        for operation, prefix in ((EXPLANATION, OF_CONTRACT), (ANY_EXPLANATION, OF_ANY))
        for status, code, case in (
            (200, "", _explain(prefix)),
            (404, "UNKNOWN_DISCREPANCY", _explain(prefix, None)),
            (409, "DISCREPANCY_CLOSED", _explain(prefix, "closed_discrepancies")),
            (409, "DISCREPANCY_CHANGED", _explain(prefix, found="1.00 ILS")),
            (503, "UNAVAILABLE", _without_database("POST", f"{prefix}/any/explanation", EXPLAINED)),
        )
    },
    **{
        (operation.replace(" ", f" {path}"), status, code): case
        for path in BATCHES
        for operation, status, code, case in (
            ("GET ", 200, "", _after(path, "", lambda _, path=path: _get(path))),  # type: ignore[misc]
            ("POST ", 200, "", _plan(path, by="ann", **({} if path == ERASURES else {"dry_run": False}))),
            ("POST ", 503, "UNAVAILABLE", _without_database("POST", path, BATCHES[path])),
            ("GET /{batch_id}", 200, "", _after(path, "confirm", _get)),
            ("GET /{batch_id}", 404, "UNKNOWN_BATCH", _get(f"{path}/unknown")),
            ("POST /{batch_id}/{action}", 200, "", _after(path, "confirm pause resume", _act("abort"))),
            ("POST /{batch_id}/{action}", 404, "UNKNOWN_BATCH", _post(f"{path}/unknown/pause")),
            ("POST /{batch_id}/{action}", 409, "WRONG_STATE", _after(path, "abort", _act("confirm"))),
            ("POST /{batch_id}/{action}", 503, "UNAVAILABLE", _without_database("POST", f"{path}/any/abort")),
        )
    },
    (f"POST {ERASURES}/{{batch_id}}/{{action}}", 409, "SECOND_PERSON"): lambda world: world.shelf.post(
        f"{ERASURES}/{_plan(ERASURES)(world).json()['id']}/confirm"
    ),
    (LIST_ENDPOINTS, 200, ""): _get(ENDPOINTS),
    (ADD_ENDPOINT, 200, ""): _add(headers={"Authorization": "Bearer abc"}),
    (ADD_ENDPOINT, 409, "NAME_TAKEN"): _added(lambda path: _add(name=path.rpartition("/")[2])),
    (ADD_ENDPOINT, 422, "BAD_ENDPOINT"): _add(url="ftp://erp.invalid"),
    (ADD_ENDPOINT, 422, "BAD_SECRET"): _add(secret=WRONG_SECRET),
    (ADD_ENDPOINT, 403, "PRIVATE_ENDPOINT"): _add(url="http://169.254.169.254/latest"),
    (ADD_ENDPOINT, 503, "UNAVAILABLE"): _without_database("POST", ENDPOINTS, {"url": HOOK, "name": "erp"}),
    (ENDPOINT, 200, ""): _added(_get),
    (ENDPOINT, 404, "UNKNOWN_ENDPOINT"): _get(f"{ENDPOINTS}/unknown"),
    **{
        (f"{ADD_ENDPOINT}/{{name}}/{action}", status, code): case
        for action in ("test", "disable", "enable", "rotate", "remove")
        for status, code, case in (
            (200, "", _added(_act(action))),
            (404, "UNKNOWN_ENDPOINT", _post(f"{ENDPOINTS}/unknown/{action}")),
            (503, "UNAVAILABLE", _without_database("POST", f"{ENDPOINTS}/erp/{action}", {})),
        )
    },
    (f"{ADD_ENDPOINT}/{{name}}/rotate", 422, "BAD_SECRET"): _added(
        lambda path: _send_json(f"{path}/rotate", secret=WRONG_SECRET)
    ),
    (f"{ADD_ENDPOINT}/{{name}}/remove", 409, "DECLARED_ENDPOINT"): _post(f"{DECLARED_PATH}/remove"),
    (MESSAGES, 200, ""): _get("/api/messages?state=pending&state=dead&event=archive.completed&source=default"),
    (MESSAGE, 200, ""): _read_message,
    (MESSAGE, 404, "UNKNOWN_MESSAGE"): _get("/api/messages/unknown"),
    (REFUSED, 200, ""): _list_refused,
    (FAILURES, 200, ""): _get("/api/failures"),
    (ACCESS, 200, ""): _get("/api/access?action=read_archive&since=2026-01-01T00:00Z"),
    (CHANGES, 200, ""): _get("/api/changes"),
    (ANCHORS, 200, ""): _get("/api/anchors"),
    (OVERVIEW, 200, ""): _get("/api/overview"),
    (SOURCES, 200, ""): _get("/api/sources"),
    (TEMPLATES, 200, ""): _get("/api/templates"),
    (TEMPLATE, 200, ""): _get(FORM),
    (TEMPLATE, 404, "UNKNOWN_TEMPLATE"): _get("/api/templates/unknown"),
    (SHAPE, 200, ""): _get(f"{FORM}/shape"),
    (SHAPE, 404, "UNKNOWN_TEMPLATE"): _get("/api/templates/unknown/shape"),
    (NAMING, 200, ""): _name({"name": {"en": "Lease", "he": "חוזה שכירות"}, "facets": ["label:CUSTOMER_TAG"]}),
    (NAMING, 422, "PERSONAL_FACET"): _name({"facets": [F1], "parts": {F1: {"personal": True}}}),
    (NAMING, 503, "UNAVAILABLE"): _without_database("PUT", FORM, {}),
    (MISSING, 200, ""): _get("/api/missing?why=expired&source=default"),
    (DISMISSAL, 200, ""): _dismiss("gone"),
    (DISMISSAL, 404, "UNKNOWN_FINDING"): _dismiss("nowhere"),
    (DISMISSAL, 409, "FINDING_CLOSED"): _dismiss("gone twice", 2),
    (DISMISSAL, 503, "UNAVAILABLE"): _without_database("POST", "/api/missing/any/dismiss", EXPLAINED),
    (METRICS, 200, ""): _get("/metrics"),
    (LINK, 200, ""): _follow(token_of(NEWEST)),
    (LINK, 202, ""): _follow(token_of(b"not yet registered")),
    (LINK, 404, ""): _follow("forged"),
    (LINK, 410, ""): _follow(token_of(NEWEST, LongAgo)),
    (LINK, 429, ""): _follow_many,
    (LINK, 503, ""): _plain("GET", f"/d/{token_of(NEWEST)}", "away"),
    (ALIVE, 200, ""): _plain("GET", "/healthz"),
    (READY, 200, ""): _plain("GET", "/readyz"),
    **{
        (operation, 404, "BAD_PARAMETER"): _get(f"{operation.partition(' ')[2]}?{nothing}")
        for operation, nothing in (
            *((each, "source=nobody") for each in (ARCHIVES, DISCREPANCIES, FAILURES, MISSING, REFUSED)),
            (MESSAGES, "endpoint=nowhere"),
        )
    },
    **{(f"POST {each}", 404, "BAD_PARAMETER"): _plan(each, source="nobody") for each in BATCHES},
    (READY, 503, ""): _broken("inbox", _plain("GET", "/readyz")),
}
CASES |= {
    (operation, 401, "UNAUTHORIZED"): _plain(*re.sub(r"{\w+}", "any", operation).split())
    for operation in sorted({operation for operation, _, _ in CASES if " /api/" in operation or operation == METRICS})
}
CASES |= {
    (operation, 422, "BAD_PARAMETER"): _with_an_unknown_parameter(*re.sub(r"[{}]", "", operation).split())
    for operation in sorted({operation for operation, _, _ in CASES if " /api/" in operation})
}
CASES |= {
    (operation, 503, "UNAVAILABLE"): _without_database("GET", re.sub(r"{\w+}", "any", operation.split()[1]))
    for operation in sorted(
        {operation for operation, _, _ in CASES if operation.startswith("GET /api/")} - {LIST, DIFFERENCES}
    )
}
CASES |= {
    (operation, 403, "FORBIDDEN"): _of_a_role(case)
    for (operation, status, _), case in CASES.items()
    if status == 401 and operation not in (WEBHOOK, GIVE_TOKEN)
}
