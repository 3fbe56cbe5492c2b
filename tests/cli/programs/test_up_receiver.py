"""A receiver of two processes under the supervisor of `cellar up`."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from adapters.settings.settings import Settings
from tests.conftest import LONGEST_S, free_port, running, wait_until
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
def test_killed_receiver_starts_again_and_its_counters_go_on(
    tmp_path: Path, configure: Callable[..., Settings]
) -> None:
    made = configure(
        receiver_processes=2, port=free_port(), webhook_secrets=SECRET, api_tokens=TOKEN, PREFECT_API_URL=closed_url()
    )
    url, root = f"http://127.0.0.1:{made.port}", str(Path(__file__).parents[3])
    command = [sys.executable, "-c", _UP, str(tmp_path / "logs")]
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
