"""The spool reports what its own disk refuses, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from adapters.files.spool import spool_folder, spooled, staging
from adapters.platform.settings import Settings
from models.errors import Transient

Configure = Callable[..., Settings]
BLOCKS = pytest.mark.parametrize("block", [spooled, staging])
Block = Callable[[], AbstractContextManager[object]]


@BLOCKS
@pytest.mark.parametrize("error", [FileNotFoundError(), TimeoutError(), ConnectionResetError()])
@pytest.mark.usefixtures("configure")
def test_error_of_the_block_travels_as_it_is_and_nothing_is_left(block: Block, error: OSError) -> None:
    with pytest.raises(type(error)) as raised, block():
        raise error

    assert raised.value is error
    assert list(spool_folder().iterdir()) == []


@BLOCKS
@pytest.mark.usefixtures("configure")
def test_folder_that_takes_nothing_is_transient(block: Block) -> None:
    spool_folder().parent.mkdir(parents=True)
    spool_folder().write_bytes(b"a file where the folder should be")

    with pytest.raises(Transient, match="the spool folder does not take more: EEXIST"), block():
        pytest.fail("there is nothing to write into")


FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # a disk that takes no more, as far as writes go
from adapters.spool import spool_folder, spooled, write_spooled
from models.errors import Transient
try:
    with spooled() as file:
        write_spooled(file, bytes(1_500_000))
except Transient as error:
    print(error, list(spool_folder().iterdir()))
"""


def test_disk_that_fills_up_is_transient_and_leaves_nothing(configure: Configure) -> None:
    configure()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "the spool folder does not take more: EFBIG []\n"
