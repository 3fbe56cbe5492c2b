"""Runs the `cellar` command in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cli.main import main
from tests.prepared import prepared

__all__ = ["prepared"]


@dataclass(frozen=True, slots=True)
class Ended:
    status: object
    output: str
    errors: str


Cellar = Callable[..., Ended]


@pytest.fixture
def cellar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cellar:
    """Run the command with arguments, as its entry point does, and return how it ended."""

    def _cellar(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["cellar", *arguments])
        capsys.readouterr()  # leaves out what the test has logged before
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(ended.value.code, *capsys.readouterr())

    return _cellar
