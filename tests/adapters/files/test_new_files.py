"""A new file is there whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.files.new_files import new_file
from models.errors import Refused

DIES_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from adapters.files.new_files import new_file

with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
        file.write(b", and the other")

    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"half, and the other"}


def test_file_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a") as file:
        file.write(bytes(1 // 0))

    assert list(tmp_path.iterdir()) == []


def test_process_that_is_killed_leaves_nothing_under_the_name_of_the_file(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_IN_THE_MIDDLE, tmp_path / "a"], check=False, timeout=60)

    assert killed.returncode == -9
    assert [each.suffix for each in tmp_path.iterdir()] == [".part"]


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="TARGET_EXISTS"), new_file(tmp_path / "a") as file:
        file.write((tmp_path / "a").write_bytes(b"theirs") * b"x")

    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"theirs"}


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="FOLDER_MISSING"), new_file(tmp_path / "nowhere" / "a"):
        pass
