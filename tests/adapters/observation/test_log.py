"""Runs programs that log, and reads what they write: to a pipe, a terminal, a full disk."""

import json
import os
import pty
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.observation.log import reference_digest
from tests.conftest import LONGEST_S

ROOT = Path(__file__).parents[3]
SET_UP = (
    "import logging, structlog\nfrom adapters.observation.log import *\nset_up_log()\nlog = structlog.get_logger()\n"
)


def lines_of(program: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_line_in_a_pipe_is_json_with_level_and_a_time_with_zone() -> None:
    (line,) = lines_of("log.warning('stored', size_bytes=7)")

    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo
    assert line == {"level": "warning", "event": "stored", "size_bytes": 7}


def test_lines_of_the_standard_library_have_the_same_format_and_the_bound_ids() -> None:
    own, standard = lines_of(
        "with bound('process-1', 'receipt'):\n"
        "    log.info('own')\n"
        "    logging.getLogger('library').error('the %s', 'standard', extra={'flow_run_id': 'a', 'flow_run_name': 'b'})"
    )

    ids = {"receipt_id": "receipt", "reference_digest": reference_digest("process-1")}
    assert own.keys() == {"timestamp", "level", "event", *ids}
    assert standard | ids | {"flow_run_id": "a", "logger": "library"} == standard
    assert (standard["event"], standard["level"]) == ("the standard", "error")
    assert "flow_run_name" not in standard  # Prefect's name of a run is the reference


def test_trace_is_one_line() -> None:
    (line,) = lines_of(
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('library').exception('failed')"
    )

    assert line["event"] == "failed"
    assert line["exception"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_values_that_json_lacks_are_logged_all_the_same() -> None:
    (line,) = lines_of("log.info('odd', number=10**30, text='half an emoji \\ud83d', what={1})")

    assert (line["number"], line["text"], line["what"]) == (10**30, "half an emoji \ud83d", "{1}")


def test_handlers_of_libraries_are_replaced() -> None:
    program = "logging.getLogger('a').addHandler(logging.StreamHandler())\nadopt_loggers()\n"
    program += "logging.getLogger('a').propagate = False\nlogging.getLogger('a').warning('from a')"

    assert [line["event"] for line in lines_of(program)] == ["from a"]


def test_full_disk_loses_lines_and_raises_nothing() -> None:
    program = SET_UP + "log.error('one')\nlogging.error('two')\nprint(failed_writes() > 0)"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=LONGEST_S,
            check=False,
        )

    assert done.stdout == b"True\n"


def test_line_on_a_terminal_is_for_people() -> None:
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", SET_UP + "log.info('stored', size_bytes=7)"]
    subprocess.run(program, cwd=ROOT, stderr=theirs, timeout=LONGEST_S, check=True)
    os.close(theirs)
    text = os.read(ours, 4096).decode()
    os.close(ours)

    assert "stored" in text
    assert "\x1b[" in text
    assert "{" not in text


def test_logger_that_has_written_follows_a_later_setting_up() -> None:
    """Commands that run in one process set up the log each; structlog's own tools change the list that is in use."""
    (line,) = lines_of(
        "from structlog.testing import capture_logs\n"
        "log.info('before')\n"
        "set_up_log()\n"
        "with capture_logs() as said:\n"
        "    log.error('captured')\n"
        "assert [each['event'] for each in said] == ['captured']"
    )

    assert line["event"] == "before"
