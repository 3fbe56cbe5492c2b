"""The OpenAPI schema describes exactly the answers that a real receiver gives: status, code, headers and shape."""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from adapters.files.store import store
from adapters.settings.digests import digest_of
from adapters.store import ocfl, sources
from api.app import app
from models.access import Role
from models.runs.batch import BatchKind
from models.sources import Source, SourceSecret, StatedTerms
from models.views.batch import ErasureFilter
from services.access import tokens
from services.batches import batches
from services.completeness.finding_missing import find_missing
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Library, Receiver, earlier_contract, receiving
from tests.api.described_cases import BATCHES, CASES, DECLARED, ERASURES, LOST, NEWEST, WEBHOOK, WIDE, World
from tests.api.receiver.test_public_link import token_of
from tests.installations import archived, deployed, installed, inventory_of
from tests.records import buried
from tests.reported_events import EXPIRED, event, reported
from tests.samples import sample_body

ROOT = Path(__file__).parents[2]
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, narrow: Receiver, without_database: Receiver, prefect_server: str
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("shelf")
    values: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    values |= {"public_link_days": 1, "PREFECT_API_URL": prefect_server}
    values |= {"notify_urls": DECLARED, "notify_secret": SIGNING}
    with deployed(prefect_server), receiving(folder, **values) as receiver:
        with installed(folder, **values):
            archived("contract", earlier_contract(), datetime(2023, 1, 1, tzinfo=UTC))
            archived("contract", NEWEST)
            archived("lost", LOST)
            archived("wide", WIDE)
            archived("erased", sample_body("erased"))
            buried("erased")
            now = datetime.now(UTC)
            reported(*(event(EXPIRED, now, reference) for reference in ("gone", "gone twice")))
            find_missing(now)
            near = SourceSecret(sha256=digest_of(SECRET), made_at=now)
            terms = StatedTerms(addresses=("192.0.2.1/32",))
            far = Source(name="far", created_at=now, created_by="a test", secrets=(near,), terms=terms)
            sources.RECORDS.change("far", lambda _: far)
            found = inventory_of("lost")
            for content in found.manifest:
                store().overwrite_bytes(b"", ocfl.content_key("lost", found, content))
            roles = ((Role.CLERK, "label:BRANCH=Haifa"), (Role.ADMINISTRATOR, None))
            made = [tokens.add(role, role, scope, None, "a test", now).token for role, scope in roles]
            chosen = ErasureFilter(**BATCHES[ERASURES])
            erasures = [batches.plan(BatchKind.ERASE, chosen, "ann").id for _ in range(9)]
        for each in made:  # so that it is let in, however many wrong ones came
            receiver.read(each)
        yield World(Library(receiver, folder, values, []), narrow, without_database, made, erasures)


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
    if "error" not in content:
        return ""
    return str(content["error"] if isinstance(content["error"], str) else content["error"]["code"])


def test_every_described_answer_has_a_case() -> None:
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
    unexpected = [_operation(name)["responses"]["default"] for name in names]
    assert {code for each in unexpected for code in _codes(each)} == {"INTERNAL"}
    assert {media_type for each in unexpected for media_type in each["content"]} == {"application/json"}


@pytest.mark.parametrize(("operation", "status", "code"), CASES, ids=str)
def test_answer_is_as_described(world: World, operation: str, status: int, code: str) -> None:
    answer = CASES[operation, status, code](world)

    assert (answer.status_code, _code_of(answer)) == (status, code), answer.text
    described = _operation(operation)["responses"][str(status)]
    *_, (media_type, content) = described["content"].items()
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


def test_security_schemes_are_those_that_are_accepted(world: World) -> None:
    """Each way that the schema describes is tried, on each route that names it."""
    schemes = _schema()["components"]["securitySchemes"]
    presented = {name: _presented(scheme) for name, scheme in schemes.items()}
    client = world.shelf.receiver.client

    assert {name for each in _operation(WEBHOOK)["security"] for name in each} == set(presented) - {"apiToken"}
    token = client.post("/oauth/token", data={"client_id": "default", "client_secret": SECRET}).json()["access_token"]
    for name, (header, value) in presented.items():
        secret = token if name == "token" else TOKEN if name == "apiToken" else SECRET
        credentials = {header: value.replace("SECRET", secret)}
        if value.startswith("Basic"):
            credentials = {header: f"Basic {b64encode(f'any:{secret}'.encode()).decode()}"}
        asked = ("GET", "/api/archives") if name == "apiToken" else ("POST", "/webhooks/cellosign")
        assert client.request(*asked, content=sample_body("ways"), headers=credentials).status_code == 200, name
    for path, methods in _schema()["paths"].items():
        if path.startswith("/api") or path == "/metrics":
            assert [each.get("security") for each in methods.values()] == [[{"apiToken": []}]] * len(methods)


def _presented(scheme: dict[str, Any]) -> tuple[str, str]:
    if scheme["type"] == "apiKey":
        return scheme["name"], "SECRET"
    if scheme["type"] == "oauth2":
        return "Authorization", "Bearer SECRET"
    return "Authorization", f"{scheme['scheme'].title()} SECRET"


@pytest.mark.parametrize("phases", ["examples,fuzzing", pytest.param("coverage", marks=pytest.mark.faults)])
def test_schemathesis_finds_no_answer_that_the_schema_does_not_describe(tmp_path: Path, phases: str) -> None:
    """All checks, on requests that the schema allows and on requests that it does not allow, the same in each run."""
    key = "a secret of the sender and a token of the API"
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    run = [str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color", "--seed", "1", "--checks", "all"]
    run += ["--phases", phases, "--max-examples", "1", "--suppress-health-check", "all"]
    with receiving(tmp_path, webhook_secrets=key, api_tokens=key) as receiver:
        with installed(tmp_path, webhook_secrets=key, api_tokens=key):
            archived("contract", NEWEST)
        changed = receiver.client.get("/api/changes", headers={"authorization": f"Bearer {key}"})
        hooks["SEALED_CURSOR"] = changed.json()["next"]
        run += ["-H", f"Authorization: Bearer {key}", f"{receiver.url}/openapi.json"]
        made = subprocess.run(run, cwd=tmp_path, env=os.environ | hooks, capture_output=True, text=True, check=False)

    assert made.returncode == 0, made.stdout[-5000:] + made.stderr[-1000:]


def test_link_of_an_erased_archive_says_so(world: World) -> None:
    page = world.shelf.receiver.client.get(f"/d/{token_of(sample_body('erased'))}")

    assert (page.status_code, "This archive was erased." in page.text) == (410, True)
