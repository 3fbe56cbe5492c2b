"""The clock of a receiver or a worker jumps, forwards or backwards. Needs libfaketime (package `faketime`)."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.installation import Installation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15
_JUMPS = ["+1h", "-1h", "+3d", "-3d"]


def _library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing: apt-get install faketime"
    return str(found[0])


def _jump(offset: Path, by: str) -> None:
    """Replace the file as a whole: libfaketime ends a program that reads it while it is empty."""
    whole = offset.with_name(f"{offset.name}, whole")
    whole.write_text(by)
    whole.replace(offset)


@pytest.mark.parametrize("name", ["receiver", "worker"])
@pytest.mark.parametrize("jump", _JUMPS)
def test_archives_are_completed_once_when_a_clock_jumps(
    embedded_parts: Installation, survives: Callable[..., None], name: str, jump: str
) -> None:
    """The jump happens while the program works: libfaketime reads its offset from a file."""
    made = embedded_parts
    offset = made.folder / f"offset of the {name}"
    offset.write_text("+0")
    jumping = {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a real jump leaves the monotonic clock alone
    }
    usual = made.parts[name]
    usual.terminate()
    jumped = made.receiver("receiver-jumped", **jumping) if name == "receiver" else made.worker("jumped", **jumping)
    jumped.start()
    try:

        def _fault() -> None:
            time.sleep(3)
            _jump(offset, jump)
            time.sleep(_LASTS_S)
            _jump(offset, "+0")

        survives(made, _fault)
    finally:
        jumped.end()
        usual.start()
