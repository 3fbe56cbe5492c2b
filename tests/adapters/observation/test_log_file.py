"""The one log of `cellar up`, to which real processes append."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.observation.log_file import PROGRAM_VARIABLE, SharedLog, human_text
from tests.conftest import LONGEST_S, wait_until

ROOT = Path(__file__).parents[3]
WRITER = """
import os, time, structlog
from adapters.observation.log import set_up_log
set_up_log()
log, count = structlog.get_logger(), 0
while not os.path.exists("stop"):
    count += 1
    log.info("line", count=count)
    time.sleep(0.005)
os.write(2, b"raw, as by the interpreter")
"""
ALONE = """
import resource, signal
from pathlib import Path
from adapters.observation.log_file import SharedLog
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
log = SharedLog(Path("up.log"), lambda line: print(line, flush=True))
log.append("up", "the disk is full")
log.close()
"""


def start_writer(log: SharedLog, name: str) -> "subprocess.Popen[bytes]":
    environment = os.environ | {PROGRAM_VARIABLE: name, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER]
    return subprocess.Popen(command, cwd=log.path.parent, env=environment, stdout=log.descriptor, stderr=log.descriptor)


def counts(lines: list[str], program: str) -> list[int]:
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each["count"] for each in found if each.get("program") == program]


def test_every_line_of_all_programs_is_kept_and_shown_once_with_the_name_of_its_program(tmp_path: Path) -> None:
    """One of the programs is killed, and a terminal that is closed takes nothing."""
    shown: list[str] = []

    def show(line: str) -> None:
        shown.append(line)
        raise BrokenPipeError

    (tmp_path / "up.log").write_text("of an earlier start\n")
    log = SharedLog(tmp_path / "up.log", show)
    writers = {name: start_writer(log, name) for name in ("api", "worker")}
    wait_until(lambda: min(len(counts(log.path.read_text().splitlines(), each)) for each in writers) > 20)
    writers["worker"].kill()
    (tmp_path / "stop").touch()
    assert [each.wait(LONGEST_S) for each in writers.values()] == [0, -9]
    log.append("up", "worker ended")
    log.close()

    assert log.path.read_text().splitlines() == ["of an earlier start", *shown]
    for name in writers:
        assert counts(shown, name) == list(range(1, len(counts(shown, name)) + 1))
    # The last words of the interpreter have no end of a line.
    assert shown[-1].startswith("raw, as by the interpreter{")
    assert "worker ended" in shown[-1]


def test_large_log_is_copied_and_begun_anew_while_programs_write(tmp_path: Path) -> None:
    shown: list[str] = []
    log = SharedLog(tmp_path / "up.log", shown.append, limit_bytes=20_000)
    writer = start_writer(log, "api")
    before = tmp_path / "up.log.1"
    wait_until(before.exists)
    first = before.read_text().splitlines()[0]
    wait_until(lambda: before.read_text().splitlines()[:1] not in ([], [first]))
    (tmp_path / "stop").touch()
    writer.wait(LONGEST_S)
    log.close()

    found = counts(shown, "api")
    assert found == sorted(set(found))
    assert log.path.stat().st_size < 40_000
    assert {path.name for path in tmp_path.glob("up*")} == {"up.log", "up.log.1"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("up*")} == {0o600}


def test_log_that_a_person_empties_is_shown_from_its_beginning(tmp_path: Path) -> None:
    shown: list[str] = []
    log = SharedLog(tmp_path / "up.log", shown.append)
    log.append("up", "a long line before a person empties the log")
    wait_until(lambda: len(shown) == 1)
    log.path.write_text("")
    os.write(log.descriptor, b"short\n")
    log.close()

    assert shown[1:] == ["short"]


def test_line_is_shown_alone_while_the_disk_is_full(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=LONGEST_S,
        check=True,
    )

    assert json.loads(done.stdout)["event"] == "the disk is full"


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e"])
def test_text_for_people_has_escapes_in_place_of_control_characters(text: str) -> None:
    line = json.dumps({"timestamp": "2026-11-26T08:00:01Z", "event": f"a{text}b", "program": "api", "what": text})

    for shown in (human_text(line), human_text(f"raw {text}")):
        assert text not in shown
        assert text.encode("unicode_escape").decode() in shown
    assert "api: a" in human_text(line)


def test_trace_is_shown_in_lines() -> None:
    line = '{"timestamp": "2026-11-26T08:00:01Z", "level": "error", "event": "failed", "exception": "Traceback\\n  x"}'

    assert human_text(line).splitlines()[-2:] == ["Traceback", "  x"]
    assert human_text("[1, 2]") == "[1, 2]"
