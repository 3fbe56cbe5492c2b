"""Runs `cellar up` as a process, on free ports and with its own data folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.inbox import inbox
from tests.conftest import LONGEST_S, free_port, running, wait_until
from tests.end_to_end.collector import Collector
from tests.installations import installed
from tests.samples import sample_body

CELLAR = str(Path(sys.executable).with_name("cellar"))
NOTIFY_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAMED = "quagga"
"""A template that people have named."""
FOR_RETRY_IN_UI = "for-retry-in-ui"
"""A partner whose endpoint is down at first: a source of one archive, by whose reference it is named.

The endpoint asks for an hour's pause, so that only Retry delivers.
"""


@dataclass(frozen=True)
class Running:
    """A running installation, as its users reach it."""

    folder: Path
    environment: dict[str, str]
    url: str
    prefect_url: str

    @property
    def secret(self) -> str:
        return (self.folder / "data" / "secrets" / "webhook").read_text()

    @property
    def token(self) -> str:
        return (self.folder / "data" / "secrets" / "api").read_text()

    def send(self, body: bytes, path: str = "/webhooks/cellosign", secret: str | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {secret or self.secret}"}
        answer: dict[str, Any] = httpx.post(
            f"{self.url}{path}", content=body, headers=headers, timeout=LONGEST_S
        ).json()
        return answer

    def read(self, reference: str) -> dict[str, Any]:
        url = f"{self.url}/api/archives/{quote(reference, safe='')}"
        headers = {"authorization": f"Bearer {self.token}"}
        answer: dict[str, Any] = httpx.get(url, headers=headers, timeout=LONGEST_S).json()
        return answer

    def read_until(self, reference: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        wait_until(lambda: condition(self.read(reference)))
        return self.read(reference)

    def keeps(self, receipt_id: str) -> bool:
        """Whether the inbox has the body or a delivery of a receipt."""
        with installed(self.folder):
            return inbox.has_body(receipt_id) or any(each.receipt_id == receipt_id for each in inbox.deliveries())

    @property
    def prefect_login(self) -> str:
        return (self.folder / "data" / "secrets" / "prefect").read_text()

    def prefect(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return what Prefect answers: to a question without a body, or to a body."""
        user, _, password = self.prefect_login.partition(":")
        method, url = "GET" if body is None else "POST", f"{self.prefect_url}/api{path}"
        return httpx.request(method, url, json=body, auth=(user, password), timeout=LONGEST_S).raise_for_status().json()


class Endpoint:
    """Downstream systems: `url` confirms everything, a partner's nothing until `mend`.

    `confirmed` has the references of confirmed messages; a message about a refused delivery may have none.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.down = {FOR_RETRY_IN_UI}
        self.confirmed: list[str] = []
        self.messages: list[bytes] = []
        self.of_partners: list[tuple[str, str]] = []
        self.url = server.url_for("/hook")
        server.expect_request("/hook", method="POST").respond_with_handler(self._confirm)
        server.expect_request(re.compile("/partners/.*"), method="POST").respond_with_handler(self._answer_of_partner)

    def url_of(self, partner: str) -> str:
        return self.url.replace("/hook", f"/partners/{partner}")

    def mend(self, partner: str) -> None:
        self.down.remove(partner)

    def _confirm(self, request: Request) -> Response:
        self.messages.append(request.data)
        reference = json.loads(request.data)["data"].get("reference")
        if reference:
            self.confirmed.append(reference)
        return Response()

    def _answer_of_partner(self, request: Request) -> Response:
        partner = request.path.rpartition("/")[2]
        if partner in self.down:
            return Response(status=503, headers={"Retry-After": "3600"})
        self.of_partners.append((partner, json.loads(request.data)["data"]["reference"]))
        return Response()


@pytest.fixture(scope="package")
def endpoint() -> Iterator[Endpoint]:
    server = HTTPServer()
    server.start()
    yield Endpoint(server)
    server.stop()


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    server = HTTPServer()
    server.start()
    yield Collector(server)
    server.stop()


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint, collector: Collector) -> Iterator["up_in"]:
    """Start `cellar up` for all tests of the room. The last of them stops and starts it."""
    installation = new_installation(
        tmp_path_factory.mktemp("up"),
        CELLAR_NOTIFY_URLS=endpoint.url,
        CELLAR_NOTIFY_SECRET=NOTIFY_SECRET,
        CELLAR_NOTIFY_ALLOW_PRIVATE="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    started = up_in(installation)
    with started:
        yield started


@pytest.fixture(scope="package")
def up(programs: "up_in", endpoint: Endpoint) -> Running:
    installation = programs.installation
    # Named before the first archive: a worker that has looked before knows a name 5 s later, or fills it in.
    words = {"name": {"en": "Quagga lease"}, "title": ["person", "label:BRANCH"], "facets": ["label:BRANCH"]}
    headers = {"authorization": f"Bearer {installation.token}"}
    named = httpx.put(f"{installation.url}/api/templates/{NAMED}", json=words, headers=headers, timeout=LONGEST_S)
    named.raise_for_status()
    for partner in sorted(endpoint.down):
        added = ("--name", partner, "--source", partner, "--event", "archive.completed")
        source = cellar(installation, "sources", "add", partner, "--json")
        ended = cellar(installation, "endpoints", "add", endpoint.url_of(partner), *added)
        assert (ended.returncode, ended.stderr) == (0, "")  # no line of a log either
        path = f"/webhooks/cellosign/{partner}"
        installation.send(sample_body(partner), path, json.loads(source.stdout)["secret"])
    return installation


def have_ended(*, runs: int) -> Callable[[dict[str, Any]], bool]:
    """Return the condition that an archive has had so many runs, and all have ended."""
    return lambda archive: len(archive.get("runs", [])) == runs and all(each["ended_at"] for each in archive["runs"])


def new_installation(folder: Path, **settings: str) -> Running:
    port, prefect_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    environment |= {"CELLAR_PORT": str(port), "CELLAR_PREFECT_PORT": str(prefect_port)} | settings
    return Running(folder, environment, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{prefect_port}")


class up_in(running):  # noqa: N801 -- reads as a verb: with up_in(installation)
    """`cellar up` in the folder of an installation. It is ready when the block begins."""

    def __init__(self, installation: Running) -> None:
        self.installation, self.output = installation, installation.folder / "up.log"
        super().__init__([CELLAR, "up"], installation.environment, self.output, folder=installation.folder)

    def __enter__(self) -> "subprocess.Popen[bytes]":
        self.output.write_bytes(b"")
        process = super().__enter__()
        wait_until(lambda: "cellar is up" in self.output.read_text() or process.poll() is not None)
        assert process.poll() is None, self.output.read_text()
        return process


def cellar(installation: Running, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as in a second shell."""
    return subprocess.run(
        [CELLAR, *arguments],
        cwd=installation.folder,
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        umask=0o022,
    )
