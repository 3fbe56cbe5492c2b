"""An archive full of card secrets passes through everything, and no output shows a secret in clear.

Secrets may be in clear only in a raw body that waits, and in the request that `cellar export --raw` returns. Receiver,
`cellar settle` and the commands that list and explain have a test in the neighbouring file.
"""

import asyncio
import hashlib
import json
import logging
import secrets
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_httpserver import HTTPServer

from adapters.files.spool import staging
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl, seals
from adapters.store.ocfl import CUTS, REQUEST
from adapters.tables.runs import task_results
from api.app import app
from domain.secrets.card_secrets import secret_ranges
from flows.import_reports import import_reports
from flows.process_archive import process_archive
from flows.reevaluate_payments import reevaluate_payments
from models.access import CELLAR
from models.errors import CellarError, Locked
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.processing.persisting import persist
from services.processing.staging import stage, stage_what_rebuilds, write_sealed
from services.views import archive_view
from tests.conftest import Configure
from tests.flows.card_secrets import (
    CLEAR,
    ITS_ROW,
    MASTERCARD,
    OF_NOBODY,
    OTHER_VISA,
    SPACED_VISA,
    VISA,
    body,
    files_of_the_installation,
    found_in,
    rows,
    stored,
)
from tests.flows.conftest import received
from tests.flows.databases import in_new_database
from tests.flows.prefect_database import kept_by_prefect
from tests.flows.test_import_reports import at_rest
from tests.installations import archive_of, request_of, stored_body
from tests.ocfl_validator import validation_errors
from tests.settlements import COLUMNS, line, report

pytestmark = pytest.mark.usefixtures("prefect")

SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FOLDERS = (ocfl.ROOT, seals.ROOT)


def run(receipt_id: str | None = None) -> None:
    with suppress(CellarError):
        asyncio.run(process_archive("process-1", receipt_id))


def test_secrets_are_in_the_bodies_that_are_sent() -> None:
    """Otherwise the search below would prove nothing."""
    without_marks = MASTERCARD.replace(" ", "").replace("-", "")
    assert set(CLEAR) - set(found_in(body() + body(card=OTHER_VISA))) == {without_marks, SPACED_VISA}


@pytest.mark.usefixtures("kinds", "prefect_logs")
def test_no_output_shows_a_secret_in_clear(
    configure: Configure,
    httpserver: HTTPServer,
    prefect_home: Path,
    caplog: pytest.LogCaptureFixture,
    cellar: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.INFO)
    for address, status in (("/hook", 200), ("/gone", 410)):
        httpserver.expect_request(address).respond_with_data("", status=status)
    urls = ",".join(map(httpserver.url_for, ("/hook", "/gone")))
    configure(notify_urls=urls, notify_secret=SIGNING_SECRET, notify_allow_private="true", api_tokens="token-" * 6)
    watch_for_reports(configure, tmp_path)
    outputs: dict[str, bytes | str] = {}
    bodies = [
        body(),
        body("2026-02-01T00:00:00Z"),  # a delivery: says nothing new
        body("2026-03-01T00:00:00Z", card=OTHER_VISA),
        body("2026-04-01T00:00:00Z", content=b"QR=="),  # cannot be rebuilt
        body("2026-05-01T00:00:00Z", content=b"QR=="),
    ]
    receipts = [hashlib.sha256(each).hexdigest() for each in bodies]

    for each in bodies:
        run(received("process-1", each).receipt_id)  # one endpoint is gone, and is disabled at its first message
    run()  # re-run
    rotten = received("process-1", body("2026-06-01T00:00:00Z"))
    path = Path(settings().inbox_location) / "waiting" / f"{rotten.receipt_id}.body"
    path.write_bytes(path.read_bytes().replace(b"SIGNATURE1", b"SIGNATURE2"))
    run(rotten.receipt_id)  # fails for good, and the body stays in the inbox
    path.unlink()
    repaired = request_of("process-1", receipts[0])
    store().overwrite_bytes(b"damaged", repaired.keys[CUTS])
    run(received("process-1", bodies[0]).receipt_id)
    for scheduled in (import_reports, reevaluate_payments):
        with suppress(CellarError):  # one report is wrong
            asyncio.run(scheduled())

    archive = archive_of("process-1")
    assert [each.version for each in archive.versions] == [1, 2, 3]
    assert {each.state for each in archive.runs} == {"Failed", "Completed"}
    assert [stored_body("process-1", each) for each in receipts] == bodies
    assert verify_object(object_of("process-1")).findings == ()
    assert validation_errors() == []

    outputs["own logs"] = cellar()
    assert b"a damaged archive is repaired" in outputs["own logs"]
    for name, arguments in {
        "show": ["show", "process-1"],
        "show as JSON": ["show", "process-1", "--json"],
        "difference": ["show", "process-1", "--diff", "1", "2"],
        "difference as JSON": ["show", "process-1", "--diff", "1", "2", "--json"],
        "list": ["list"],
        "bag": ["export", "process-1", "--to", str(tmp_path / "bag")],
        "verify": ["verify"],
        "rotate": ["rotate-keys"],
    }.items():
        outputs[name] = cellar(*arguments)
    assert b"(not shown)" in outputs["difference"] or b"****" in outputs["difference"]
    outputs |= {f"bag {each.name}": each.read_bytes() for each in (tmp_path / "bag").rglob("*") if each.is_file()}
    outputs |= asyncio.run(answers())
    outputs |= {f"Prefect's {name}": text for name, text in kept_by_prefect(prefect_home).items()}
    assert "wrong.csv: BAD_CELL at line 2, column amount" in outputs["Prefect's flow_run_state"]
    assert "report.csv: 2 rows, 2 new, 1 matched" in outputs["Prefect's log"]
    outputs |= {f"notification {number}": each.data for number, (each, _) in enumerate(httpserver.log)}
    assert task_results.flow_run_ids()  # a failed run keeps the results of its tasks, which are rows
    outputs |= {"logs": caplog.text, "rows": rows()} | dict(stored(*FOLDERS, "settlements"))
    outputs |= {str(each): each.read_bytes() for each in files_of_the_installation()}

    assert {name: found for name, text in outputs.items() if (found := found_in(text))} == {}
    assert b"************4580" in outputs["show as JSON"] or "************4580" in str(outputs["rows"])
    for receipt_id, sent in zip(receipts, bodies, strict=True):
        assert cellar("export", "process-1", "--raw", "--receipt", receipt_id, "--to", "-") == sent


def watch_for_reports(configure: Configure, folder: Path) -> None:
    """Put a report with secrets of the archive and of no archive, and a wrong report, into the watched folder."""
    (folder / "columns.toml").write_text(COLUMNS)
    at_rest(folder / "report.csv", report(ITS_ROW, OF_NOBODY))
    at_rest(folder / "wrong.csv", report(line("guid-424242", auth="auth-777888", amount=f"{VISA}x")))
    configure(settlement_columns="columns.toml", settlements_url=folder, payment_types="verify_credit_card=charged")


async def answers() -> dict[str, bytes]:
    """Return the API's answers about the archive."""
    paths = ["/api/archives", "/api/archives/process-1", "/api/archives/process-1/differences?before=1&after=2"]
    headers = {"authorization": "Bearer " + "token-" * 6}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cellar", headers=headers) as client:
        found = {path: await client.get(path) for path in paths}
    assert {each.status_code for each in found.values()} == {200}
    assert [each["kind"] for each in found[paths[-1]].json()] == ["field", "payment"]
    return {path: each.content for path, each in found.items()}


def test_staging_writes_no_secret_in_clear(sqlite_installation: Settings) -> None:
    delivery = received("process-1", body(content=b"QR=="))

    with staging(store().spool_folder) as folder:
        staged = stage(folder / "content", "process-1", delivery.receipt_id)
        write_sealed(staged, secret_ranges(staged.scan.skeleton))
        stage_what_rebuilds(staged)
        written = {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}

    assert {"skeleton.json", "cuts.json", REQUEST} < set(written)
    assert {name: found_in(text) for name, text in written.items() if found_in(text)} == {}


def test_missing_master_key_damages_nothing_and_is_reported_as_such(configure: Configure, kinds: str) -> None:
    receipts = [
        received("process-1", body(each)).receipt_id for each in ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    ]
    for each in receipts:
        run(each)
    before = dict(stored(*FOLDERS))

    configure(seal_keys=b64encode(bytes(64)).decode())
    again = received("process-1", body())

    request = request_of("process-1", receipts[0])
    assert json.loads(request.skeleton())["data"][0]["value"] is None
    for use in (request.archive, request.clear_skeleton, lambda: persist("process-1", again.receipt_id)):
        with pytest.raises(Locked, match="CELLAR_SEAL_KEYS"):
            use()
    (finding,) = verify_object(object_of("process-1")).findings
    assert "CELLAR_SEAL_KEYS" in finding.found
    assert dict(stored(*FOLDERS)) == before
    assert inbox.has_body(again.receipt_id)


def test_rotation_changes_no_archive_and_makes_the_old_key_unnecessary(
    configure: Configure, kinds: str, cellar: Callable[..., bytes]
) -> None:
    old, new = (b64encode(secrets.token_bytes(64)).decode() for _ in range(2))
    configure(seal_keys=old)
    sent = body()
    receipt_id = received("process-1", sent).receipt_id
    run(receipt_id)
    seals.fingerprint("guid-424242")
    before = dict(stored(*FOLDERS))

    configure(seal_keys=f"{new},{old}")
    output = cellar("rotate-keys")
    configure(seal_keys=new)

    after = dict(stored(*FOLDERS))
    assert b"2 keys, 2 of them wrapped anew" in output
    assert {key for key in before if after[key] != before[key]} == set(seals.wrapped_keys())
    assert stored_body("process-1", receipt_id) == sent
    assert validation_errors() == []
    assert b"2 keys, 0 of them" in cellar("rotate-keys")
    configure(seal_keys=old)
    assert b"no key of CELLAR_SEAL_KEYS opens" in cellar("rotate-keys")


def test_database_is_rebuilt_from_sealed_archives(configure: Configure, sqlite_installation: Settings) -> None:
    run(received("process-1", body()).receipt_id)
    before: Any = archive_view.archive("process-1", CELLAR)

    in_new_database(configure)

    assert archive_view.archive("process-1", CELLAR) == before
