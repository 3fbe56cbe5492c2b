"""An installation whose parts are separate programs, with a way to each server that can be spoiled."""

import os
import subprocess
import sys
from collections.abc import Iterator
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
from tests.faults import way
from tests.faults.parts import Part, ending, prefect_part, s3_part
from tests.faults.postgres import Postgres, leader
from tests.faults.way import Fault
from tests.installations import installed

SECRET, TOKEN, LINK_KEY = (
    "the sender's secret",
    "the readers' token of 32 characters",
    "the key of links with 32 characters",
)


class FaultyWay:
    """Passes TCP connections on to a server. A fault applies to new and to open connections."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port

    @contextmanager
    def running(self) -> Iterator["FaultyWay"]:
        command = [sys.executable, "-P", way.__file__, str(self.port), str(self._server_port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as self._process:
            try:
                self._say("")
                yield self
            finally:
                self._process.kill()

    def spoil(self, fault: Fault) -> None:
        self._say(fault)
        if fault is Fault.CUT:
            self._say("break")

    def heal(self) -> int:
        """Let everything pass from now on, on new connections. Return how many pieces were spoiled so far."""
        self._say(Fault.NONE)
        return self._say("break")

    def lead_to(self, server_port: int) -> None:
        """Move the address to another server."""
        self._say(str(server_port))
        self._say("break")

    def _say(self, line: str) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass
class Installation:
    """Parts by name: `receiver`, `worker`, `prefect`, and `database` and `s3` where they are servers."""

    folder: Path
    values: dict[str, str]
    parts: dict[str, Part]
    ways: dict[str, FaultyWay]
    port: int
    database: Postgres | None = None
    secret: str = SECRET

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
    with ExitStack() as stack:
        yield _running(stack, _installation(folder, values))


@contextmanager
def distributed(folder: Path, **values: str) -> Iterator[Installation]:
    """Run an installation on Postgres and a bucket, with ways to both and to its Prefect server."""
    made = _installation(folder, values)
    with ExitStack() as stack:
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
        made.values |= bucket_at(f"http://127.0.0.1:{made.ways['s3'].port}") | {
            "store_url": "s3://archives/store",
            "inbox_url": "s3://archives/inbox",
            "database_url": f"postgresql://postgres@127.0.0.1:{made.ways['database'].port}/cellar",
        }
        yield _running(stack, made)


def _installation(folder: Path, values: dict[str, str]) -> Installation:
    given = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY, "sweep_interval_s": "5"} | values
    return Installation(folder, given, {}, {}, free_port())


def without_prefect(folder: Path) -> Installation:
    """Return an installation with a database, of which only receivers will run."""
    values = {"webhook_secrets": SECRET, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    made = Installation(folder, values, {}, {}, free_port())
    with made.looked_into():
        migrate()
    return made


def _running(stack: ExitStack, made: Installation) -> Installation:
    prefect_port = free_port()
    made.parts["prefect"] = prefect_part(made.folder / "prefect", prefect_port, made.environment())
    _lead(stack, made, "prefect", prefect_port)
    made.values["PREFECT_API_URL"] = f"http://127.0.0.1:{made.ways['prefect'].port}/api"
    with made.looked_into():
        migrate()
    made.parts["receiver"] = made.receiver()
    made.parts["worker"] = made.worker()
    own = [made.parts[name] for name in ("prefect", "receiver", "worker")]
    stack.enter_context(ending(own))
    for each in own:
        each.start()
    return made


def _lead(stack: ExitStack, made: Installation, name: str, port: int) -> None:
    made.ways[name] = stack.enter_context(FaultyWay(port).running())
