"""`cellar up` refuses taken ports and folders before it starts anything."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from cli.programs.supervisor import sole_use
from tests.conftest import LONGEST_S

ROOT = Path(__file__).parents[3]


def cellar_up(folder: Path, **environment: object) -> subprocess.CompletedProcess[str]:
    return cellar(folder, "up", **environment)


def cellar(folder: Path, command: str, **environment: object) -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", command],
        cwd=folder,
        env=mine | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def test_taken_receiver_port_exits_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cellar_up(tmp_path, CELLAR_PORT=port)
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "CELLAR_PORT" in ended.stderr


def test_taken_prefect_port_exits_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        ended = cellar_up(tmp_path, CELLAR_PORT=free, CELLAR_PREFECT_PORT=port)
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "CELLAR_PREFECT_PORT" in ended.stderr


def test_second_start_on_the_same_data_folder_exits_with_2(tmp_path: Path) -> None:
    with sole_use(tmp_path / "data"):
        ended = cellar_up(tmp_path)
    assert ended.returncode == 2
    assert f"process {os.getpid()}" in ended.stderr
    assert "CELLAR_DATA_DIR" in ended.stderr


def test_receiver_alone_refuses_a_taken_port_and_an_unknown_host(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cellar(tmp_path, "api", CELLAR_PORT=port)
    assert (ended.returncode, f"port {port} on 127.0.0.1 is taken" in ended.stderr) == (2, True)

    ended = cellar(tmp_path, "api", CELLAR_HOST="nowhere.invalid", CELLAR_PORT=port)
    assert (ended.returncode, "check CELLAR_HOST and CELLAR_PORT" in ended.stderr) == (2, True)


def test_misspelled_setting_stops_a_program_with_2(tmp_path: Path) -> None:
    for command in ("up", "worker"):
        ended = cellar(tmp_path, command, CELLAR_API_TOKEN="hidden")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "did you mean CELLAR_API_TOKENS?" in ended.stderr
        assert not {"Traceback", "hidden"} & set(ended.stderr.split())


def test_file_in_place_of_the_data_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    for command in ("verify", "simulate"):
        ended = cellar(tmp_path, command)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert str(tmp_path / "data") in ended.stderr
