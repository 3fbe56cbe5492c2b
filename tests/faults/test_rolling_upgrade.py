"""Receivers and workers of an earlier commit beside those of this checkout, on one installation, under load.

PREVIOUS names the commit (default: the parent of HEAD). Its code runs in the same virtual environment. The database has
this checkout's schema: an upgrade migrates first. So a migration may add tables, and columns with a default; what the
earlier code reads may go only in a later release (expand, then contract). A migration that breaks this fails here.
"""

import os
import signal
import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation
from tests.faults.load import under_load
from tests.faults.parts import ROOT, ending

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_PREVIOUS = os.environ.get("PREVIOUS", "HEAD~1")
_ARCHIVES = 20


def test_archives_are_completed_once_while_two_versions_work_side_by_side(parts: Installation, tmp_path: Path) -> None:
    before = _checked_out(tmp_path / "previous")
    port = free_port()
    earlier = {"PYTHONPATH": str(before), "CELLAR_PORT": str(port)}
    old = [parts.receiver("receiver-before", **earlier), parts.worker("worker-before", **earlier)]
    kind = "bucket" if parts.database else "folder"
    with ending(old):
        for each in old:
            each.start()
        to_new = [f"new-{kind}-{number}" for number in range(_ARCHIVES)]
        to_old = [f"old-{kind}-{number}" for number in range(_ARCHIVES)]
        with (
            under_load(parts.url, SECRET, to_new, 0.5) as by_new,
            under_load(f"http://127.0.0.1:{port}", SECRET, to_old, 0.3) as by_old,
        ):
            time.sleep(3)
            parts.parts["worker"].terminate()  # the earlier worker works for both receivers
            time.sleep(5)
            parts.parts["worker"].start()
        for each in old:
            # uvicorn ends by the signal itself once the last request is answered.
            assert each.terminate() in (0, -signal.SIGTERM), each.log.read_text()[-2000:]
        ended_s = time.monotonic()
        completed(parts, by_new, f"rolling upgrade from {_PREVIOUS}, by the new receiver ({kind})", ended_s)
        completed(parts, by_old, f"rolling upgrade from {_PREVIOUS}, by the earlier one ({kind})", ended_s)


def _checked_out(folder: Path) -> Path:
    archive = subprocess.run(["git", "archive", _PREVIOUS], cwd=ROOT, capture_output=True, check=False)
    assert archive.returncode == 0, f"PREVIOUS={_PREVIOUS}: {archive.stderr.decode()}"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder
