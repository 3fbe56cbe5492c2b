"""A signed document is judged when it arrives: its verdict is kept, shown and sent."""

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from pytest_httpserver import HTTPServer

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import ocfl
from api.app import app
from flows.process_archive import process_archive
from models.archive.verdict import Outcome
from tests import pdfs
from tests.adapters.documents.test_clamd import BAD, running_clamd
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.databases import in_new_database, rows
from tests.installations import archive_of, archived, inventory_of
from tests.messages import notify
from tests.ocfl_validator import validation_errors
from tests.samples import PDF, PNG, sample_body


def body_with(document: bytes | None, **members: Any) -> bytes:
    payload = json.loads(sample_body("process-1")) | members
    if document is None:
        del payload["signed_document"]
    else:
        payload["signed_document"]["content"] = base64.b64encode(document).decode()
    return json.dumps(payload).encode()


DOCUMENTS = {
    "sound": (PDF, []),
    "changed": (PDF + b"\n% evil", ["SIGNED_DOCUMENT_CHANGED"]),
    "broken": (PDF.replace(b"/Type", b"/tYpe", 1), ["SIGNED_DOCUMENT_BROKEN"]),
    "unsigned": (pdfs.form(), ["SIGNED_DOCUMENT_UNSIGNED"]),
    "unreadable": (b"%PDF-1.7 no document", ["SIGNED_DOCUMENT_UNREADABLE"]),
}


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [*(("SQLite and a folder", outcome) for outcome in DOCUMENTS), ("Postgres and a bucket", "changed")],
    indirect=["kinds"],
)
def test_verdict_is_kept_and_leaves_the_document_unchanged(outcome: str) -> None:
    document, codes = DOCUMENTS[outcome]

    archived("process-1", body_with(document))

    view = archive_of("process-1")
    assert view.state == "completed"
    assert view.signed_document_verdict
    assert view.signed_document_verdict.outcome == Outcome(outcome)
    assert [each.code for each in view.warnings] == codes
    found = inventory_of("process-1")
    key = ocfl.content_key("process-1", found, hashlib.sha256(document).hexdigest())
    assert store().read_bytes(key) == document
    assert validation_errors() == []


@pytest.mark.usefixtures("prefect")
@pytest.mark.parametrize("outcome", DOCUMENTS)
def test_bad_verdict_is_a_tag_of_the_run_and_part_of_the_message(
    configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer, outcome: str
) -> None:
    """No verdict refuses the archive. An unsigned document is a finding without a tag of its own."""
    notify(configure, httpserver)
    document, codes = DOCUMENTS[outcome]
    receipt_id = received("process-1", body_with(document)).receipt_id

    asyncio.run(process_archive("process-1", receipt_id))

    ((request, _),) = httpserver.log
    data = json.loads(request.data)["data"]
    assert (data["signed_document"], data["attention"]) == (outcome, bool(codes))
    view = archive_of("process-1")
    assert (view.state, [each.state for each in view.runs]) == ("completed", ["Completed"])

    async def tags() -> list[str]:
        async with get_client() as client:
            return (await client.read_flow_run(UUID(view.runs[0].flow_run_id))).tags

    expected = {
        *(["attention"] if codes else []),
        *([f"signed-document:{outcome}"] if outcome in ("changed", "broken", "unreadable") else []),
    }
    assert {each for each in asyncio.run(tags()) if each.startswith(("attention", "signed"))} == expected


@pytest.mark.usefixtures("sqlite_installation", "store_kind")
def test_infected_file_brings_a_warning_and_can_only_be_downloaded(configure: Configure, tmp_path: Path) -> None:
    content = base64.b64encode(BAD).decode()
    attachment = {"id": "a", "filename": "דף.html", "mimetype": "text/html", "content": content}
    with running_clamd(tmp_path) as (address, _):
        configure(clamd=address, api_tokens="token-" * 6)
        archived("process-1", body_with(PDF, attachments=[attachment]))

    view = archive_of("process-1")
    assert [(each.code, each.where) for each in view.warnings] == [("FILE_INFECTED", "attachments[0].content")]
    assert "Test.Bad" in view.warnings[0].detail
    for data in (BAD, PDF):
        file = asyncio.run(answer(f"/api/archives/process-1/files/{hashlib.sha256(data).hexdigest()}"))
        assert (file.status_code, file.content) == (200, data)
        assert file.headers["content-disposition"].startswith("attachment; ")
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.usefixtures("sqlite_installation")
def test_detected_type_and_infection_of_files_are_shown_and_rebuilt(configure: Configure, tmp_path: Path) -> None:
    attachments = [
        {"id": name, "filename": name, "mimetype": "application/pdf", "content": base64.b64encode(data).decode()}
        for name, data in (("bad.txt", BAD), ("scan.pdf", PNG))
    ]
    with running_clamd(tmp_path) as (address, _):
        configure(clamd=address)
        archived("process-1", body_with(PDF, attachments=attachments))
    configure(clamd="", api_tokens="token-" * 6)
    before = rows()["file"]

    files = asyncio.run(answer("/api/archives/process-1")).json()["files"]
    assert in_new_database(configure) == 1

    assert {each["filename"]: (each["looks_like"], each["infection"]) for each in files} == {
        "SIGNEDDOCUMENT.pdf": ("application/pdf", None),
        "bad.txt": ("text/plain", "Test.Bad.UNOFFICIAL"),
        "scan.pdf": ("image/png", None),
    }
    assert rows()["file"] == before


async def answer(path: str) -> httpx.Response:
    """Return the API's answer to a request with the token."""
    transport, headers = httpx.ASGITransport(app), {"authorization": "Bearer " + "token-" * 6}
    async with httpx.AsyncClient(transport=transport, base_url="http://cellar", headers=headers) as client:
        return await client.get(path)
