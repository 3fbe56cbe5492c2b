"""Real receivers, each a process on a free port with a data folder of its own, and archives in them.

Prefect is away, unless a test says otherwise: its port is closed. Archives are completed in this process instead, by
the functions that the flow calls.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from adapters import archives, receipts
from adapters.inbox import Intake, Quarantined, quarantined, sendings
from adapters.migration import migrate
from adapters.settings import Settings, settings
from cli.api import MALLOC
from domain.rows import discrepancy_rows, rows_of
from domain.versions import Age, supersedes
from flows.completion import complete
from flows.material import read_material
from flows.persisting import persist
from models.receipt import Sending, VersionRow
from tests.conftest import _forget, answers, free_port, running, wait_until

SECRET, TOKEN, LINK_KEY = "the sender's secret", "the readers' token", "the key of links"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver that runs, and what it has written."""

    process: "Popen[bytes]"
    port: int
    inbox: Path
    log: Path
    client: httpx.Client
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        presented = {"authorization": f"Bearer {self.secret}"} if headers is None else headers
        return self.client.post("/webhooks/cellosign", content=content, headers=presented)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path, headers={"authorization": f"Bearer {TOKEN}"})

    def waiting(self) -> set[str]:
        """Names of all files in `waiting/`, also of those that are half there."""
        return {path.name for path in (self.inbox / "waiting").glob("*")}

    def sendings_of(self, receipt_id: str) -> list[Sending]:
        return [sending for sending in sendings(self.inbox) if sending.receipt_id == receipt_id]

    def body_of(self, receipt_id: str) -> bytes:
        return (self.inbox / "waiting" / f"{receipt_id}.body").read_bytes()

    def quarantine(self) -> dict[str, Quarantined]:
        return {entry.receipt_id: entry for entry in quarantined(self.inbox)}

    def kept(self) -> tuple[set[str], set[str]]:
        """Everything in the inbox, to compare."""
        return self.waiting(), set(self.quarantine())


@contextmanager
def installed(folder: Path, **values: object) -> Iterator[Settings]:
    """This process has the settings of an installation in `folder` until the end of the block."""
    with pytest.MonkeyPatch.context() as patch, chdir(folder):  # no .env of the developer's
        for name in [name for name in os.environ if name.startswith(("CELLAR_", "PREFECT_"))]:
            patch.delenv(name)
        environment = {"PREFECT_API_URL": closed_url(), "CELLAR_DATA_DIR": folder / "data", "CELLAR_PORT": free_port()}
        environment |= {name if name.isupper() else f"CELLAR_{name.upper()}": value for name, value in values.items()}
        for name, value in environment.items():
            patch.setenv(name, str(value))
        _forget()
        try:
            yield settings()
        finally:
            _forget()


@contextmanager
def started() -> Iterator[Receiver]:
    """A receiver with the settings of this process."""
    made, log = settings(), settings().data_dir.parent / "receiver.log"
    url = f"http://127.0.0.1:{made.port}"
    with (
        running([sys.executable, "-m", "cli.main", "api"], MALLOC | os.environ, log) as process,
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        wait_until(lambda: process.poll() is not None or answers(f"{url}/healthz"), timeout_s=60)
        assert process.poll() is None, log.read_text()
        yield Receiver(process, made.port, made.inbox_dir, log, client, made.active_webhook_secrets()[0])


@contextmanager
def receiving(folder: Path, *, is_migrated: bool = True, **values: object) -> Iterator[Receiver]:
    """A receiver with settings and a folder of its own."""
    with ExitStack() as stack:
        with installed(folder, **values):
            if is_migrated:
                migrate()
            receiver = stack.enter_context(started())
        yield receiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver on its defaults."""
    with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver whose database is away, that answers errors with 200 and gives no public links."""
    values = {
        "database_url": f"postgresql://nobody@{closed_url().removeprefix('http://')}/cellar",
        "error_http": "200",
        "public_link": "none",
        "webhook_secrets": f"{SECRET}, the next secret",
        "api_tokens": TOKEN,
        "link_secret": LINK_KEY,
    }
    with receiving(tmp_path_factory.mktemp("without_database"), is_migrated=False, **values) as receiver:
        yield receiver


def closed_url() -> str:
    """Where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def archived(reference: str, body: bytes, received_at: datetime | None = None) -> str:
    """An archive of the installation, received, registered and taken to its end; returns the receipt id."""
    intake = Intake(settings().inbox_dir)
    intake.write(body)
    sending = intake.accept(reference, received_at or datetime.now(UTC), {"content-type": "application/json"})
    receipts.register(sending)
    persist(reference, sending.receipt_id)
    material = read_material(reference, sending.receipt_id)
    archive = material.archive
    version = VersionRow(
        receipt_id=sending.receipt_id,
        reference=reference,
        version=0,
        event_at=archive.event_at,
        received_at=sending.received_at,
        skeleton=material.skeleton,
    )
    described = {"template_id": archive.template_id, "process_number": archive.process_number}
    archives.load(version, described, rows_of(archive, settings().amount_unit), _supersedes)
    archives.replace_rows(reference, sending.receipt_id, discrepancy_rows(reference, material.discrepancies))
    complete(material)
    return sending.receipt_id


def _supersedes(candidate: VersionRow, current: VersionRow) -> bool:
    ages = [Age(each.event_at, each.received_at, each.receipt_id) for each in (candidate, current)]
    return supersedes(*ages)
