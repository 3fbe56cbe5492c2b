"""Archives that arrive while a system is away are completed by themselves when it is back. Nobody acts.

`python -m pytest -m faults -s tests/end_to_end/test_outages.py` prints how long that takes.
"""

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.adapters.documents.test_clamd import running_clamd
from tests.conftest import bucket_at, free_port, running, serving_prefect, wait_until
from tests.end_to_end.conftest import Running, cellar, new_installation, up_in
from tests.samples import sample_body

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

_OUTAGE_S = 200
_ARCHIVES = 300
_COMPLETED_WITHIN_S = 300  # this machine may be busy; the figure itself is printed
_SYSTEMS = ["store", "database", "Prefect", "ClamAV"]


class Relays:
    """The way to each system. A system is away while its relay does not run."""

    def __init__(self, folder: Path, servers: dict[str, str]) -> None:
        self.ports = {name: free_port() for name in servers}
        self._folder, self._servers = folder, servers
        self._running: dict[str, running] = {}
        for name in servers:
            self.connect(name)

    def connect(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.relay", str(self.ports[name]), self._servers[name]]
        self._running[name] = running(
            command, dict(os.environ), self._folder / f"{name}.log", Path(__file__).parents[2]
        )
        self._running[name].__enter__()

    def cut(self, name: str) -> None:
        self._running.pop(name).__exit__()

    def end(self) -> None:
        for name in list(self._running):
            self.cut(name)


def _port(address: str) -> str:
    return address.rstrip("/").rpartition(":")[2]


@contextmanager
def _relayed(folder: Path, servers: dict[str, str]) -> Iterator[Relays]:
    relays = Relays(folder, servers)
    try:
        yield relays
    finally:
        relays.end()


@pytest.fixture(scope="module")
def relayed(
    tmp_path_factory: pytest.TempPathFactory, s3_server: str, postgres_server: str, migrated_prefect: Path
) -> Iterator[tuple[Running, Relays]]:
    """Run `cellar up` over relays to Postgres, an S3 server, a Prefect server and ClamAV."""
    folder = tmp_path_factory.mktemp("relayed")
    for name in ("clamd", "prefect"):
        (folder / name).mkdir()
    shutil.copy(migrated_prefect, folder / "prefect")
    prefect_port = free_port()
    with (
        running_clamd(folder / "clamd") as (_, clamd),
        serving_prefect(folder / "prefect", prefect_port, "*"),
        _relayed(
            folder,
            {
                "store": _port(s3_server),
                "database": f"{postgres_server.rpartition('host=')[2]}/.s.PGSQL.5432",
                "Prefect": str(prefect_port),
                "ClamAV": _port(clamd),
            },
        ) as relays,
    ):
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE outages")
        installation = new_installation(
            folder,
            CELLAR_STORE_URL=f"s3://archives/{secrets.token_hex(8)}",
            CELLAR_DATABASE_URL=f"postgresql://postgres@127.0.0.1:{relays.ports['database']}/outages",
            CELLAR_CLAMD=f"127.0.0.1:{relays.ports['ClamAV']}",
            PREFECT_API_URL=f"http://127.0.0.1:{relays.ports['Prefect']}/api",
            **bucket_at(f"http://127.0.0.1:{relays.ports['store']}"),
        )
        with up_in(installation):
            yield installation, relays


@pytest.mark.parametrize("system", _SYSTEMS)
def test_archives_that_arrive_during_an_outage_are_completed_after_it(
    relayed: tuple[Running, Relays], system: str
) -> None:
    installation, relays = relayed
    references = [f"{system}-{number}" for number in range(_ARCHIVES)]
    relays.cut(system)
    began_s = time.monotonic()
    for number, reference in enumerate(references):
        assert installation.send(sample_body(reference))["status"] == "0"
        time.sleep(max(0, began_s + (number + 1) * _OUTAGE_S / _ARCHIVES - time.monotonic()))
    relays.connect(system)
    back_s = time.monotonic()

    wait_until(_all_are_complete(installation, references), timeout_s=_COMPLETED_WITHIN_S)

    print(f"\n{system} away for {_OUTAGE_S} s: all complete {time.monotonic() - back_s:.1f} s after its return")  # noqa: T201 -- the figure
    assert cellar(installation, "list", "--state", "failed", "--json").stdout.count('"reference"') == 0


def _all_are_complete(installation: Running, references: list[str]) -> Callable[[], bool]:
    left = set(references)

    def _check() -> bool:
        for each in sorted(left):
            if installation.read(each).get("state") != "completed":
                return False
            left.discard(each)
        return True

    return _check
