"""No output of the receiver or about settlement reports shows a card secret in clear.

Secrets may be in clear only in a raw body that waits in the inbox or lies in quarantine.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from adapters.inbox import inbox, quarantine
from adapters.settings.settings import settings
from adapters.store import ocfl, seals
from adapters.tables.runs.receipts import register_all
from services.payments import recorded
from tests.api.conftest import TOKEN, Receiver, started
from tests.conftest import Configure, free_port
from tests.flows.card_secrets import (
    ITS_ROW,
    OF_NOBODY,
    VISA,
    body,
    files_of_the_installation,
    found_in,
    rows,
    stored,
)
from tests.installations import archive_of, closed_url, finished
from tests.settlements import COLUMNS, line, report

FOLDERS = (ocfl.ROOT, seals.ROOT, "settlements")


def test_no_output_about_receipts_or_settlements_shows_a_secret_in_clear(
    request: pytest.FixtureRequest,
    configure: Configure,
    kinds: str,
    caplog: pytest.LogCaptureFixture,
    cellar: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, logger="httpx")  # our own client logs its URLs
    (tmp_path / "columns.toml").write_text(COLUMNS)
    configure(
        api_tokens=TOKEN,
        payment_types="verify_credit_card=charged",
        port=free_port(),
        PREFECT_API_URL=closed_url(),
        settlement_columns="columns.toml",
    )
    outputs: dict[str, bytes | str] = {}

    with started() as receiver:
        outputs |= posted(receiver)
        for delivery in list(inbox.deliveries()):
            register_all([delivery])
            finished(delivery.reference, delivery.receipt_id)
        outputs |= settled(cellar, tmp_path)
        outputs |= answered(receiver, json.loads(outputs["answer"])["document"]["public_link"])
    outputs["log of the receiver"] = receiver.log.read_bytes()
    outputs |= shown_by_commands(cellar, tmp_path)
    outputs["rows"] = rows()
    if kinds.startswith("Postgres"):
        configure(database_url=request.getfixturevalue("postgres_database"))
    else:
        configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    outputs["migrate"], outputs["rebuild"] = cellar("migrate"), cellar("rebuild")
    assert b"1 archives are in the database again" in outputs["rebuild"]
    assert b"1 settlement reports are in the database again" in outputs["rebuild"]
    outputs |= {"rows, rebuilt": rows(), "own log": cellar(), "logs": caplog.text}
    outputs |= dict(stored(*FOLDERS))
    outputs |= {str(each): each.read_bytes() for each in files_of_the_installation() if not is_refused_body(each)}

    assert {name: found for name, text in outputs.items() if (found := found_in(text))} == {}
    archive = archive_of("process-1")
    assert archive.payments[0].standing == "settled"
    assert len([each for each in files_of_the_installation() if is_refused_body(each)]) == 2


def is_refused_body(path: Path) -> bool:
    return path.parent.name == "quarantine" and path.suffix == ".body"


def posted(receiver: Receiver) -> dict[str, bytes]:
    """Return the receiver's answers to an archive, to the same archive again, and to two refused bodies."""
    sent = body()
    wrong = sent.replace(b'"firstPayment": "', b'"firstPayment": x"')
    bodies = {"answer": sent, "answer again": sent, "answer to no JSON": wrong, "answer to half": sent[:-50]}
    answers = {name: receiver.post(each) for name, each in bodies.items()}
    assert [each.json()["status"] for each in answers.values()] == ["0", "0", "-1", "-1"]
    return {name: each.content for name, each in answers.items()}


def settled(cellar: Callable[..., bytes], folder: Path) -> dict[str, bytes]:
    """Return the output about a report with the same secrets, and about three reports with a secret in a wrong cell."""
    assert len(found_in(report(ITS_ROW, OF_NOBODY))) == 6
    (folder / "report.csv").write_bytes(report(ITS_ROW, OF_NOBODY))
    for name in ("amount", "kind", "settled"):
        (folder / f"{name}.csv").write_bytes(report(line("guid-424242", auth="auth-777888", **{name: f"{VISA}x"})))
    outputs = {
        "settle, dry run": cellar("settle", str(folder / "report.csv"), "--dry-run"),
        "settle": cellar("settle", str(folder / "report.csv")),
        "settle as JSON": cellar("settle", str(folder / "report.csv"), "--json"),
    }
    assert json.loads(outputs["settle as JSON"])["matched"] == 1
    wrong = {name: cellar("settle", str(folder / f"{name}.csv")) for name in ("amount", "kind", "settled")}
    assert all(b"nothing was imported" in each for each in wrong.values())
    return outputs | wrong


def answered(receiver: Receiver, public_link: str) -> dict[str, bytes]:
    """Return the receiver's answers about the archive and reports, and to requests that name a secret."""
    (of_nobody,) = recorded.not_closed_by_id(None)
    explanation = {"by": "Dana", "why": "agreed"}
    headers = {"authorization": f"Bearer {TOKEN}"}
    paths = [
        *("/api/archives", "/api/archives/process-1", "/api/discrepancies", "/api/discrepancies?reference="),
        *("/api/discrepancies?state=closed", "/healthz", "/readyz"),
    ]
    found = {path: receiver.client.get(path, headers=headers) for path in paths}
    found["public link"] = receiver.client.get(public_link)
    found["explained"] = receiver.client.post(
        f"/api/discrepancies/{of_nobody}/explanation", json=explanation, headers=headers
    )
    assert {each.status_code for each in found.values()} == {200}
    found |= asked_for_secrets(receiver.client, headers)
    return {name: each.content for name, each in found.items()}


def asked_for_secrets(client: httpx.Client, headers: dict[str, str]) -> dict[str, httpx.Response]:
    queries = [f"/api/{name}={VISA}" for name in ("archives?q", "archives?cursor", "discrepancies?cursor")]
    paths = [*queries, f"/api/archives/{VISA}", f"/d/{VISA}", f"/api/discrepancies?code={VISA}"]
    return {f"asked for {number}": client.get(path, headers=headers) for number, path in enumerate(paths)}


def shown_by_commands(cellar: Callable[..., bytes], folder: Path) -> dict[str, bytes | str]:
    refused = [each.receipt_id for each in quarantine.refused()]
    (its_own, *_), (of_nobody,) = recorded.not_closed_by_id("process-1"), recorded.not_closed_by_id(None)
    commands = {
        "discrepancies": ["discrepancies", "list"],
        "discrepancies as JSON": ["discrepancies", "list", "--json"],
        "explain": ["explain", "process-1", its_own, "--why", "agreed"],
        "explain by id": ["explain", "--id", of_nobody, "--why", "agreed"],
        "explain nothing": ["explain", "process-1", "BAD_CODE", "--transaction", VISA, "--why", "agreed"],
        "show": ["show", "process-1"],
        "list": ["list", "--json"],
        "export-table": ["export-table", "payments", "--to", str(folder / "payments.parquet")],
        "quarantine list": ["quarantine", "list"],
        "quarantine list as JSON": ["quarantine", "list", "--json"],
        "verify": ["verify"],
    }
    commands |= {f"quarantine show {each}": ["quarantine", "show", each] for each in refused}
    commands |= {f"quarantine release {each}": ["quarantine", "release", each] for each in refused}
    outputs: dict[str, bytes | str] = {name: cellar(*arguments) for name, arguments in commands.items()}
    assert b": sound" in outputs["verify"]
    outputs["table"] = repr(pq.read_table(folder / "payments.parquet").to_pylist())
    assert "process-1" in outputs["table"]
    return outputs
