"""A new file appears whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.files.new_files import new_file
from models.errors import Refused
from tests.conftest import LONGEST_S

DIES_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from adapters.files.new_files import new_file

with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_file_appears_once_it_is_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
        file.write(b", and the other")

    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"half, and the other"}


def test_write_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a") as file:
        file.write(bytes(1 // 0))

    assert list(tmp_path.iterdir()) == []


def test_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_IN_THE_MIDDLE, tmp_path / "a"], check=False, timeout=LONGEST_S)

    assert killed.returncode == -9
    assert [each.suffix for each in tmp_path.iterdir()] == [".part"]


def test_file_that_appears_during_the_write_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="TARGET_EXISTS"), new_file(tmp_path / "a") as file:
        file.write((tmp_path / "a").write_bytes(b"theirs") * b"x")

    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"theirs"}


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="FOLDER_MISSING"), new_file(tmp_path / "nowhere" / "a"):
        pass
