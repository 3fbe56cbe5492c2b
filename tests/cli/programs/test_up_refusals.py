"""`cellar up` refuses taken ports and folders before it starts anything."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from cli.programs.supervisor import sole_use

ROOT = Path(__file__).parents[3]


def cellar_up(folder: Path, **environment: object) -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "up"],
        cwd=folder,
        env=mine | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=60,
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
