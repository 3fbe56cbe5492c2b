"""Runs the supervisor over tiny real programs, by `supervised.py`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.programs.supervisor import Listener, require_free, sole_use
from models.errors import Refused
from tests.conftest import LONGEST_S, wait_until

ROOT = Path(__file__).parents[3]
MARK = "CELLAR_TEST_MARK"
Programs = tuple[str, list[str], float]


class Driver:
    """A process that supervises programs in a folder."""

    def __init__(
        self,
        folder: Path,
        *programs: Programs,
        prefix: tuple[str, ...] = (),
        interpreter: str = sys.executable,
        output: int = subprocess.PIPE,
    ) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*prefix, interpreter, "-m", "tests.cli.programs.supervised", json.dumps(programs)],
            cwd=folder,
            env=os.environ | {MARK: str(folder), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_until_up(self) -> "Driver":
        wait_until(lambda: (self.folder / "up").exists() or self.process.poll() is not None)
        return self

    def wait_for_starts(self, number: int) -> None:
        wait_until(lambda: len(self.notes("started")) == number)

    def end(self, number: int = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        return self.output()

    def output(self) -> str:
        return self.process.communicate(timeout=LONGEST_S)[0]

    def notes(self, what: str) -> list[tuple[str, float]]:
        lines = [line.split() for line in (self.folder / "notes").read_text().splitlines()]
        return [(name, float(at)) for name, noted, at in lines if noted == what]

    def processes(self) -> list[int]:
        """Return this driver's process, and every living process that it or a descendant has started."""
        every = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [pid for pid in every if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"{MARK}={self.folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[list[Driver]]:
    made: list[Driver] = []
    yield made
    for driver in made:
        for pid in driver.processes():
            os.kill(pid, signal.SIGKILL)
        driver.process.wait()
        if driver.process.stdout:
            driver.process.stdout.close()


Start = Callable[..., Driver]


@pytest.fixture
def start(tmp_path: Path, drivers: list[Driver]) -> Start:
    def _start(*programs: Programs, **options: Any) -> Driver:
        drivers.append(Driver(tmp_path, *programs, **options))
        return drivers[-1]

    return _start


def test_program_that_ends_is_restarted_after_growing_pauses_without_its_leftovers(start: Start) -> None:
    driver = start(("crashing", ["0.3", "orphan"], 5)).wait_until_up()
    driver.wait_for_starts(3)
    wait_until(lambda: len(driver.processes()) == 3)  # the supervisor, the program and its newest orphan
    output = driver.end()
    starts = [at for _, at in driver.notes("started")]
    assert starts[1] - starts[0] >= 1
    assert starts[2] - starts[1] >= 2
    for said in ("crashing ended with exit status 3", "starts again in 2 s", "the last words of crashing"):
        assert said in output
    assert (driver.process.returncode, driver.processes()) == (0, [])


def test_programs_stop_in_reverse_order_and_none_that_is_deaf_or_hides_in_a_session_is_left(start: Start) -> None:
    driver = start(("one", ["60"], 5), ("parent", ["60", "orphan"], 5), ("deaf", ["60", "stubborn"], 1)).wait_until_up()
    assert len(driver.processes()) == 5
    began_s = time.monotonic()
    output = driver.end()
    assert time.monotonic() - began_s >= 1
    assert "deaf does not stop by itself and is killed" in output
    assert [name for name, _ in driver.notes("stopped")] == ["deaf", "parent", "one"]
    assert (driver.process.returncode, driver.processes()) == (0, [])


def test_sigint_works_though_the_shell_ignores_it_and_a_second_kills_programs_at_once(start: Start) -> None:
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    driver = start(("deaf", ["60", "stubborn"], 60), prefix=ignoring).wait_until_up()
    driver.process.send_signal(signal.SIGINT)
    wait_until(lambda: len(driver.notes("stopped")) == 1)
    driver.end(signal.SIGINT)
    assert [name for name, _ in driver.notes("SIGINT-heeded")] == ["deaf"]
    assert (driver.process.returncode, driver.processes()) == (0, [])


def test_programs_end_and_write_to_the_log_when_the_supervisor_is_killed(start: Start, tmp_path: Path) -> None:
    driver = start(("one", ["60"], 5), ("two", ["60"], 5)).wait_until_up()
    driver.end(signal.SIGKILL)
    wait_until(lambda: driver.processes() == [])
    assert {name for name, _ in driver.notes("stopped")} == {"one", "two"}
    log = (tmp_path / "logs" / "up.log").read_text()
    assert "one stops" in log  # a print is two writes: what another writes may come before its end
    assert "two stops" in log


@pytest.mark.parametrize(
    ("arguments", "said", "killed"),
    [
        (["not-a-number"], ["broken ended with exit status 1 before it was ready", "float: 'not-a-number'"], 0),
        (["60", "killed:9"], ["broken ended with SIGKILL before it was ready"], 4),
    ],
)
def test_program_that_ends_before_it_is_ready_stops_all_and_shows_why(
    start: Start, arguments: list[str], said: list[str], killed: int
) -> None:
    driver = start(("one", ["60"], 5), ("broken", arguments, 5))
    output = driver.output()
    assert (driver.process.returncode, driver.processes()) == (1, [])
    assert [each for each in said if each not in output] == []
    assert len(driver.notes("killed")) == killed


def test_program_that_is_killed_before_it_is_ready_is_started_again(start: Start) -> None:
    driver = start(("one", ["60", "killed:2"], 5)).wait_until_up()
    assert "one ended with SIGKILL" in driver.end()
    assert (len(driver.notes("killed")), driver.process.returncode) == (2, 0)


def test_log_of_the_start_before_is_kept(start: Start, tmp_path: Path) -> None:
    for _ in range(2):
        start(("one", ["60"], 5)).wait_until_up().end()
        for name in ("up", "one.ready"):
            (tmp_path / name).unlink()
    (log,) = (tmp_path / "logs").iterdir()
    said, stop, *stops_and_again = log.read_text().splitlines()
    assert (said, "Stopping" in json.loads(stop)["event"]) == ("the last words of one", True)
    assert [*stops_and_again[:2], len(stops_and_again)] == ["one stops", said, 4]


def test_supervisor_restarts_and_stops_programs_while_its_output_disk_is_full(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        driver = start(("crashing", ["0.3"], 5), output=full.fileno()).wait_until_up()
        driver.wait_for_starts(2)
        driver.process.terminate()
        driver.process.wait(LONGEST_S)
    assert driver.processes() == []


def test_restart_is_tried_and_shown_until_it_succeeds_though_the_log_was_removed(start: Start, tmp_path: Path) -> None:
    """The interpreter is away for a while, as during an upgrade."""
    output_file, interpreter = tmp_path / "output", tmp_path / "python"
    interpreter.symlink_to(sys.executable)
    with output_file.open("w") as output:
        driver = start(("crashing", ["1"], 5), interpreter=str(interpreter), output=output.fileno()).wait_until_up()
        interpreter.unlink()
        (tmp_path / "logs" / "up.log").unlink()
        wait_until(lambda: "crashing cannot be started: No such file" in output_file.read_text())
        assert output_file.read_text().count("crashing ended with") == 1
        assert len(driver.notes("started")) == 1

        interpreter.symlink_to(sys.executable)

        driver.wait_for_starts(2)
        driver.end()


def test_folder_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    with sole_use(tmp_path / "data"), pytest.raises(Refused, match=f"process {os.getpid()}") as refusal:
        sole_use(tmp_path / "data").__enter__()
    assert refusal.value.where == "CELLAR_DATA_DIR"
    with sole_use(tmp_path / "data"):
        pass


def test_address_that_is_taken_wanted_twice_or_unknown_is_refused_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receiver = Listener("the receiver", "127.0.0.1", port, "CELLAR_PORT")
        with pytest.raises(Refused, match=f"port {port} on 127.0.0.1 is taken.*CELLAR_PORT"):
            require_free([receiver])
    require_free([receiver])
    with pytest.raises(Refused, match="CELLAR_PREFECT_PORT"):
        require_free([receiver, Listener("the Prefect server", "127.0.0.1", port, "CELLAR_PREFECT_PORT")])
    with pytest.raises(Refused, match="CELLAR_HOST"):
        require_free([Listener("the receiver", "nowhere.invalid", 0, "CELLAR_PORT")])
