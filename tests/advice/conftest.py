"""Runs the `cellar` command in this process, as the tests of the commands do."""

from tests.cli.conftest import cellar

__all__ = ["cellar"]
