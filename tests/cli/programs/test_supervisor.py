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
from tests.conftest import LONGEST_S

ROOT = Path(__file__).parents[3]
MARK = "CELLAR_TEST_MARK"


class Driver:
    """A process that supervises programs in a folder."""

    def __init__(
        self,
        folder: Path,
        *programs: tuple[str, list[str], float],
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
        wait_for(lambda: (self.folder / "up").exists() or self.process.poll() is not None)
        return self

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
        return [pid for pid in pids() if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"{MARK}={self.folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def wait_for(condition: Callable[[], bool], within_s: float = LONGEST_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)


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
    def _start(*programs: tuple[str, list[str], float], **options: Any) -> Driver:
        drivers.append(Driver(tmp_path, *programs, **options))
        return drivers[-1]

    return _start


def test_program_that_ends_is_restarted_after_growing_pauses(start: Start) -> None:
    driver = start(("crashing", ["0.3"], 5)).wait_until_up()
    wait_for(lambda: len(driver.notes("started")) == 3)
    output = driver.end()
    starts = [at for _, at in driver.notes("started")]
    assert starts[1] - starts[0] >= 1
    assert starts[2] - starts[1] >= 2
    assert "crashing ended with exit status 3" in output
    assert "starts again in 2 s" in output
    assert "the last words of crashing" in output
    assert driver.process.returncode == 0


def test_programs_stop_in_reverse_order_of_their_start(start: Start) -> None:
    driver = start(("one", ["60"], 5), ("two", ["60"], 5), ("three", ["60"], 5)).wait_until_up()
    assert len(driver.processes()) == 4
    driver.end()
    assert [name for name, _ in driver.notes("stopped")] == ["three", "two", "one"]
    assert driver.process.returncode == 0
    assert driver.processes() == []


def test_program_that_does_not_stop_in_time_is_killed(start: Start) -> None:
    driver = start(("deaf", ["60", "stubborn"], 1)).wait_until_up()
    began_s = time.monotonic()
    output = driver.end()
    assert time.monotonic() - began_s >= 1
    assert "deaf does not stop by itself and is killed" in output
    assert driver.processes() == []


def test_second_signal_kills_programs_without_waiting(start: Start) -> None:
    driver = start(("deaf", ["60", "stubborn"], 60)).wait_until_up()
    driver.process.send_signal(signal.SIGINT)
    wait_for(lambda: len(driver.notes("stopped")) == 1)
    driver.end(signal.SIGINT)
    assert driver.processes() == []


def test_descendants_in_their_own_session_are_ended_too(start: Start) -> None:
    driver = start(("parent", ["60", "orphan"], 1)).wait_until_up()
    assert len(driver.processes()) == 3
    driver.end()
    assert driver.processes() == []


def test_leftovers_of_a_crashed_program_end_before_its_restart(start: Start) -> None:
    driver = start(("parent", ["1", "orphan"], 1)).wait_until_up()
    wait_for(lambda: len(driver.notes("started")) == 2)
    wait_for(lambda: len(driver.processes()) == 3)
    driver.end()
    assert driver.processes() == []


def test_sigint_works_though_the_shell_ignores_it(start: Start) -> None:
    driver = start(("one", ["60"], 5), prefix=("sh", "-c", 'trap "" INT; exec "$@"', "sh")).wait_until_up()
    driver.end(signal.SIGINT)
    assert driver.process.returncode == 0
    assert [name for name, _ in driver.notes("SIGINT-heeded")] == ["one"]


def test_programs_end_and_write_to_the_log_when_the_supervisor_is_killed(start: Start, tmp_path: Path) -> None:
    driver = start(("one", ["60"], 5), ("two", ["60"], 5)).wait_until_up()
    driver.end(signal.SIGKILL)
    wait_for(lambda: driver.processes() == [])
    assert {name for name, _ in driver.notes("stopped")} == {"one", "two"}
    log = (
        tmp_path / "logs" / "up.log"
    ).read_text()  # a print is two writes: what another writes may come before its end
    assert "one stops" in log
    assert "two stops" in log


def test_program_that_ends_before_it_is_ready_stops_all_and_shows_why(start: Start) -> None:
    driver = start(("one", ["60"], 5), ("broken", ["not-a-number"], 5))
    output = driver.output()
    assert driver.process.returncode == 1
    assert "broken ended with exit status 1 before it was ready" in output
    assert "could not convert string to float: 'not-a-number'" in output
    assert driver.processes() == []


def test_program_that_is_killed_before_it_is_ready_is_started_again(start: Start) -> None:
    driver = start(("one", ["60", "killed:2"], 5)).wait_until_up()
    output = driver.end()
    assert len(driver.notes("killed")) == 2
    assert "one ended with SIGKILL" in output
    assert driver.process.returncode == 0


def test_program_that_is_killed_at_each_start_stops_all(start: Start) -> None:
    driver = start(("one", ["60", "killed:9"], 5))
    output = driver.output()
    assert driver.process.returncode == 1
    assert len(driver.notes("killed")) == 4
    assert "one ended with SIGKILL before it was ready" in output


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
        wait_for(lambda: len(driver.notes("started")) == 2)
        driver.process.terminate()
        driver.process.wait(LONGEST_S)
    assert driver.processes() == []


def test_program_is_restarted_and_shown_though_the_log_was_removed(start: Start, tmp_path: Path) -> None:
    driver = start(("crashing", ["1"], 5)).wait_until_up()
    (tmp_path / "logs" / "up.log").unlink()
    wait_for(lambda: len(driver.notes("started")) == 2)
    assert "crashing ended with exit status 3" in driver.end()


def test_restart_is_tried_until_it_succeeds(start: Start, tmp_path: Path) -> None:
    """The interpreter is away for a while, as during an upgrade."""
    output_file, interpreter = tmp_path / "output", tmp_path / "python"
    interpreter.symlink_to(sys.executable)
    with output_file.open("w") as output:
        driver = start(("crashing", ["1"], 5), interpreter=str(interpreter), output=output.fileno()).wait_until_up()
        interpreter.unlink()
        wait_for(lambda: "crashing cannot be started: No such file" in output_file.read_text())
        assert output_file.read_text().count("crashing ended with") == 1
        assert len(driver.notes("started")) == 1

        interpreter.symlink_to(sys.executable)

        wait_for(lambda: len(driver.notes("started")) == 2)
        driver.end()


def test_folder_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    with sole_use(tmp_path / "data"), pytest.raises(Refused, match=f"process {os.getpid()}") as refusal:
        sole_use(tmp_path / "data").__enter__()
    assert refusal.value.where == "CELLAR_DATA_DIR"
    with sole_use(tmp_path / "data"):
        pass


def test_refusal_of_a_taken_port_names_the_port_and_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} on 127.0.0.1 is taken.*CELLAR_PORT"):
            require_free([Listener("the receiver", "127.0.0.1", port, "CELLAR_PORT")])
    require_free([Listener("the receiver", "127.0.0.1", port, "CELLAR_PORT")])


def test_two_listeners_on_one_port_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Refused, match="CELLAR_PREFECT_PORT"):
        require_free(
            [
                Listener("the receiver", "127.0.0.1", port, "CELLAR_PORT"),
                Listener("the Prefect server", "127.0.0.1", port, "CELLAR_PREFECT_PORT"),
            ]
        )


def test_refusal_of_an_unknown_host_names_its_setting() -> None:
    with pytest.raises(Refused, match="CELLAR_HOST"):
        require_free([Listener("the receiver", "nowhere.invalid", 0, "CELLAR_PORT")])
