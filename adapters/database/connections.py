"""Connections to the metadata database: SQLite by default, Postgres if set. Several processes share it."""

import atexit
import math
import re
import threading
import time
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, create_engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry

from adapters.database import pipeline
from adapters.database.outages import application_name, missing_file, pool_options
from adapters.settings.settings import settings

_BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10
_LOST_SERVER = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
"""Ends a query 25 s after the server's machine has vanished (units: s, s, 1, ms). By default Linux waits 15 minutes, or
two hours once the query has been sent. A server that is slow or paused is waited for: its kernel still answers.
"""
_TRUSTED_S = 1
"""A connection that was used within this time is not pinged. Pinging each use would cost up to 40 pings a run."""
_MAKING = threading.Lock()


def engine() -> Engine:
    """Return the connections of this process: the same to threads that ask for the first time at once.

    A cache alone would make a pool for each of them, and nobody would close those that it does not keep.
    """
    with _MAKING:
        return made_engine()


@lru_cache
def made_engine() -> Engine:
    return connected(settings().database_location)


@atexit.register
def _close() -> None:
    """Close the connections of this process: SQLite leaves its log beside a database that nobody has closed."""
    if made_engine.cache_info().currsize:
        made_engine().dispose()


def connected(location: str) -> Engine:
    """Return new connections to a database. Errors hide the values to be written, since these are people's data."""
    if location.startswith("sqlite"):
        return _sqlite(location)
    # With `postgresql://` alone, SQLAlchemy would look for a driver that is not installed.
    driver = re.sub("^postgres(ql)?://", "postgresql+psycopg://", location)
    named = {"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": application_name(), **_LOST_SERVER}
    engine = create_engine(driver, hide_parameters=True, connect_args=named, **pool_options())
    _ask_idle_connections(engine)
    pipeline.await_results(engine)
    return engine


def _ask_idle_connections(engine: Engine) -> None:
    """Ping connections that were idle: a restart of the server breaks them. `pool_pre_ping` would ping each use."""
    import psycopg  # noqa: PLC0415 -- for Postgres alone

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", math.inf) > _TRUSTED_S:
            try:
                engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise exc.InvalidatePoolError from error


def _sqlite(location: str) -> Engine:
    waits = {"timeout": _BUSY_TIMEOUT_S}
    engine = create_engine(location, hide_parameters=True, connect_args=waits, **pool_options())

    @event.listens_for(engine, "do_connect")
    def _require_file(*_: Any) -> None:  # sqlite3 would make an empty database, in a wrong folder too
        if missing := missing_file(location):
            raise missing

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # sqlite3's own BEGIN comes too late and is deferred; see `_begin`
        connection.execute("PRAGMA journal_mode=WAL")
        # With NORMAL, simulated power cuts lost every commit since the last checkpoint; with FULL, none.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")  # SQLite's default on Debian and Ubuntu, not everywhere

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction that reads and then writes fails at once if another has written in between, whatever
        # the busy time-out. An immediate transaction waits for its turn.
        reads = connection.get_execution_options().get("cellar_reading", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
