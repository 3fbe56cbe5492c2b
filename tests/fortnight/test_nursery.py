"""A killed program is there again, and one that ends by itself is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import LONGEST_S, wait_until

PROGRAM = """
import sys
from pathlib import Path
from tests.fortnight.nursery import keep_running

keep_running(lambda: print(sys.stdin.readline(), end="", flush=True), Path(sys.argv[1]))
"""


def test_killed_program_is_there_again_and_one_that_ends_is_not(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(pid_file)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(pid_file.exists)
    first = pid_file.read_text()
    os.kill(int(first), signal.SIGKILL)
    wait_until(lambda: pid_file.read_text() != first)

    said, errors = process.communicate("a line\n", timeout=LONGEST_S)

    assert said == "a line\n"
    assert "the program has ended by itself with 0" in errors
    assert process.returncode == 1
