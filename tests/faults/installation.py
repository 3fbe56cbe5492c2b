"""An installation whose parts are separate programs, with a way to each server that can be spoiled."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import psycopg

from adapters.database.migration import migrate
from adapters.settings.environment import POOL, prefect_defaults
from cli.programs.api import MALLOC
from tests.conftest import answers, bucket_at, free_port
from tests.faults.faulty_way import FaultyWay
from tests.faults.parts import Part, ending, prefect_part, s3_part
from tests.faults.postgres import Postgres, leader
from tests.installations import installed

SECRET, TOKEN, LINK_KEY = (
    "the sender's secret",
    "the readers' token of 32 characters",
    "the key of links with 32 characters",
)


@dataclass
class Installation:
    """Parts by name: `receiver`, `worker`, `prefect`, and `database` and `s3` where they are servers."""

    folder: Path
    values: dict[str, str]
    parts: dict[str, Part]
    ways: dict[str, FaultyWay]
    port: int
    database: Postgres | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def looked_into(self) -> Iterator[None]:
        """Give this process the installation's settings."""
        with installed(self.folder, **self.values):
            yield

    def environment(self) -> dict[str, str]:
        """Return what a program of the installation gets: its settings and our defaults for Prefect."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CELLAR_", "PREFECT_"))}
        own = {name if name.isupper() else f"CELLAR_{name.upper()}": str(value) for name, value in self.values.items()}
        own |= {"CELLAR_DATA_DIR": str(self.folder / "data"), "CELLAR_PORT": str(self.port)}
        return prefect_defaults() | kept | MALLOC | own | {"PREFECT_HOME": str(self.folder / "prefect-home")}

    def receiver(self, name: str = "receiver", **environment: str) -> Part:
        """Return a receiver as a part that is not started."""
        command = [sys.executable, "-m", "cli.main", "api"]
        url = f"http://127.0.0.1:{environment.get('CELLAR_PORT', self.port)}/healthz"
        return Part(name, command, self.environment() | environment, self.folder, lambda: answers(url))

    def worker(self, name: str = "worker", **environment: str) -> Part:
        """Return a worker as a part that is not started. Its start takes seconds, which are none of a recovery."""
        command = [sys.executable, "-m", "cli.main", "worker", "--name", name]
        return Part(name, command, self.environment() | environment, self.folder, lambda: self._is_online(name))

    def _is_online(self, worker: str) -> bool:
        try:
            found = httpx.post(f"{self.values['PREFECT_API_URL']}/work_pools/{POOL}/workers/filter", json={}).json()
        except httpx.HTTPError:
            return False
        return any(each["name"] == worker and each["status"] == "ONLINE" for each in found if "name" in each)


@contextmanager
def embedded(folder: Path, **values: str) -> Iterator[Installation]:
    """Run an installation on SQLite and a folder, with a way to its Prefect server."""
    yield from _running(folder, values, _no_servers)


@contextmanager
def distributed(folder: Path, **values: str) -> Iterator[Installation]:
    """Run an installation on Postgres and a bucket, with ways to both and to its Prefect server."""
    yield from _running(folder, values, _servers)


Extra = Callable[[ExitStack, Path, Installation], None]


def _running(folder: Path, values: dict[str, str], servers: Extra) -> Iterator[Installation]:
    given = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY, "sweep_interval_s": "5"} | values
    made = Installation(folder, given, {}, {}, free_port())
    with ExitStack() as stack:
        servers(stack, folder, made)
        prefect_port = free_port()
        made.parts["prefect"] = prefect_part(folder / "prefect", prefect_port, made.environment())
        _lead(stack, made, "prefect", prefect_port)
        made.values["PREFECT_API_URL"] = f"http://127.0.0.1:{made.ways['prefect'].port}/api"
        with made.looked_into():
            migrate()
        made.parts["receiver"] = made.receiver()
        made.parts["worker"] = made.worker()
        own = [each for name, each in made.parts.items() if name not in ("database", "s3")]
        stack.enter_context(ending(own))
        for each in own:
            each.start()
        yield made


def _no_servers(stack: ExitStack, folder: Path, made: Installation) -> None:
    """SQLite and a folder need no server."""


def _servers(stack: ExitStack, folder: Path, made: Installation) -> None:
    made.database = stack.enter_context(leader())
    made.parts["database"] = made.database.part
    with psycopg.connect(made.database.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE cellar")
    _lead(stack, made, "database", made.database.port)
    s3_port = free_port()
    made.parts["s3"] = s3_part(folder / "s3", s3_port)
    stack.enter_context(ending([made.parts["s3"]]))
    made.parts["s3"].start()
    session = boto3.Session("cellar-test", "cellar-test-secret", region_name="us-east-1")
    session.client("s3", endpoint_url=f"http://127.0.0.1:{s3_port}").create_bucket(Bucket="archives")
    _lead(stack, made, "s3", s3_port)
    made.values |= bucket_at(f"http://127.0.0.1:{made.ways['s3'].port}")
    prefix = secrets.token_hex(4)
    made.values |= {
        "store_url": f"s3://archives/{prefix}/store",
        "inbox_url": f"s3://archives/{prefix}/inbox",
        "database_url": f"postgresql://postgres@127.0.0.1:{made.ways['database'].port}/cellar",
    }


def _lead(stack: ExitStack, made: Installation, name: str, port: int) -> None:
    made.ways[name] = stack.enter_context(FaultyWay(port).running())
