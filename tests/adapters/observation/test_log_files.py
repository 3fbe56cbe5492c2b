"""Rotates a log while real processes write to it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.observation.log_files import LOG_FILE_VARIABLE, lines_of, older, open_log, rotate
from tests.conftest import LONGEST_S, wait_until

ROOT = Path(__file__).parents[3]
WRITER = """
import os, sys, time, structlog
from adapters.observation.log import set_up_log
set_up_log()
log, count = structlog.get_logger(), 0
while not os.path.exists("stop"):
    count += 1
    log.info("line", writer=sys.argv[1], count=count)
    print("printed", count)
    time.sleep(0.005)
os.write(2, b"raw, as by the interpreter\\n")
"""


def start_writer(log: Path, name: str) -> "subprocess.Popen[bytes]":
    opened = open_log(log)
    environment = os.environ | {LOG_FILE_VARIABLE: str(log), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, name], cwd=log.parent, env=environment, stdout=opened, stderr=opened
    )
    os.close(opened)
    return process


def test_rotation_loses_no_line_of_processes_that_share_a_log(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    writers = [start_writer(log, name) for name in ("one", "two")]
    for _ in range(3):
        wait_until(lambda: log.stat().st_size > 20_000)  # both go on in the new file
        assert rotate(log, limit_bytes=20_000)
    wait_until(lambda: log.stat().st_size > 20_000)
    (tmp_path / "stop").touch()
    assert [each.wait(LONGEST_S) for each in writers] == [0, 0]

    lines = list(lines_of(tmp_path))
    for name in ("one", "two"):
        counts = [line.fields["count"] for line in lines if line.fields.get("writer") == name]
        assert sorted(counts) == list(range(1, len(counts) + 1))
    printed = [line for line in lines if str(line.fields.get("event", "")).startswith("printed")]
    assert len(printed) == len([line for line in lines if "writer" in line.fields])
    assert log.read_bytes().count(b"raw, as by the interpreter") == 2
    assert {path.name for path in tmp_path.glob("api*")} == {"api.log", "api.log.1", "api.log.2", "api.log.3"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("api*")} == {0o600}


def test_last_lines_of_a_killed_process_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    writer = start_writer(log, "one")
    wait_until(lambda: log.stat().st_size > 2000)
    writer.kill()
    writer.wait(LONGEST_S)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    counts = [line["count"] for line in lines if "count" in line]
    assert counts == list(range(1, len(counts) + 1))


def test_five_renamed_files_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for number in range(8):
        log.write_text(f"{number}")
        assert rotate(log, limit_bytes=0)

    assert [path.read_text() for path in older(log)] == ["7", "6", "5", "4", "3"]
    assert len(list(tmp_path.iterdir())) == 6


def test_small_log_is_not_renamed_and_a_removed_log_is_reported(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("small")

    assert not rotate(log, limit_bytes=5)
    log.unlink()
    with pytest.raises(FileNotFoundError):
        rotate(log)
