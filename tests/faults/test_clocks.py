"""The clock of a receiver or a worker jumps, forwards or backwards. Needs a compiler of C."""

import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.installation import Installation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15
_HOUR_S, _DAY_S = 3600, 86_400


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clock") / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True)
    return made


def _jump(offset: Path, by_s: int) -> None:
    """Write into the file that the program has mapped."""
    with offset.open("r+b" if offset.exists() else "wb") as file:
        file.write(struct.pack("q", by_s))


@pytest.mark.parametrize("name", ["receiver", "worker"])
@pytest.mark.parametrize("by_s", [_HOUR_S, -_HOUR_S, 3 * _DAY_S, -3 * _DAY_S], ids=["+1h", "-1h", "+3d", "-3d"])
def test_archives_are_completed_once_when_a_clock_jumps(
    embedded_parts: Installation, survives: Callable[..., None], library: Path, name: str, by_s: int
) -> None:
    """The jump happens while the program works, and leaves its monotonic clock alone."""
    made = embedded_parts
    offset = made.folder / f"offset of the {name}"
    _jump(offset, 0)
    jumping = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    usual = made.parts[name]
    usual.terminate()
    jumped = made.receiver("receiver-jumped", **jumping) if name == "receiver" else made.worker("jumped", **jumping)
    jumped.start()
    try:

        def _fault() -> None:
            time.sleep(3)
            _jump(offset, by_s)
            time.sleep(_LASTS_S)
            _jump(offset, 0)

        survives(made, _fault)
    finally:
        jumped.end()
        usual.start()
