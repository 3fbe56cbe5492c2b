"""Runs `cellar logs` over logs that a test has written, with and without a database."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.observation.log import reference_digest
from adapters.settings.settings import settings
from tests.cli.conftest import Cellar
from tests.conftest import LONGEST_S, running, wait_until
from tests.installations import archived, database_that_is_away, installed
from tests.samples import sample_body

CELLAR = str(Path(sys.executable).with_name("cellar"))


def events(output: str) -> list[str]:
    return [json.loads(line)["event"] for line in output.splitlines()]


def add(program: str, at: str, event: str, level: str = "info", **fields: Any) -> None:
    log = settings().data_dir / "logs" / f"{program}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    line = {"timestamp": f"2026-11-26T08:00:{at}+00:00", "level": level, "event": event} | fields
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.mark.usefixtures("configure")
def test_missing_logs_are_wrong_use_and_the_message_names_the_folder(cellar: Cellar, tmp_path: Path) -> None:
    ended = cellar("logs")

    assert ended.status == 2
    assert f"there are no logs in {tmp_path / 'data' / 'logs'}" in ended.errors


@pytest.mark.usefixtures("configure")
def test_lines_of_all_programs_in_order_of_time_since_a_time_and_of_a_level(cellar: Cellar) -> None:
    add("api", "01", "one")
    add("worker", "02", "two", level="warning")
    add("api", "03", "three", level="error")

    assert events(cellar("logs").output) == ["one", "two", "three"]
    assert events(cellar("logs", "--level", "warning").output) == ["two", "three"]
    assert events(cellar("logs", "--since", "2026-11-26T08:00:02Z").output) == ["two", "three"]
    assert cellar("logs", "--since", "soon").status == 2


@pytest.mark.usefixtures("sqlite_installation")
def test_lines_of_a_process_are_found_by_its_digest_its_receipts_and_its_runs(cellar: Cellar) -> None:
    receipt_id = archived("process-1", sample_body("process-1"))
    archived("process-2", sample_body("process-2"))
    add("api", "01", "by its receipt", receipt_id=receipt_id)
    add("api", "02", "of another process", reference_digest=reference_digest("process-2"))
    add("api", "03", "by its digest", reference_digest=reference_digest("process-1"), flow_run_id="5-6-7")
    add("prefect", "04", "by the run 5-6-7 that an earlier line names")

    found = events(cellar("logs", "process-1").output)

    assert found == ["by its receipt", "by its digest", "by the run 5-6-7 that an earlier line names"]


def test_lines_of_a_process_are_found_by_its_digest_while_the_database_is_away(cellar: Cellar, tmp_path: Path) -> None:
    with installed(tmp_path, database_url=database_that_is_away()):
        add("api", "01", "by its digest", reference_digest=reference_digest("process-1"))
        add("api", "02", "of another process", reference_digest=reference_digest("process-2"))
        ended = cellar("logs", "process-1")

    assert events(ended.output) == ["by its digest"]
    assert "the database does not answer" in ended.errors
    assert ended.status == 0


@pytest.mark.usefixtures("sqlite_installation")
def test_process_without_lines_is_said_to_have_none(cellar: Cellar) -> None:
    add("api", "01", "of another process", reference_digest=reference_digest("process-1"))

    ended = cellar("logs", "unknown")

    assert ended.status == 1
    assert "no line in" in ended.errors


@pytest.mark.usefixtures("configure")
def test_following_prints_each_line_as_it_is_written(tmp_path: Path) -> None:
    add("api", "01", "old")
    output = tmp_path / "output"
    with running([CELLAR, "logs", "--follow"], dict(os.environ), output):
        wait_until(lambda: "old" in output.read_text())
        add("worker", "02", "new")
        wait_until(lambda: "new" in output.read_text())


@pytest.mark.usefixtures("configure")
def test_lines_on_a_terminal_are_for_people() -> None:
    add("api", "01", "stored", size_bytes=7)
    ours, theirs = pty.openpty()
    subprocess.run([CELLAR, "logs"], stdout=theirs, timeout=LONGEST_S, check=True)
    os.close(theirs)
    text = os.read(ours, 4096).decode()
    os.close(ours)

    assert "api: stored" in text
    assert "{" not in text
