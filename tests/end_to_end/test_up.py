"""`cellar up` starts, stops and starts again."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.conftest import new_installation, up_in
from tests.samples import sample_body


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stop_leaves_nothing_behind_and_the_next_start_finds_the_data(tmp_path: Path, stop: signal.Signals) -> None:
    installation = new_installation(tmp_path)
    with up_in(installation) as process:
        receipt_id = installation.send(sample_body("kept"))["document"]["reference"]
        installation.read_until("kept", lambda archive: archive.get("state") == "completed")
        os.kill(process.pid, stop)
        assert process.wait(60) == 0, (tmp_path / "up.log").read_text()
    assert _processes_of(tmp_path / "data") == []

    if stop is signal.SIGTERM:
        with up_in(installation):
            archive = installation.read("kept")
            assert [each["receipt_id"] for each in archive["versions"]] == [receipt_id]
            runs = installation.prefect("/flow_runs/filter", {"flows": {"name": {"any_": ["process-archive"]}}})
            assert [each["name"] for each in runs] == ["kept"]
        assert _processes_of(tmp_path / "data") == []


def _processes_of(data: Path) -> list[int]:
    """Processes that carry the mark of everything that `cellar up` starts."""
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
