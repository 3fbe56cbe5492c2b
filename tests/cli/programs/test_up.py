"""`cellar up` and its parts: the receiver and the worker, and what prevents a start."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.programs.supervisor import sole_use
from tests.conftest import LONGEST_S, Configure, free_port, running, wait_until
from tests.installations import closed_url
from tests.samples import sample_body
from tests.scrapes import scraped

TOKEN, SECRET = "the readers' token of 32 characters", "the sender's secret"
_UP = """
import asyncio, sys
from pathlib import Path
from adapters.settings.settings import settings
from cli.programs.supervisor import Supervisor
from cli.programs.up import _answers, _cellar, _metrics, httpx

async def main():
    async with (
        Supervisor(Path(sys.argv[1]), print) as supervisor,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings().port}", timeout=LONGEST_S, trust_env=False) as client,
    ):
        await supervisor.run(_cellar(settings(), "migrate"))
        await supervisor.start(_cellar(settings(), "api", **_metrics(settings(), "receiver")))
        await supervisor.until("api", lambda: _answers(client, "/readyz"), 200)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def processes(url: str) -> int:
    try:
        found: int = httpx.get(f"{url}/readyz", timeout=LONGEST_S, trust_env=False).json()["processes"]
    except httpx.HTTPError:
        return 0
    return found


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def send(url: str, reference: str) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}
    answer = httpx.post(
        f"{url}/webhooks/cellosign", content=sample_body(reference), headers=headers, timeout=LONGEST_S, trust_env=False
    )
    assert answer.json()["status"] == "0"


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_killed_receiver_starts_again_and_its_counters_go_on(tmp_path: Path, configure: Configure) -> None:
    made = configure(
        receiver_processes=2, port=free_port(), webhook_secrets=SECRET, api_tokens=TOKEN, PREFECT_API_URL=closed_url()
    )
    url, root = f"http://127.0.0.1:{made.port}", str(Path(__file__).parents[3])
    command = [sys.executable, "-c", _UP, str(tmp_path / "logs" / "up.log")]
    with running(command, os.environ | {"PYTHONPATH": root}, tmp_path / "up.output") as up:
        wait_until(lambda: processes(url) == 2)
        send(url, "before")
        [receiver] = children_of(up.pid)
        os.kill(receiver, signal.SIGKILL)
        wait_until(lambda: receiver not in children_of(up.pid))
        # At first the processes that the killed receiver has left finish, as children of the supervisor.
        wait_until(lambda: len(children_of(up.pid)) == 1 and processes(url) == 2)

        send(url, "after")

        shown = scraped(url, TOKEN)
        assert shown.value("cellar_deliveries_total", {"status": "200", "code": "ACKNOWLEDGED"}) == 2
        assert f"api ended with {signal.SIGKILL.name}" in (tmp_path / "logs" / "up.log").read_text()
    assert up.returncode == 0
    assert processes(url) == 0


ROOT = Path(__file__).parents[3]


def cellar_up(folder: Path, **environment: object) -> subprocess.CompletedProcess[str]:
    return cellar(folder, "up", **environment)


def cellar(folder: Path, command: str, **environment: object) -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", command],
        cwd=folder,
        env=mine | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def test_taken_receiver_port_exits_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cellar_up(tmp_path, CELLAR_PORT=port)
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "CELLAR_PORT" in ended.stderr


def test_taken_prefect_port_exits_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        ended = cellar_up(tmp_path, CELLAR_PORT=free, CELLAR_PREFECT_PORT=port)
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "CELLAR_PREFECT_PORT" in ended.stderr


def test_second_start_on_the_same_data_folder_exits_with_2(tmp_path: Path) -> None:
    with sole_use(tmp_path / "data"):
        ended = cellar_up(tmp_path)
    assert ended.returncode == 2
    assert f"process {os.getpid()}" in ended.stderr
    assert "CELLAR_DATA_DIR" in ended.stderr


def test_receiver_alone_refuses_a_taken_port_and_an_unknown_host(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cellar(tmp_path, "api", CELLAR_PORT=port)
    assert (ended.returncode, f"port {port} on 127.0.0.1 is taken" in ended.stderr) == (2, True)

    ended = cellar(tmp_path, "api", CELLAR_HOST="nowhere.invalid", CELLAR_PORT=port)
    assert (ended.returncode, "check CELLAR_HOST and CELLAR_PORT" in ended.stderr) == (2, True)


def test_misspelled_setting_stops_a_program_with_2(tmp_path: Path) -> None:
    for command in ("up", "worker"):
        ended = cellar(tmp_path, command, CELLAR_API_TOKEN="hidden")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "did you mean CELLAR_API_TOKENS?" in ended.stderr
        assert not {"Traceback", "hidden"} & set(ended.stderr.split())


def test_file_in_place_of_the_data_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    for command in ("verify", "simulate"):
        ended = cellar(tmp_path, command)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert str(tmp_path / "data") in ended.stderr


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
