"""Sets up installations that tests share, with archives in them.

Archives are completed in this process by the functions that the flow calls, without Prefect.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from adapters.database.transactions import writing
from adapters.files.bucket import client
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.inbox.inbox import Intake
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.store.tombstones import known_digest
from adapters.tables.runs import receipts
from models.access import CELLAR
from models.archive.archive import ArchiveRow
from models.runs.receipt import DEFAULT_SOURCE, Identity, ReceiptRow
from models.store.inventory import Inventory
from models.views.archives.archives import ArchiveView
from models.views.health import Check
from services.custody.objects import object_of
from services.custody.remembering import Memory
from services.health.checks import examined
from services.health.systems import system_probes
from services.processing.completion import complete, load, reconcile_findings
from services.processing.persisting import persist
from services.receipts import stored_archive
from services.triggering import refused
from services.views import archive_view
from tests.conftest import LONGEST_S, _forget, free_port


@contextmanager
def installed(folder: Path, **values: object) -> Iterator[Settings]:
    """Give this process the settings of an installation in `folder` until the end of the block."""
    with pytest.MonkeyPatch.context() as patch, chdir(folder):  # so that the developer's .env is not read
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


def objects_below(url: str) -> dict[str, int]:
    """Return the sizes of the objects below `s3://BUCKET/PREFIX`, by the remainder of their keys."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    found = [each for page in pages for each in page.get("Contents", [])]
    return {each["Key"].removeprefix(f"{prefix}/"): each["Size"] for each in found}


@cache
def closed_url() -> str:
    """Return a URL on which nothing listens as long as this process lives."""
    with socket.socket() as holding:
        holding.bind(("127.0.0.1", 0))
        port = holding.getsockname()[1]
        holding.detach()  # keeps the port reserved
    return f"http://127.0.0.1:{port}"


def store_that_does_not_answer(store_kind: str, folder: Path) -> dict[str, str]:
    """Return the settings of a store that is not a folder, or that refuses our requests."""
    if store_kind == "bucket":
        return {"AWS_SECRET_ACCESS_KEY": "the secret of another"}
    (folder / "a file").write_text("")
    return {"store_url": str(folder / "a file")}


def database_that_is_away() -> str:
    return f"postgresql://nobody@{closed_url().removeprefix('http://')}/cellar"


@contextmanager
def deployed(prefect_url: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Deploy without a worker, so that runs stay scheduled; yield a function that lists them."""
    with httpx.Client(base_url=prefect_url, timeout=LONGEST_S, trust_env=False) as client:
        known = client.get("/deployments/name/process-archive/archive")
        if known.is_success:
            client.delete(f"/deployments/{known.json()['id']}").raise_for_status()
        flow = client.post("/flows/", json={"name": "process-archive"}).raise_for_status().json()
        made = client.post("/deployments/", json={"name": "archive", "flow_id": flow["id"]}).raise_for_status().json()

        def _runs() -> list[dict[str, Any]]:
            wanted = {"deployments": {"id": {"any_": [made["id"]]}}}
            runs: list[dict[str, Any]] = client.post("/flow_runs/filter", json=wanted).raise_for_status().json()
            return runs

        yield _runs
        for run in _runs():
            client.delete(f"/flow_runs/{run['id']}").raise_for_status()
        client.delete(f"/deployments/{made['id']}").raise_for_status()


def archive_of(reference: str, most: int = archive_view.LISTED_AT_ONCE) -> ArchiveView:
    """Return an archive as the API and the console show it."""
    found = archive_view.archive(reference, CELLAR, most)
    assert found
    return found


def inventory_of(reference: str) -> Inventory:
    found = ocfl.inventory(reference)
    assert found
    return found


def request_of(reference: str, receipt_id: str) -> StoredRequest:
    found = stored_request(reference, receipt_id)
    assert found
    return found


def stored_body(reference: str, receipt_id: str) -> bytes:
    """Return the request as rebuilt from the store."""
    return b"".join(request_of(reference, receipt_id).body())


def stored_file(reference: str, sha256: str) -> bytes:
    found = inventory_of(reference)
    return store().read_bytes(ocfl.content_key(reference, found, sha256))


def archived(reference: str, body: bytes, received_at: datetime | None = None, source: str = DEFAULT_SOURCE) -> str:
    """Receive, register and complete an archive of the installation, and return its receipt id."""
    receipt_id = received(reference, body, received_at, source)
    finished(reference, receipt_id)
    return receipt_id


def taken_in(body: bytes) -> Intake:
    """Return the intake of a body that has arrived."""
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    return intake


def received(reference: str, body: bytes, received_at: datetime | None = None, source: str = DEFAULT_SOURCE) -> str:
    """Receive and register an archive of the installation, and return its receipt id."""
    delivery = taken_in(body).accept(
        Identity(reference), received_at or datetime.now(UTC), {"content-type": "application/json"}, source
    )
    receipts.register_all([delivery], known_digest(reference))
    return delivery.receipt_id


def accepted(reference: str, receipt_id: str, by: str = "Dana", gives_to: str | None = None) -> None:
    """Accept what another source sent, or give it the process, as a person and the run that follows do."""
    refused.accept(reference, receipt_id, by, gives_to)
    for delivery in inbox.deliveries():
        receipts.register_all([delivery], known_digest(reference))
    finished(reference, receipt_id)


def finished(reference: str, receipt_id: str, completed_at: datetime | None = None) -> None:
    """Complete a registered receipt, now or in the past."""
    persist(reference, receipt_id)
    archived = stored_archive(reference, receipt_id)
    load(archived)
    complete(archived, reconcile_findings(archived).payload)
    if completed_at:
        with writing() as session:
            for table in (ArchiveRow, ReceiptRow):
                its = update(table).where(col(table.reference) == reference)
                session.execute(its.values(completed_at=completed_at))
        store().remove(f"{ocfl.object_key(reference)}/{history.path_of(receipt_id)}")
    history.keep(reference, receipt_id)


def damaged_file(reference: str) -> str:
    """Damage a content of an archive in the store and return its key."""
    found = ocfl.inventory(reference)
    assert found
    keys = [ocfl.content_key(reference, found, each) for each in found.manifest]
    key = min(keys, key=lambda each: (each.count("/"), each))  # in no folder of its own, which would be left empty
    store().overwrite_bytes(b"damaged", key)
    return key


def checked(*references: str, is_quick: bool = False) -> Memory:
    """Check archives in the store as `cellar verify` does, and return what remembers the findings."""
    memory = Memory(is_quick=is_quick)
    memory.check(map(object_of, references))
    return memory


def check(name: str) -> Check:
    """Return what a check of `cellar status` finds."""
    [found] = examined([each for each in system_probes() if each.name == name], LONGEST_S)
    return found
