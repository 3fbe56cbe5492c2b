"""The embedded Prefect server: Prefect's own command, with IMMEDIATE SQLite transactions and less work for a run, and
closed to foreign web pages.

Prefect begins most of its transactions deferred. A deferred transaction that reads before it writes fails at once if
another transaction has written in between, whatever the busy time-out, and Prefect answers 503: under load, above all
to the creation of runs. An IMMEDIATE transaction waits for its turn. Prefect has no setting for this. Postgres needs
none.

The server asks for no login, so any page that the user of this machine visits could call it. CORS alone hides answers
from such a page. It does not stop a POST without a content type, which Prefect takes for JSON, nor a WebSocket, nor a
page whose host name resolves to this machine (DNS rebinding).

Prefect is pinned, and `tests/flows/execution/test_engine.py` fails on a release that changes the internals used here.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from adapters.observation.log import set_up_log
from adapters.platform.imports import uncollected

with uncollected():
    import aiosqlite
    from prefect.cli import app
    from prefect.server.api import server
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
    from prefect.server.database.orm_models import Deployment, FlowRun, WorkQueue
    from prefect.server.events.schemas.events import ReceivedEvent
    from prefect.server.models import flow_runs
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_SERVER_CORS_ALLOWED_ORIGINS
    from sqlalchemy import Connection, Insert, Result, event
    from sqlalchemy.orm import ORMExecuteState, Session, joinedload
    from starlette.datastructures import Headers
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.config import LOGGING_CONFIG


def begin_immediately() -> None:
    """Make Prefect's server begin every SQLite transaction IMMEDIATE, so that it waits for its turn."""

    def begin(_configuration: AioSqliteConfiguration, connection: Connection) -> None:
        if SQLITE_BEGIN_MODE.get():
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    AioSqliteConfiguration.begin_sqlite_stmt = begin  # type: ignore[method-assign, assignment]


def stay_in_the_loop() -> None:
    """Execute the statements of a transaction in the event loop. aiosqlite hands each of their four steps to a thread.

    Such a transaction is IMMEDIATE, so none of its statements waits for another. Begin and commit may wait for a lock
    or the disk, and what no transaction protects may be a long query: these stay in the thread. Rows that Prefect
    inserts outside of a transaction get one until its commit, or SQLite would write a transaction for each row.
    """
    in_thread: Callable[..., Awaitable[Any]] = aiosqlite.Connection._execute

    async def execute(connection: aiosqlite.Connection, fn: Any, *args: Any, **kwargs: Any) -> Any:
        begun = connection._connection
        if begun and not begun.in_transaction and fn.__name__ == "executemany":
            await in_thread(connection, begun.execute, "BEGIN IMMEDIATE")
        if begun and fn != begun.commit and (begun.in_transaction or fn.__name__ == "cursor"):
            return fn(*args, **kwargs)
        return await in_thread(connection, fn, *args, **kwargs)

    aiosqlite.Connection._execute = execute  # type: ignore[method-assign, assignment]


def pass_rows_as_parameters() -> None:
    """Insert many rows by a statement for one. Prefect writes the rows into the statement, which is then compiled."""

    @event.listens_for(Session, "do_orm_execute")
    def passed(state: ORMExecuteState) -> Result[Any] | None:
        written = state.statement
        if not isinstance(written, Insert) or not written._multi_values or written._returning:
            return None
        statement = written._clone()
        [rows], statement._multi_values = written._multi_values, ()
        state.session.flush()  # as before any statement of a session
        named = [{str(getattr(column, "key", column)): row[column] for column in row} for row in map(dict, rows)]
        return state.session.connection().execute(statement, named)


def read_once() -> None:
    """Read a run with its state, queue and pool in one statement, and an event once for the services that listen."""
    ReceivedEvent.model_validate_json = lru_cache(200)(ReceivedEvent.model_validate_json)  # type: ignore[assignment, method-assign]
    if PREFECT_API_DATABASE_CONNECTION_URL.value().startswith("sqlite"):  # Postgres cannot lock what it joins
        for each in (FlowRun._state, FlowRun.work_queue, Deployment.work_queue, WorkQueue.work_pool):
            each.property.strategy = each.property._get_strategy((("lazy", "joined"),))  # type: ignore[union-attr]
        joined = joinedload(FlowRun.work_queue).joinedload(WorkQueue.work_pool)
        vars(flow_runs)["selectinload"] = lambda _queue: SimpleNamespace(selectinload=lambda _pool: joined)


class OwnPagesOnly:
    """Middleware that refuses requests and WebSockets from pages of other origins. Programs send no `Origin`."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = (
            PlainTextResponse("pages of this origin may not call this server", 403)
            if self._is_of_others(scope)
            else self._app
        )
        await answer(scope, receive, send)

    def _is_of_others(self, scope: Scope) -> bool:
        origin = Headers(scope=scope).get("origin") if scope["type"] in {"http", "websocket"} else None
        return origin is not None and "*" not in self._origins and origin not in self._origins


def close_to_others() -> None:
    """Let the server answer only to `127.0.0.1`, `localhost` and the hosts of Prefect's setting of allowed origins.

    Pages may call it only from these origins.
    """
    create_app = server.create_app

    def closed(*, final: bool = False, **named: Any) -> ASGIApp:
        made = create_app(final=final, **named)
        # Only the listening app is final. The server's own parts call their apps in memory, under an invented host.
        return _closed(made) if final else made

    server.create_app = closed  # type: ignore[assignment]


def _closed(made: ASGIApp) -> ASGIApp:
    named = PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value().split(",")
    origins = {origin for each in named if (origin := each.strip().rstrip("/"))}
    hosts = {urlsplit(origin).hostname or origin for origin in origins}
    # cellar's own programs call the server at the last two hosts, even if an operator names other origins.
    return TrustedHostMiddleware(OwnPagesOnly(made, origins), [*hosts, "127.0.0.1", "localhost"], www_redirect=False)


def log_in_our_format() -> None:
    """Let uvicorn's lines have the format of all other lines, and a time with zone. Prefect cannot change this."""
    handlers = LOGGING_CONFIG["handlers"]
    handlers |= {name: {"()": "adapters.observation.log.handler"} for name in handlers}
    set_up_log()


if __name__ == "__main__":
    log_in_our_format()
    begin_immediately()
    stay_in_the_loop()
    pass_rows_as_parameters()
    read_once()
    close_to_others()
    app()
