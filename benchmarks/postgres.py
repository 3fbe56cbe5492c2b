"""Runs a Postgres server from a wheel, with default settings."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pgserver
import psycopg

from benchmarks.guardian import guard


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    url: str

    def pid(self) -> int:
        """Return the process id of the server, whose children are its connections."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row
        return int(Path(row[0], "postmaster.pid").read_text().split()[0])

    def new_database(self, name: str) -> str:
        """Make an empty database, and return its URL for psycopg."""
        name = f"{name}_{time.monotonic_ns()}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        base, _, query = self.url.partition("?")
        return f"{base.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


@contextmanager
def postgres(log_folder: Path) -> Iterator[Postgres]:
    """Run a server. Its data lie in the system's temporary folder, since under root Postgres runs as another user."""
    guard()  # Postgres is a daemon and outlives a killed benchmark
    with tempfile.TemporaryDirectory(prefix="cellar-postgres-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri())
        finally:
            server.cleanup()
            shutil.copy(Path(folder) / "log", log_folder / "postgres.log")
