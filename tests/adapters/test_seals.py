"""Fingerprints: equal for equal secrets of one installation, and useless to any other."""

from collections.abc import Callable
from pathlib import Path

from adapters.seals import fingerprint
from adapters.settings import Settings


def test_fingerprint_tells_equality_and_nothing_else(configure: Callable[..., Settings], tmp_path: Path) -> None:
    configure(data_dir=tmp_path / "one")
    first, again, other = fingerprint("69796709"), fingerprint("69796709"), fingerprint("69796710")
    configure(data_dir=tmp_path / "another")

    assert first == again != other
    assert fingerprint("69796709") != first
    assert len(first) == 64
