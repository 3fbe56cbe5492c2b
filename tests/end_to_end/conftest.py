"""`cellar up` itself, as a process, on free ports and a data folder of its own."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pytest_httpserver import HTTPServer

from tests.conftest import free_port, running, wait_until

CELLAR = str(Path(sys.executable).with_name("cellar"))
PREFECT = str(Path(sys.executable).with_name("prefect"))
NOTIFY_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CHROMIUM = shutil.which("chromium")


@dataclass(frozen=True)
class Running:
    """An installation that runs, as its users reach it."""

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

    def send(self, body: bytes) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.secret}"}
        answer: dict[str, Any] = httpx.post(f"{self.url}/webhooks/cellosign", content=body, headers=headers).json()
        return answer

    def read(self, reference: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        answer: dict[str, Any] = httpx.get(
            f"{self.url}/api/archives/{quote(reference, safe='')}", headers=headers, timeout=30
        ).json()
        return answer

    def read_until(self, reference: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        wait_until(lambda: condition(self.read(reference)), timeout_s=150)
        return self.read(reference)

    def prefect(self, path: str, body: dict[str, Any]) -> Any:
        return httpx.post(f"{self.prefect_url}/api{path}", json=body, timeout=30).json()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[HTTPServer]:
    """A downstream system, which fails until a test lets it work."""
    server = HTTPServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, endpoint: HTTPServer) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("up")
    port, prefect_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    environment |= {
        "CELLAR_PORT": str(port),
        "CELLAR_PREFECT_PORT": str(prefect_port),
        "CELLAR_NOTIFY_URLS": endpoint.url_for("/hook"),
        "CELLAR_NOTIFY_SECRET": NOTIFY_SECRET,
        "CELLAR_NOTIFY_ALLOW_PRIVATE": "true",
        "CELLAR_SWEEP_INTERVAL_S": "2",
    }
    installation = Running(folder, environment, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{prefect_port}")
    with up_in(installation):
        yield installation


class up_in(running):  # noqa: N801 -- reads as a verb: with up_in(installation)
    """`cellar up` in the folder of an installation, ready when the block begins."""

    def __init__(self, installation: Running) -> None:
        self.output = installation.folder / "up.log"
        self.output.write_bytes(b"")
        super().__init__([CELLAR, "up"], installation.environment, self.output, folder=installation.folder)

    def __enter__(self) -> Any:
        process = super().__enter__()
        wait_until(lambda: "cellar is up" in self.output.read_text() or process.poll() is not None, timeout_s=150)
        assert process.poll() is None, self.output.read_text()
        return process
