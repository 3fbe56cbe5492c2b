"""Operators read the log of each run, its trace and its state, and import archives by one command."""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx

from adapters.observation.log import reference_digest
from cli.options import shell
from tests.conftest import LONGEST_S, wait_until
from tests.end_to_end.collector import Collector
from tests.end_to_end.conftest import Endpoint, Running, cellar, have_ended
from tests.samples import sample_body, sample_document

_PLANTED_LENGTHS = range(8, 200)
_PUBLIC = {"127.0.0.1", "WHP_ARCHIVE", "application/pdf", "image/png", "verify_credit_card", "EF_CLIENT_LOGGED_IN"}
MAY_BE_LOW = {"disk of data"}


def wrong(ended: CompletedProcess[str]) -> list[str]:
    """Return the checks that are wrong, beside the disk of the machine that runs the tests."""
    checks = json.loads(ended.stdout)["checks"]
    return [each["name"] for each in checks if each["verdict"] == "wrong" and each["name"] not in MAY_BE_LOW]


def test_running_installation_passes_every_check(up: Running) -> None:
    wait_until(lambda: wrong(cellar(up, "status", "--json")) == [])
    status = cellar(up, "status", "--deep", "--json")

    assert (status.stderr, wrong(status)) == ("", [])
    assert len(json.loads(status.stdout)["workers"]) == 1
    checks = {each["name"]: each for each in json.loads(status.stdout)["checks"]}
    assert (checks["schema"]["verdict"], checks["housekeeping"]["verdict"]) == ("ok", "ok")
    for name in ("sweep-inbox/scheduled", "find-missing/scheduled"):
        assert checks[name]["found"] == "current, its schedule is active"
    assert checks["settings"]["verdict"] == "warning"  # private endpoints are allowed


_TASKS = {"persist-files", "load-metadata", "reconcile-payments", "notify-downstream"}


def test_receipt_trigger_run_tasks_and_notification_are_one_trace(up: Running, collector: Collector) -> None:
    receipt_id = up.send(sample_body("traced-reference"))["document"]["reference"]
    archive = up.read_until("traced-reference", have_ended(runs=1))
    wait_until(lambda: {"trigger", "run"} <= {each.name for each in collector.trace_of(receipt_id)})

    spans = {each.name: each for each in collector.trace_of(receipt_id)}

    assert set(spans) == {"receive", "trigger", "run", *_TASKS, "notification"}
    assert {each.trace_id for each in spans.values()} == {spans["receive"].trace_id}
    names = {each.span_id: name for name, each in spans.items()}
    parents = {name: names.get(each.parent_id) for name, each in spans.items()}
    assert parents == {
        "receive": None,
        "trigger": "receive",
        "run": "receive",
        **dict.fromkeys(_TASKS, "run"),
        "notification": "notify-downstream",
    }
    flow_run_id = archive["runs"][0]["flow_run_id"]
    assert {spans[name].attributes["cellar.flow_run_id"] for name in ("trigger", "run")} == {flow_run_id}
    assert {each.service for each in spans.values()} == {"cellar"}
    assert b"traced-reference" not in collector.received


def test_span_of_a_refused_body_names_the_error_and_nothing_of_the_body(up: Running, collector: Collector) -> None:
    up.send(b'{"event": {"type": "WHP_ARCHIVE"}, "reference": 7, "note": "a value of a payload"}')

    wait_until(lambda: any(each.name == "receive" and each.is_error for each in collector.spans))

    assert b"a value of a payload" not in collector.received


def test_import_says_what_it_has_done_and_a_second_import_skips_it(up: Running, endpoint: Endpoint) -> None:
    saved = up.folder / "saved"
    saved.mkdir()
    (saved / "saved.json").write_bytes(sample_body("saved"))

    first, second = (cellar(up, "import", "saved", "--json") for _ in range(2))
    deployment = up.prefect("/deployments/name/import-archives/import-archives")
    up.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})  # its schedule would take a minute
    archive = up.read_until("saved", lambda found: found.get("state") == "completed")

    told = [json.loads(each.stdout) for each in (first, second)]
    assert [(each["taken_in"], each["known"], each["refused"]) for each in told] == [(1, 0, 0), (0, 1, 0)]
    assert (first.returncode, second.returncode, archive["runs"]) == (0, 0, [])
    assert "saved" not in endpoint.confirmed
    records = [json.loads(line) for line in cellar(up, "access", "--action", "release", "--json").stdout.splitlines()]
    assert {each["person"] for each in records} == {shell().name}


def test_prefect_asks_for_a_login_that_no_log_has(up: Running) -> None:
    path = "/deployments/name/import-archives/import-archives"
    asked = httpx.get(f"{up.prefect_url}/api{path}", timeout=LONGEST_S)

    assert asked.status_code == 401
    logs = [(up.folder / "up.log").read_text(), (up.folder / "data/logs/up.log").read_text()]
    assert not [each for each in logs if up.prefect_login.partition(":")[2] in each]


def test_refused_payload_and_missing_path_are_named_and_exit_with_1(up: Running) -> None:
    (up.folder / "wrong.json").write_bytes(b'{"reference": 1}')

    refused, missing = (cellar(up, "import", each) for each in ("wrong.json", "nowhere"))

    assert (refused.returncode, missing.returncode) == (1, 1)
    assert f"{up.folder}/wrong.json" in refused.stdout
    assert "0 taken in, 0 known, 1 refused" in refused.stdout
    assert f"nothing at {up.folder}/nowhere" in missing.stderr


ROOT = Path(__file__).parents[2]


def test_printed_commands_work_when_they_are_pasted_and_show_no_secret(up: Running) -> None:
    printed = (up.folder / "up.log").read_text()
    send, read = [line for line in printed.splitlines() if line.startswith("curl ")]

    answer = json.loads(subprocess.check_output(["bash", "-c", send]))
    of_the_readme = sha256((ROOT / "docs/hello.json").read_bytes()).hexdigest()
    assert (answer["status"], answer["document"]["reference"]) == ("0", of_the_readme)
    wait_until(lambda: up.read("hello-cellar").get("state") == "completed")
    assert json.loads(subprocess.check_output(["bash", "-c", read]))["reference"] == "hello-cellar"
    assert up.secret not in printed
    assert up.token not in printed


def test_lines_of_a_process_tell_its_way_and_carry_its_ids(up: Running) -> None:
    receipt_id = up.send(sample_body("its way"))["document"]["reference"]
    up.read_until("its way", lambda archive: archive.get("state") == "completed")
    way = ["archive received", "run started", "message sent", "run ended"]
    wait_until(lambda: {line["event"] for line in lines_about(up, "its way")} >= set(way))

    lines = {line["event"]: line for line in lines_about(up, "its way")}

    assert list(lines) in (way, [*way[:2], "run ended", "message sent"])  # an attempt may take longer than its run
    ids = {(line["receipt_id"], line["reference_digest"]) for line in lines.values()}
    assert ids == {(receipt_id, reference_digest("its way"))}
    assert len({lines[event]["flow_run_id"] for event in way[1:]}) == 1
    assert lines["run ended"]["outcome"] in ("Completed", "Undelivered")
    assert all(line["duration_s"] >= 0 for event, line in lines.items() if event != "run started")


def test_failed_run_leaves_a_warning_with_the_digest_of_its_process(up: Running) -> None:
    deployment = up.prefect("/deployments/name/process-archive/archive")
    parameters = {"reference": "unknown", "receipt_id": "0" * 64}
    run = up.prefect(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})

    def _ended() -> list[dict[str, Any]]:
        return [line for line in lines_about(up, "unknown") if line["event"] == "run ended"]

    wait_until(lambda: bool(_ended()))
    (line,) = _ended()
    assert (line["level"], line["outcome"], line["flow_run_id"]) == ("warning", "Failed", run["id"])


def test_each_line_of_the_log_is_json_with_zone_and_its_program_and_none_has_a_value_of_an_archive(up: Running) -> None:
    """Three archives of one transaction arrive, are processed and notify an endpoint. One is run again."""
    document = sample_document()
    document["payments"][0]["amount"] += 1
    document["sessions"][0] |= {"submitted_at": None, "integrations": [{"type": "mail", "status": "failed"}]}
    document["sessions"][0]["process_number"] = 504917263
    references = ["050-1234567", "052-7654321"]
    for reference in references:
        up.send(json.dumps(document | {"reference": reference}).encode())
    up.send(json.dumps(document | {"reference": "054-1111111", "attachments": "Dana Cohen"}).encode())
    up.send(json.dumps(document | {"reference": "058-2222222", "sessions": "Noa Levi"}).encode())
    for reference in references:
        codes = {each["code"] for each in up.read_until(reference, have_ended(runs=1))["discrepancies"]}
        assert codes >= {"AMOUNT_MISMATCH"}
    assert "DUPLICATE_TRANSACTION" in codes
    rerun = f"{up.url}/api/archives/{references[0]}/rerun"
    httpx.post(rerun, headers={"authorization": f"Bearer {up.token}"}, timeout=LONGEST_S).raise_for_status()
    up.read_until(references[0], have_ended(runs=2))
    planted = {each for each in leaves(document) if len(each) in _PLANTED_LENGTHS} - _PUBLIC
    planted |= {*references, "504917263", "054-1111111", "Dana Cohen", "058-2222222", "Noa Levi"}

    lines = (up.folder / "data/logs/up.log").read_text().splitlines()
    assert all(datetime.fromisoformat(json.loads(line)["timestamp"]).tzinfo for line in lines)
    assert {json.loads(line)["program"] for line in lines} >= {"api", "worker"}
    assert [(each, line) for line in lines for each in planted if each in line] == []
    printed = up.folder / "up.log"  # what `cellar up` prints, a moment after it has kept it
    wait_until(lambda: set(lines) <= set(printed.read_text().splitlines()))


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    elif isinstance(value, str):
        yield value


def lines_about(up: Running, reference: str) -> list[dict[str, Any]]:
    lines = (up.folder / "data/logs/up.log").read_text().splitlines()
    return [json.loads(line) for line in lines if reference_digest(reference) in line]
