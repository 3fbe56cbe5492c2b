"""`cellar worker` makes its pool and deployments on a real Prefect server, and stops at a signal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import LONGEST_S, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def prefect(prefect_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_server, trust_env=False, timeout=LONGEST_S) as client:
        yield client


@contextmanager
def worker(folder: Path, prefect: httpx.Client, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    ours = {"PREFECT_API_URL": str(prefect.base_url), "CELLAR_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)}
    cellar = [sys.executable, "-m", "cli.main"]
    subprocess.run([*cellar, "migrate"], cwd=folder, env=mine | ours, check=True)
    command = [*cellar, "worker", "--name", name, *options]
    process = subprocess.Popen(command, cwd=folder, env=mine | ours, start_new_session=True)
    try:
        wait_until(lambda: is_online(prefect, name) or process.poll() is not None)
        yield process
    finally:
        process.terminate()
        process.wait(LONGEST_S)


def is_online(prefect: httpx.Client, name: str) -> bool:
    answer = prefect.post("/work_pools/cellar/workers/filter", json={})
    return answer.is_success and any(each["name"] == name and each["status"] == "ONLINE" for each in answer.json())


def test_worker_creates_missing_deployments_and_ends_at_sigterm(tmp_path: Path, prefect: httpx.Client) -> None:
    with worker(tmp_path, prefect, "first") as process:
        made = prefect.get("/deployments/name/process-archive/archive").raise_for_status().json()
        # With a path, each run first copies that folder. With pull steps, a run needs a folder that exists.
        assert (made["path"], made["pull_steps"]) == (None, [])
        assert made["entrypoint"] == "flows.process_archive.process_archive"
        assert made["work_pool_name"] == "cellar"
        assert set(made["parameter_openapi_schema"]["properties"]) == {"reference", "receipt_id"}
        swept = prefect.get("/deployments/name/sweep-inbox/scheduled").raise_for_status().json()
        assert [each["schedule"]["interval"] for each in swept["schedules"]] == [300]
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0
