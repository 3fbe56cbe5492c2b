"""The memory of a run, in a process of its own: a hostile body must not kill the worker."""

import subprocess
import sys

import pytest

from adapters.settings.settings import Settings
from tests.flows.conftest import received
from tests.samples import sample_body

_MOST_MEGABYTES = 200
_MEASURED = """
import asyncio, resource, sys
from flows.process_archive import process_archive

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

small, large = sys.argv[1:]
asyncio.run(process_archive("process-1", small))
before = peak()
asyncio.run(process_archive("process-2", large))
print(peak() - before)
"""


def _with_payments(count: int) -> bytes:
    """Return a body in which each payment has five discrepancies."""
    payment = {"type": "charge", "status": "success", "session_id": "none", "note": "x" * 60}
    return sample_body("process-2", payments=[payment] * count)


@pytest.mark.usefixtures("prefect")
def test_memory_of_a_hostile_run_is_bounded(sqlite_installation: Settings) -> None:
    body = _with_payments(25_000)
    assert 3_000_000 < len(body) < 4_000_000
    receipts = received("process-1", sample_body()).receipt_id, received("process-2", body).receipt_id

    run = subprocess.run([sys.executable, "-c", _MEASURED, *receipts], capture_output=True, timeout=280, check=False)

    assert run.returncode == 0, run.stderr.decode()[-4000:]
    assert int(run.stdout.split()[-1]) < _MOST_MEGABYTES
