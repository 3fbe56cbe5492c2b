"""Postgres servers as parts: killed, paused, and followed by a second server that can be promoted."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pgserver
import psycopg

from tests.conftest import free_port, wait_until
from tests.faults.parts import Part

_BIN = Path(pgserver.__file__).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Postgres:
    """A server that listens on a loopback port. The user `postgres` needs no password."""

    part: Part
    data: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def promote(self) -> None:
        """Make a follower the leader."""
        _as_owner([str(_BIN / "pg_ctl"), "promote", "-w", "-D", str(self.data)])


@contextmanager
def leader() -> Iterator[Postgres]:
    """Yield a server that is started. Its data lie outside of pytest's folder, which its user may not enter."""
    with tempfile.TemporaryDirectory(prefix="cellar-postgres-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")  # makes the user and the data
        server.cleanup()
        made = _postgres(Path(folder), "postgres")
        made.part.start()
        try:
            yield made
        finally:
            made.part.end()


@contextmanager
def follower_of(leader: Postgres) -> Iterator[Postgres]:
    """Yield a server that holds every commit of the leader before the leader confirms it (streaming replication)."""
    with tempfile.TemporaryDirectory(prefix="cellar-postgres-") as folder:
        data = Path(folder) / "data"
        if owner := _owner():
            shutil.chown(folder, owner)
        backup = [str(_BIN / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(leader.port), "-U", "postgres"]
        _as_owner([*backup, "-D", str(data), "-R", "-X", "stream", "-c", "fast"])
        made = _postgres(data, "follower")
        made.part.start()
        try:
            _make_synchronous(leader)
            yield made
        finally:
            made.part.end()


def _make_synchronous(leader: Postgres) -> None:
    with psycopg.connect(leader.url(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: connection.execute(_IN_SYNC).fetchone() == (1,), timeout_s=30)


_IN_SYNC = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


def _postgres(data: Path, name: str) -> Postgres:
    port = free_port()
    command = [str(_BIN / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    command += ["-c", "fsync=off", "-c", "max_connections=200"]  # no test cuts the power of this disk
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    folder = Path(tempfile.gettempdir())
    part = Part(f"cellar-{name}-{port}", command, dict(os.environ), folder, lambda: _answers(url), _owner())
    return Postgres(part, data, port)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def _owner() -> str | None:
    """Return the user that pgserver makes for servers under root, since Postgres refuses root."""
    return "pgserver" if os.geteuid() == 0 else None


def _as_owner(command: list[str]) -> None:
    subprocess.run(command, user=_owner(), cwd=tempfile.gettempdir(), check=True, capture_output=True, timeout=120)
