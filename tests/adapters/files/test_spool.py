"""The spool reports errors of its own disk only, and removes leftovers of killed processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.spool import remove_leftovers, spooled, staging
from models.errors import Transient

BLOCKS = pytest.mark.parametrize("block", [spooled, staging])
Block = Callable[[Path], AbstractContextManager[object]]


@BLOCKS
@pytest.mark.parametrize("error", [FileNotFoundError(), TimeoutError(), ConnectionResetError()])
def test_error_of_the_block_is_raised_unchanged_and_leaves_nothing(
    block: Block, error: OSError, tmp_path: Path
) -> None:
    with pytest.raises(type(error)) as raised, block(tmp_path):
        raise error

    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


@BLOCKS
def test_unwritable_folder_is_transient(block: Block, tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"a file where the folder should be")

    with (
        pytest.raises(Transient, match="the spool folder of the store does not take more: File exists"),
        block(tmp_path / "spool"),
    ):
        pytest.fail("there is nothing to write into")


FULL_DISK = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # writes fail as on a full disk
from adapters.files.spool import spooled, write_spooled
from models.errors import Transient
folder = Path(sys.argv[1])
try:
    with spooled(folder) as file:
        write_spooled(file, bytes(1_500_000))
except Transient as error:
    print(error, list(folder.iterdir()))
"""


def test_full_disk_is_transient_and_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "the spool folder of the store does not take more: File too large []\n"


def test_leftovers_are_removed_and_files_in_use_are_kept(tmp_path: Path) -> None:
    with spooled(tmp_path) as dead, spooled(tmp_path) as living:
        os.utime(dead.name, (0, 0))
        (tmp_path / "dead" / "content").mkdir(parents=True)
        os.utime(tmp_path / "dead", (0, 0))

        assert remove_leftovers(tmp_path, datetime(2026, 1, 1, tzinfo=UTC)) == 2
        assert [each.name for each in tmp_path.iterdir()] == [Path(living.name).name]
        Path(dead.name).touch()  # because its block removes the file at its end
