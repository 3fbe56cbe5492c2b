"""`cellar up`: what prevents a start, what its programs are told, and what it starts again."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from adapters.settings.environment import prefect_environment, prefect_server_environment, settings_environment
from adapters.settings.settings import Settings
from cli.programs.supervisor import sole_use
from tests.conftest import LONGEST_S, Configure, free_port, running, wait_until
from tests.installations import closed_url
from tests.samples import sample_body
from tests.scrapes import scraped

ROOT = Path(__file__).parents[3]
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
    url = f"http://127.0.0.1:{made.port}"
    command = [sys.executable, "-c", _UP, str(tmp_path / "logs" / "up.log")]
    with running(command, os.environ | {"PYTHONPATH": str(ROOT)}, tmp_path / "up.output") as up:
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
    assert (up.returncode, processes(url)) == (0, 0)


def refused(folder: Path, command: str, **environment: object) -> str:
    """Return why a program does not start: it exits with 2 and says so on standard error alone."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", command],
        cwd=folder,
        env=mine | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout, "Traceback" in ended.stderr) == (2, "", False)
    return ended.stderr


def test_port_or_data_folder_in_use_stops_the_start_and_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, free = taken.getsockname()[1], free_port()
        for command, setting, others in [
            ("up", "CELLAR_PREFECT_PORT", {"CELLAR_PORT": free}),
            ("api", "CELLAR_PORT", {}),
        ]:
            said = refused(tmp_path, command, **{setting: port}, **others)
            assert f"port {port} on 127.0.0.1 is taken" in said
            assert setting in said
    with sole_use(tmp_path / "data"):
        said = refused(tmp_path, "up")
    assert f"process {os.getpid()}" in said
    assert "CELLAR_DATA_DIR" in said
    said = refused(tmp_path, "api", CELLAR_HOST="nowhere.invalid", CELLAR_PORT=port)
    assert "check CELLAR_HOST and CELLAR_PORT" in said


def test_misspelled_setting_and_file_in_place_of_the_data_folder_stop_each_program(tmp_path: Path) -> None:
    for command in ("up", "worker"):
        said = refused(tmp_path, command, CELLAR_API_TOKEN="hidden")
        assert "did you mean CELLAR_API_TOKENS?" in said
        assert "hidden" not in said.split()
    (tmp_path / "data").touch()
    for command in ("verify", "simulate"):
        said = refused(tmp_path, command)
        assert (said.count("\n"), str(tmp_path / "data") in said) == (1, True)


def test_programs_are_told_every_explicit_setting_with_absolute_paths(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()
    monkeypatch.delenv("CELLAR_DATA_DIR")
    columns = tmp_path / "columns.toml"
    columns.write_text("currency = 'ILS'\n[columns]\namount = 'a'\nsettled_on = 's'\ncguid = 'c'\n")
    elsewhere = {"CELLAR_STORE_URL": "s3://bucket/archives", "CELLAR_DATABASE_URL": "postgresql://host/rows"}

    by_default = settings_environment(Settings())
    (tmp_path / ".env").write_text(
        "CELLAR_DATA_DIR=here\nCELLAR_INBOX_URL=in\nCELLAR_STORE_URL=out\nCELLAR_DATABASE_URL=sqlite:///rows.db\n"
        "CELLAR_SETTLEMENT_COLUMNS=columns.toml\nCELLAR_SETTLEMENTS_URL=reports\n"
    )
    of_dotenv = settings_environment(Settings())
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    of_servers = settings_environment(Settings())

    assert by_default == {"CELLAR_DATA_DIR": str(tmp_path / "data")}
    assert of_dotenv == {
        "CELLAR_DATA_DIR": str(tmp_path / "here"),
        "CELLAR_INBOX_URL": str(tmp_path / "in"),
        "CELLAR_STORE_URL": str(tmp_path / "out"),
        "CELLAR_DATABASE_URL": f"sqlite:///{tmp_path / 'rows.db'}",
        "CELLAR_SETTLEMENT_COLUMNS": str(columns),
        "CELLAR_SETTLEMENTS_URL": str(tmp_path / "reports"),
    }
    assert of_servers.items() >= elsewhere.items()


@pytest.mark.parametrize(
    "made",
    [
        {
            "webhook_secrets": ("the old secret of all", "the new secret of all"),
            "notify_allow_private": True,
            "port": 9,
        },
        {"timezone": "Asia/Jerusalem", "max_body_bytes": 1000, "public_url": "https://cellar.example"},
    ],
)
def test_program_reads_the_same_settings(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, made: dict[str, object]
) -> None:
    configure()
    monkeypatch.delenv("CELLAR_DATA_DIR")
    ours = Settings.model_validate(made)
    for name, value in settings_environment(ours).items():
        monkeypatch.setenv(name, value)
    assert Settings() == ours.model_copy(update={"data_dir": ours.data_dir.absolute()})


def test_embedded_prefect_has_its_home_in_the_data_folder_and_its_own_port(configure: Configure) -> None:
    embedded, external = configure(prefect_port=4321), Settings(prefect_api_url="http://prefect.example/api")
    assert prefect_environment(embedded)["PREFECT_HOME"] == str(embedded.data_dir / "prefect")
    assert prefect_environment(embedded)["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert prefect_server_environment(embedded)["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4321/api"
    assert prefect_environment(external)["PREFECT_API_URL"] == "http://prefect.example/api"
    assert "PREFECT_HOME" not in prefect_environment(external)
