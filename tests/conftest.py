"""Provides real parts to the tests: a data folder, migrated SQLite and Postgres, an S3 server, a Prefect server.

Servers start once per session, on free loopback ports, each in its own process group. They end with the session, even
if it is killed.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zlib import crc32

import boto3
import httpx
import hypothesis
import pgserver
import psycopg
import pytest
from hypothesis import HealthCheck
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from adapters.database import connections
from adapters.database.migration import migrate
from adapters.files import bucket
from adapters.peers import addresses
from adapters.platform.imports import uncollected
from adapters.settings.environment import prefect_server_defaults
from adapters.settings.settings import Settings, settings
from benchmarks.guardian import guard
from services.access import log as access_log
from services.views import overview
from tests.compiled import share_authorities, share_compiled_statements, share_descriptions_of_services

# Benchmarks measure how long an example takes. Here, other tests may occupy the processor.
# `make test-faults` loads the thorough profile.
for _profile, _examples in (("thorough", 1_000), ("quick", 25)):
    hypothesis.settings.register_profile(
        _profile,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.function_scoped_fixture),
        max_examples=_examples,
    )
hypothesis.settings.load_profile("quick")

_LONGEST_FIRST = (
    "tests/flows",
    "tests/api/console",
    "tests/end_to_end",
    "tests/services/custody",
    "tests/services/payments",
    "tests/services/evidence",
    "tests/cli/custody",
    "tests/api",
    "tests/cli",
    "tests/services",
    "tests/insider",
    "tests/deploy",
    "tests/adapters/store",
)


Configure = Callable[..., Settings]
"""Sets settings by name: what the fixture `configure` is."""


def pytest_configure() -> None:
    guard()
    share_compiled_statements()
    share_descriptions_of_services()
    share_authorities()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import the tests without garbage collections. Later collections pass over what is there: a million objects."""
    with uncollected():
        return (yield)


_WITH_PREFECT = (
    *("tests/flows/execution/", "tests/flows/worker/", "tests/services/triggering/"),
    *(
        "tests/api/receiver/test_dispatching",
        "tests/api/test_described_answers",
        "tests/services/custody/test_rebuilding",
    ),
    *("tests/cli/archives/test_archives_command", "tests/cli/operation/test_wrong_installations"),
    *("tests/cli/programs/test_prefect_server", "tests/adapters/peers/test_prefect_api"),
)
_WITH_LIBRARY = ("tests/api/json/", "tests/api/receiver/test_public_link")
_ROOMS = ("tests/flows/", "tests/end_to_end/", "tests/api/console/", "tests/node/")
_TOGETHER = (_WITH_PREFECT, _WITH_LIBRARY, *((room,) for room in _ROOMS))
"""Rooms and files that share what takes long to start: one process of the test run takes them all.

A Prefect server takes 7 s of a processor to start, and then a fiftieth of one. With a single one, the tests that need
it were the last to end.
"""


_ON_BOTH_KINDS = (
    *(f"tests/adapters/{room}/" for room in ("database", "files", "inbox", "search", "store", "tables")),
    *("tests/services/test_receipts", "tests/services/triggering/"),
    *("tests/flows/test_process_archive", "tests/flows/test_killed"),
)
"""What `make test` runs on both kinds of database and store: adapters, and the straight line of an archive.

Others send the same statements and requests on both, and `make test-faults` runs them on Postgres and the bucket.
"""
_OF_THE_WORLD = (
    *("tests/distributed/", "tests/fortnight/", "tests/fuzz/", "tests/image/", "tests/insider/"),
    *("tests/node/test_clients", "tests/node/test_signatures", "tests/deploy/test_dbt", "tests/services/test_readers"),
    *(
        "tests/adapters/documents/test_corpus",
        "tests/cli/custody/test_every_damage",
        "tests/flows/test_memory_of_a_run",
    ),
    "tests/api/test_described_answers.py::test_schemathesis",
)
"""What only the world can break: other readers, weeks of deliveries, forgers, corpora, damage, the distributed form."""
_SECOND_KINDS = {"postgres", "bucket", "Postgres and a bucket"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the files first whose tests take longest: the last long file would be alone on its processor."""
    on_first_kind = {_function(item) for item in items if not _is_on_second_kind(item)}
    for item in items:
        repeated = _is_on_second_kind(item) and _function(item) in on_first_kind
        if item.nodeid.startswith(_OF_THE_WORLD) or (repeated and not item.nodeid.startswith(_ON_BOTH_KINDS)):
            item.add_marker("faults")
    items.sort(key=_rank)
    _take_share(config, items)


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _is_on_second_kind(item: pytest.Item) -> bool:
    called = getattr(item, "callspec", None)
    return called is not None and any(each in _SECOND_KINDS for each in called.params.values() if isinstance(each, str))


def _take_share(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the share of today: with `SHARE=1/7`, each test runs once in seven days."""
    shares = int(os.environ.get("SHARE", "1/1").partition("/")[2])
    today = datetime.now(UTC).toordinal()
    left_out = [each for each in items if (crc32(each.nodeid.encode()) + today) % shares]
    config.hook.pytest_deselected(items=left_out)
    others = set(map(id, left_out))
    items[:] = [each for each in items if id(each) not in others]


class _ByFileOrRoom(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((unit[0] for unit in _TOGETHER if file.startswith(unit)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    return _ByFileOrRoom(config, log)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, part in enumerate(_LONGEST_FIRST) if part in str(item.path)), len(_LONGEST_FIRST))


def pytest_unconfigure() -> None:
    for holding in _held:
        holding.close()


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Return a function that sets settings by name, as environment variables, in a folder of the test."""
    for name in set(os.environ) - {"PREFECT_HOME"}:
        if name.startswith(("CELLAR_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # so that the developer's .env is not read
    monkeypatch.setenv("CELLAR_DATA_DIR", str(tmp_path / "data"))

    def _configure(**values: object) -> Settings:
        for name, value in values.items():
            monkeypatch.setenv(name if name.isupper() else f"CELLAR_{name.upper()}", str(value))
        _forget()
        return settings()

    _configure()
    yield _configure
    _forget()


def _forget() -> None:
    """Clear everything that a process derives from its settings once."""
    _settle()
    if connections.made_engine.cache_info().currsize:
        connections.engine().dispose()
    for cached in (settings, connections.made_engine, bucket._client, addresses.tls_context, overview._measured):
        cached.cache_clear()
    access_log._chain.begin()


def _settle() -> None:
    """Wait for what measures the installation in the background."""
    if overview._measured.cache_info().currsize:
        measured = overview._measured(settings().database_location)
        for each in (measured.month, measured.parts, measured.queue):
            each.settle()


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let other users read what this process and its programs make."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, configure: Configure) -> Settings:
    """Return settings with a migrated database; the test runs once on each kind."""
    if request.param == "postgres":
        return configure(database_url=request.getfixturevalue("postgres_installation"))
    installed: Settings = request.getfixturevalue("sqlite_installation")
    return installed


def bucket_at(endpoint: str) -> dict[str, str]:
    """Return the settings, besides the URL, with which an installation uses the S3 server of the tests."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "cellar-test",
        "AWS_SECRET_ACCESS_KEY": "cellar-test-secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(params=["folder", "bucket"])
def store_kind(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Configure an empty store; the test runs once on each kind."""
    if request.param == "bucket":
        url = f"s3://archives/{secrets.token_hex(8)}"
        configure(store_url=url, **bucket_at(request.getfixturevalue("s3_server")))
    return str(request.param)


IN_BOTH_KINDS = pytest.mark.parametrize(
    ("installation", "store_kind"), [("sqlite", "folder"), ("postgres", "bucket")], indirect=True
)
"""Runs a test on each kind of database and of store, and not on each pair: neither knows of the other."""


@pytest.fixture
def sqlite_installation(configure: Configure) -> Settings:
    """Return settings with a migrated SQLite database, for tests that do not depend on the kind."""
    make_tables()
    return settings()


def make_tables() -> None:
    """Do what `migrate` does for the database of the settings. A new SQLite database is written as a whole.

    Applying the migrations takes longer than most tests. Tests of the migrations themselves call `migrate`.
    """
    kind, _, place = settings().database_location.partition(":///")
    if kind != "sqlite" or Path(place).exists():
        migrate()
        return
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_bytes(_migrated_sqlite())


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite database to copy."""
    path = tmp_path_factory.mktemp("migrated") / "cellar.db"
    path.write_bytes(_migrated_sqlite())
    return path


@cache
def _migrated_sqlite() -> bytes:
    with tempfile.TemporaryDirectory(prefix="cellar-migrated-") as folder:
        path = Path(folder) / "cellar.db"
        _migrate_at(f"sqlite:///{path}")
        return path.read_bytes()


def _migrate_at(database_url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_DATABASE_URL", database_url)
        _forget()
        migrate()
        _forget()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a Postgres outside of pytest's folder: under root, it runs as another user, who may not enter it."""
    with serving_postgres() as url:
        yield url


@contextmanager
def serving_postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cellar-postgres-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:  # because no test cuts the power
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """Return the URL of an empty database."""
    yield from _database(postgres_server, "template1")


@pytest.fixture
def postgres_installation(postgres_server: str, migrated_database: str) -> Iterator[str]:
    """Return the URL of a database with all migrations."""
    yield from _database(postgres_server, migrated_database)


MIGRATED = "migrated"
"""The database of Postgres that is copied."""


@pytest.fixture(scope="session")
def migrated_database(postgres_server: str) -> str:
    """Return the name of a database with all migrations, to be copied."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {MIGRATED}".encode())
    _migrate_at(url_of(postgres_server, MIGRATED))
    return MIGRATED


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
    yield url_of(server, name)
    _settle()
    connections.engine().dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def url_of(server: str, name: str) -> str:
    base, _, query = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


@pytest.fixture(scope="session")
def migrated_prefect() -> Path:
    """Return Prefect's own SQLite database after its migrations, to copy. `make` has made it for `cellar up`."""
    return Path(sys.prefix, "prefect", "prefect.db")


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory, migrated_prefect: Path) -> Path:
    """Return the folder with the database of the session's Prefect server."""
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(migrated_prefect, home)
    return home


@pytest.fixture(scope="session")
def prefect_server(prefect_home: Path) -> Iterator[str]:
    """Return the API URL of a real Prefect server on SQLite, started as `cellar up` starts it."""
    port = free_port()
    origins = prefect_server_defaults(Settings(prefect_port=port))["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    with serving_prefect(prefect_home, port, origins) as url:
        yield url


@contextmanager
def serving_prefect(home: Path, port: int, origins: str) -> Iterator[str]:
    """A real Prefect server whose setting of allowed origins is `origins`; the URL of its API."""
    environment = os.environ | {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    environment |= {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins}
    environment |= {"PREFECT_SERVER_API_PORT": str(port)}
    with running([sys.executable, "-m", "cli.programs.prefect_server"], environment, home / "server.log"):
        url = f"http://127.0.0.1:{port}/api"
        wait_until(lambda: answers(f"{url}/health"))
        yield url


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the endpoint of a real S3 server, which enforces signatures and checksums."""
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "cellar-test", "AWS_SECRET_ACCESS_KEY": "cellar-test-secret"}
    weed = str(Path(sys.executable).with_name("weed"))
    inner = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer", "admin")]
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command = [weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", f"-s3.port={port}", *inner, *off]
    with running(command, environment, folder / "server.log"):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        session = boto3.Session("cellar-test", "cellar-test-secret", region_name="us-east-1")
        session.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="archives")
        yield f"http://127.0.0.1:{port}"


class running:  # noqa: N801 -- reads as a verb: with running(command, ...)
    """A program in its own process group, which ends with the block."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, folder: Path | None = None) -> None:
        self._command, self._environment, self._log, self._folder = command, environment, log, folder

    def __enter__(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,  # lets others read what the program does not keep from them
            )
        return self.process

    def __exit__(self, *_: object) -> None:
        for number, within_s in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(within_s)
                break
            except subprocess.TimeoutExpired:
                continue


_held: deque[socket.socket] = deque()
_MOST_HELD = 200  # open files are limited, and the oldest servers listen already


def free_port() -> int:
    """Return a loopback port for a server that starts soon.

    A bound socket that does not listen holds the port, and the server may still listen on it. Until it does,
    connections are refused, and the kernel gives the port to no other server or connection.
    """
    holding = socket.socket()
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
    holding.bind(("127.0.0.1", 0))
    _held.append(holding)
    if len(_held) > _MOST_HELD:
        _held.popleft().close()
    port: int = holding.getsockname()[1]
    return port


LONGEST_S = 240
"""What ends a hang. What succeeds at once on a quiet machine may take minutes on a busy one."""


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=LONGEST_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def wait_until(condition: Callable[[], bool], *, timeout_s: float = LONGEST_S) -> None:
    deadline, pause_s = time.monotonic() + timeout_s, 0.01
    while not condition():
        assert time.monotonic() < deadline, f"not so after {timeout_s} s"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.1)
