"""Receivers and workers of the last release beside those of this checkout, on one installation, under load.

The release is the last commit of the main line that set its version in pyproject.toml, so no tag is needed. PREVIOUS
names another commit. Its code runs in the same virtual environment. The database has this checkout's schema: an upgrade
migrates first. So a migration may add tables, and columns with a default; what the earlier code reads may go only in a
later release (expand, then contract). A migration that breaks this fails here.
"""

import os
import signal
import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path

import pytest

from tests.conftest import free_port, wait_until
from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation
from tests.faults.kept_once import not_yet_completed
from tests.faults.load import under_load
from tests.faults.parts import ROOT, ending

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_RELEASE = "1.0.0"
_ARCHIVES = 20


def test_archives_are_completed_once_while_two_versions_work_side_by_side(parts: Installation, tmp_path: Path) -> None:
    previous = os.environ.get("PREVIOUS") or _commit_of(_RELEASE)
    before = _checked_out(previous, tmp_path / "previous")
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
        with parts.looked_into():  # the validator would take an archive that is being written for a damaged one
            wait_until(lambda: not_yet_completed(by_new) + not_yet_completed(by_old) == 0, timeout_s=600)
        completed(parts, by_new, f"rolling upgrade from {previous}, by the new receiver ({kind})", ended_s)
        completed(parts, by_old, f"rolling upgrade from {previous}, by the earlier one ({kind})", ended_s)


def _commit_of(release: str) -> str:
    """Return the commit that made a release. Without one, the test fails: an upgrade that was not tried is no proof."""
    line = f'version = "{release}"'
    changed = _git("log", "--first-parent", "-m", "--format=%H", f"-S{line}", "--", "pyproject.toml").decode().split()
    made = [each for each in changed if line in _git("show", f"{each}:pyproject.toml").decode().splitlines()]
    assert made, f"no commit up to this one sets {line}, so the upgrade from {release} was not tried: give PREVIOUS"
    shallow = ROOT / _git("rev-parse", "--git-path", "shallow").decode().strip()
    is_cut = shallow.exists() and made[0] in shallow.read_text().split()
    assert not is_cut, f"this clone has no commit before {made[0]}, so it may be later than {release}: fetch more"
    return made[0]


def _checked_out(commit: str, folder: Path) -> Path:
    with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as files:
        files.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode()}"
    return done.stdout
