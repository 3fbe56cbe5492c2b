"""Sessions of `test_guardian.py`: tests that start a service of each kind and then wait to be killed."""

import os
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.documents.examination import examine
from benchmarks import servers
from tests.adapters.documents.test_clamd import running_clamd
from tests.end_to_end.browser import page
from tests.end_to_end.conftest import new_installation, up_in
from tests.samples import PDF


@pytest.mark.usefixtures("postgres_server", "s3_server")
def test_some_services(tmp_path: Path) -> None:
    (tmp_path / "document.pdf").write_bytes(PDF)
    with servers.floor(tmp_path):
        examine(tmp_path / "document.pdf", [], now=datetime.now(UTC))
        _wait_to_be_killed()


@pytest.mark.usefixtures("postgres_server", "s3_server", "prefect_server")
def test_all_services(tmp_path: Path) -> None:
    with ExitStack() as running:
        running.enter_context(running_clamd(tmp_path))
        running.enter_context(page()).goto("about:blank")
        running.enter_context(up_in(new_installation(tmp_path)))
        _wait_to_be_killed()


def _wait_to_be_killed() -> None:
    Path(os.environ["SESSION_OF_TESTS"]).write_text(f"{os.getpid()}\n")
    threading.Event().wait()
