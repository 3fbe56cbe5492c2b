"""Reads what a running `cellar up` has written and printed."""

import json
import subprocess
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from adapters.observation.log import reference_digest
from tests.conftest import LONGEST_S, wait_until
from tests.end_to_end.conftest import Running, cellar
from tests.samples import sample_body

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
    assert lines["run ended"]["process_number"] == up.read("its way")["process_number"]
    assert lines["run ended"]["outcome"] in ("Completed", "Undelivered")
    assert all(line["duration_s"] >= 0 for event, line in lines.items() if event != "run started")


def test_failed_run_leaves_a_warning_with_the_digest_of_its_process(up: Running) -> None:
    deployment = httpx.get(f"{up.prefect_url}/api/deployments/name/process-archive/archive", timeout=LONGEST_S).json()
    parameters = {"reference": "unknown", "receipt_id": "0" * 64}
    run = up.prefect(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})

    def _ended() -> list[dict[str, Any]]:
        return [line for line in lines_about(up, "unknown", "--level", "warning") if line["event"] == "run ended"]

    wait_until(lambda: bool(_ended()))
    (line,) = _ended()
    assert (line["outcome"], line["flow_run_id"]) == ("Failed", run["id"])
    assert line["reference_digest"] == reference_digest("unknown")


def test_each_line_of_each_log_is_json_with_zone_and_none_has_a_reference(up: Running) -> None:
    up.send(sample_body("050-1234567"))
    up.read_until("050-1234567", lambda archive: archive.get("state") == "completed")

    for log in (up.folder / "data" / "logs").iterdir():
        lines = log.read_text().splitlines()
        assert all(datetime.fromisoformat(json.loads(line)["timestamp"]).tzinfo for line in lines), log
        assert "050-1234567" not in log.read_text()


def lines_about(up: Running, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cellar(up, "logs", *arguments).stdout.splitlines()]
