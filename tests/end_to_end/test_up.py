"""`cellar up` starts, stops and starts again, and keeps its files private under a umask that lets others read."""

import os
import signal
import stat
import time
from pathlib import Path

import httpx

from tests.conftest import LONGEST_S, wait_until
from tests.end_to_end.conftest import Running, cellar, have_ended, up_in
from tests.samples import sample_body

_FIRST_LOGIN = "the first login: the link in this file"


def test_idle_installation_takes_little_processor_time(up: Running) -> None:
    data = up.folder / "data"

    wait_until(lambda: _processor_s(data, while_s=4) < 2)


def _processor_s(data: Path, while_s: float) -> float:
    """Return the processor time that all processes of an installation take in so many seconds."""

    def taken() -> float:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _processes_of(data)]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")

    before = taken()
    time.sleep(while_s)
    return taken() - before


def _processes_of(data: Path) -> list[int]:
    """Return the processes with the mark that `cellar up` gives to every process it starts."""
    mark = f"CELLAR_UP={data}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def open_to_others(folder: Path) -> list[str]:
    """Return the paths that others may read, write or enter. Files that disappear during the search are skipped."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        try:
            bits = stat.S_IMODE(path.lstat().st_mode)
        except FileNotFoundError:
            continue
        if bits & 0o077:
            found.append(f"{path.relative_to(folder)} {bits:o}")
    return found


def test_printed_console_opens_and_the_artifact_of_a_run_leads_to_it(up: Running) -> None:
    up.send(sample_body("looked at"))
    up.read_until("looked at", have_ended(runs=1))

    artifacts = up.prefect("/artifacts/filter", {"limit": 200})

    assert f"{up.url}/console/\n" in (up.folder / "up.log").read_text()
    assert f"{up.url}/console/archives/hello-cellar\n" in (up.folder / "up.log").read_text()
    assert "Sign in" in httpx.get(f"{up.url}/console/", follow_redirects=True, timeout=60).text
    assert any(f"]({up.url}/console/archives/looked%20at)" in str(each["data"]) for each in artifacts)


def test_files_are_private_and_a_stop_leaves_no_process_and_the_next_start_finds_the_data(
    up: Running, programs: up_in
) -> None:
    """Run last: at its end, the installation of the room is stopped."""
    data = up.folder / "data"
    of_tests = open_to_others(data)  # exports of the docs' commands, and obstacles in the store
    assert not [each for each in of_tests if each.startswith(("inbox", "secrets", "logs", "prefect", "cellar.db"))]
    receipt_id = up.send(sample_body("kept"))["document"]["reference"]
    up.send(b'{"reference": 1}')
    up.read_until("kept", have_ended(runs=1))
    wait_until(lambda: any((data / "inbox" / "quarantine").iterdir()))
    assert cellar(up, "verify").returncode == 0
    assert _FIRST_LOGIN in programs.output.read_text()
    while_up = open_to_others(data)
    _stop(programs, signal.SIGINT)
    assert while_up == open_to_others(data) == of_tests
    assert {each.name for each in data.iterdir()} >= {"inbox", "store", "secrets", "logs", "prefect", "cellar.db"}

    programs.__enter__()
    assert [each["receipt_id"] for each in up.read("kept")["versions"]] == [receipt_id]
    runs = up.prefect("/flow_runs/filter", {"flow_runs": {"tags": {"all_": ["reference:kept"]}}})
    assert [each["name"] for each in runs] == ["kept"]
    assert _FIRST_LOGIN not in programs.output.read_text()
    _stop(programs, signal.SIGTERM)


def _stop(programs: up_in, how: signal.Signals) -> None:
    os.kill(programs.process.pid, how)
    assert programs.process.wait(LONGEST_S) == 0, programs.output.read_text()
    assert _processes_of(programs.installation.folder / "data") == []
