"""The distributed form: two receivers, two workers, two Prefect servers beside their services, on engines of others.

Prefect's settings are those of `deploy/prefect-server.env`, which deployments read too.
"""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psycopg

from adapters.settings.environment import POOL
from benchmarks.guardian import guard
from cli.programs.api import MALLOC
from tests.conftest import answers, free_port
from tests.distributed import engines
from tests.distributed.processes import Process, supervised

ROOT = Path(__file__).parents[2]
PREFECT_ENV = ROOT / "deploy" / "prefect-server.env"
_CELLAR = [sys.executable, "-P", "-m", "cli.main"]
_PREFECT = [sys.executable, "-P", "-m", "prefect"]
_LOGIN = "cellar:the password of Prefect"
_CONNECTIONS = 400


def prefect_env() -> dict[str, str]:
    """Return the variables of `deploy/prefect-server.env`."""
    lines = [line for line in PREFECT_ENV.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@dataclass
class Stack:
    """A running installation.

    Its processes are `postgres`, `redis`, `s3`, `nginx`, `prefect-1`, `prefect-2`, `prefect-services`, `receiver-1`,
    `receiver-2`, `worker-1` and `worker-2`.
    """

    folder: Path
    environment: dict[str, str]
    """What each `cellar` command of this installation has."""
    prefect_environment: dict[str, str]
    """What each process of the Prefect servers has."""
    processes: dict[str, Process]
    url: str
    prefect_url: str
    database_url: str
    prefect_database_url: str
    redis_url: str
    secret: str
    token: str

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def cellar(self, *arguments: str, timeout_s: float = 600) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        command = [*_CELLAR, *arguments]
        return subprocess.run(
            command,
            check=False,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def prefect(self, path: str, body: object = None) -> httpx.Response:
        """Ask Prefect by the load balancer: POST with a body, else GET."""
        user, _, password = _LOGIN.partition(":")
        return httpx.request(
            "GET" if body is None else "POST",
            f"{self.prefect_url}{path}",
            json=body,
            auth=(user, password),
            timeout=30,
            trust_env=False,
        )


@contextmanager
def distributed(
    folder: Path, *, receivers: int = 2, workers: int = 2, prefects: int = 2, **settings: object
) -> Iterator[Stack]:
    """Start everything and yield the installation, ready to receive; end every process with the block.

    `settings` are settings of cellar by name, such as `notify_urls`.
    """
    guard()
    with tempfile.TemporaryDirectory(prefix="cellar-postgres-") as data:
        Path(data).chmod(0o755)  # under root, Postgres runs as another user
        stack = _stack(folder, Path(data), receivers, workers, prefects, settings)
        try:
            _start_engines(stack)
            _start_programs(stack)
            with supervised(list(stack.processes.values())):
                yield stack
        finally:
            for process in reversed(stack.processes.values()):
                if process.is_alive():
                    process.signal(15)
            for process in reversed(stack.processes.values()):
                if process.running:
                    process.stop()


def _stack(
    folder: Path, postgres_folder: Path, receivers: int, workers: int, prefects: int, settings: Mapping[str, object]
) -> Stack:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
    outside |= {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    postgres, postgres_url = engines.postgres(postgres_folder, outside, connections=_CONNECTIONS)
    redis, redis_url = engines.valkey(folder / "redis", outside)
    s3, bucket = engines.seaweed(folder / "s3", outside)
    ports = [free_port() for _ in range(receivers)]
    prefect_ports = [free_port() for _ in range(prefects)]
    nginx, port, prefect_port = engines.nginx(folder / "nginx", outside, receivers=ports, prefects=prefect_ports)
    base = postgres_url.removesuffix("/postgres")
    made = Stack(
        folder=folder,
        environment={},
        prefect_environment={},
        processes={each.name: each for each in (postgres, redis, s3, nginx)},
        url=f"http://127.0.0.1:{port}",
        prefect_url=f"http://127.0.0.1:{prefect_port}/api",
        database_url=f"{base}/cellar",
        prefect_database_url=f"{base}/prefect",
        redis_url=redis_url,
        secret=secrets.token_urlsafe(),
        token=secrets.token_urlsafe(),
    )
    made.secret = str(settings.get("webhook_secrets", made.secret))
    made.environment = outside | bucket | _cellar_environment(made, settings)
    made.prefect_environment = outside | _prefect_environment(made)
    for process in [*_prefect_processes(made, prefect_ports), *_cellar_processes(made, ports, workers)]:
        made.processes[process.name] = process
    return made


def _cellar_environment(stack: Stack, settings: Mapping[str, object]) -> dict[str, str]:
    shared = {
        "data_dir": stack.folder / "operator",
        "database_url": stack.database_url,
        "inbox_url": "s3://archives/inbox",
        "store_url": "s3://archives/store",
        "public_url": stack.url,
        "webhook_secrets": stack.secret,
        "api_tokens": stack.token,
        "link_secret": secrets.token_urlsafe(32),
        "seal_keys": base64.b64encode(secrets.token_bytes(64)).decode(),
        "anchor_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    values = {f"CELLAR_{name.upper()}": str(value) for name, value in (shared | dict(settings)).items()}
    return values | {"PREFECT_API_URL": stack.prefect_url, "PREFECT_API_AUTH_STRING": _LOGIN}


def _prefect_environment(stack: Stack) -> dict[str, str]:
    return prefect_env() | {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": stack.prefect_database_url.replace("://", "+asyncpg://", 1),
        "PREFECT_REDIS_MESSAGING_URL": stack.redis_url,
        "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": stack.redis_url,
        "PREFECT_SERVER_DOCKET_URL": stack.redis_url,
        "PREFECT_SERVER_API_AUTH_STRING": _LOGIN,
        "PREFECT_SERVER_UI_API_URL": stack.prefect_url,
    }


def _prefect_processes(stack: Stack, ports: list[int]) -> Iterator[Process]:
    def _made(name: str, *arguments: str, port: int = 0) -> Process:
        home = _folder(stack, name)
        environment = stack.prefect_environment | {"PREFECT_HOME": str(home)}
        is_ready = (lambda: answers(f"http://127.0.0.1:{port}/api/health")) if port else (lambda: True)
        return Process(name, [*_PREFECT, "server", *arguments], environment, home / "output.log", is_ready)

    for number, port in enumerate(ports, start=1):
        listening = ("--host", "127.0.0.1", "--port", str(port))
        yield _made(f"prefect-{number}", "start", "--no-services", *listening, port=port)
    yield _made("prefect-services", "services", "start")


def _cellar_processes(stack: Stack, ports: list[int], workers: int) -> Iterator[Process]:
    def _environment(folder: Path) -> dict[str, str]:
        return stack.environment | MALLOC | {"CELLAR_DATA_DIR": str(folder)}

    for number, port in enumerate(ports, start=1):
        folder = _folder(stack, f"receiver-{number}")
        ready = f"http://127.0.0.1:{port}/readyz"
        listening = _environment(folder) | {"CELLAR_PORT": str(port)}
        yield Process(folder.name, [*_CELLAR, "api"], listening, folder / "output.log", partial(answers, ready))
    for number in range(1, workers + 1):
        folder = _folder(stack, f"worker-{number}")
        command = [*_CELLAR, "worker", "--name", folder.name]
        log = folder / "output.log"
        yield Process(folder.name, command, _environment(folder), log, partial(is_online, stack, folder.name))


def _folder(stack: Stack, name: str) -> Path:
    folder = stack.folder / name
    folder.mkdir()
    return folder


def is_online(stack: Stack, worker: str) -> bool:
    """Return whether a worker's heartbeat has reached Prefect lately."""
    try:
        answer = stack.prefect(f"/work_pools/{POOL}/workers/filter", {})
    except httpx.HTTPError:
        return False
    return answer.is_success and any(each["name"] == worker and each["status"] == "ONLINE" for each in answer.json())


def _start_engines(stack: Stack) -> None:
    for name in ("postgres", "redis", "s3", "nginx"):
        stack[name].start()
    with psycopg.connect(stack.database_url.removesuffix("/cellar") + "/postgres", autocommit=True) as connection:
        for database in ("cellar", "prefect"):
            connection.execute(f"CREATE DATABASE {database}".encode())
    engines.make_bucket(stack.environment, "archives")


def _start_programs(stack: Stack) -> None:
    migrated = stack.cellar("migrate")
    assert migrated.returncode == 0, migrated.stderr
    upgrade = [*_PREFECT, "server", "database", "upgrade", "--yes"]
    home = {"PREFECT_HOME": str(stack.folder / "prefect-1")}
    subprocess.run(upgrade, env=stack.prefect_environment | home, cwd=stack.folder, check=True, capture_output=True)
    programs = [each for name, each in stack.processes.items() if name not in ("postgres", "redis", "s3", "nginx")]
    stack["prefect-1"].start()  # two servers would register Prefect's own types of blocks at once, and one would end
    for process in programs[1:]:
        process.begin()
    for process in programs[1:]:
        process.wait()
