"""The embedded Prefect server: Prefect's own application on the host and port of Prefect's settings, with IMMEDIATE
SQLite transactions and less work for a run, and closed to foreign web pages.

Prefect begins most of its transactions deferred. A deferred transaction that reads before it writes fails at once if
another transaction has written in between, whatever the busy time-out, and Prefect answers 503: under load, above all
to the creation of runs. An IMMEDIATE transaction waits for its turn. Prefect has no setting for this. Postgres needs
none.

A page that the user of this machine visits could call it. CORS alone hides answers from such a page. It stops neither a
WebSocket nor a page whose host name resolves to this machine (DNS rebinding).

Prefect is pinned, and `tests/flows/execution/test_engine.py` fails on a release that changes the internals used here.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from adapters.observation.log import set_up_log
from adapters.platform.imports import uncollected

with uncollected():
    import uvicorn
    from docket import Docket
    from fastapi.dependencies import utils
    from prefect.server.api.server import create_app
    from prefect.server.database.orm_models import Deployment, FlowRun, WorkQueue
    from prefect.server.database.query_components import AioSqliteQueryComponents, AsyncPostgresQueryComponents
    from prefect.server.events.schemas.events import Event, ReceivedEvent
    from prefect.server.models import flow_runs
    from prefect.server.models.deployments import mark_deployments_ready
    from prefect.server.models.work_queues import mark_work_queues_ready
    from prefect.server.orchestration.global_policy import EnsureFlowRunStateTimestampIsUnique
    from prefect.server.orchestration.rules import BaseUniversalTransform
    from prefect.settings import (
        PREFECT_API_DATABASE_CONNECTION_URL,
        PREFECT_SERVER_API_HOST,
        PREFECT_SERVER_API_KEEPALIVE_TIMEOUT,
        PREFECT_SERVER_API_PORT,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
        PREFECT_SERVER_LOGGING_LEVEL,
    )
    from prefect.types._datetime import now
    from sqlalchemy import Result, event
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.dialects.sqlite import aiosqlite
    from sqlalchemy.orm import ORMExecuteState, Session, joinedload
    from sqlalchemy.util.concurrency import await_
    from starlette.datastructures import Headers
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.types import ASGIApp, Receive, Scope, Send


class _Cursor(aiosqlite.AsyncAdapt_aiosqlite_cursor):
    """Executes the statements of a transaction in the event loop. aiosqlite hands each of their steps to a thread.

    Such a transaction is IMMEDIATE, so none of its statements waits for another. Begin and commit may wait for a lock
    or the disk, and what no transaction protects may be a long query: these stay in the thread. Rows that Prefect
    inserts outside of a transaction get one until its commit, or SQLite would write a transaction for each row.
    """

    __slots__ = ()
    _awaitable_cursor_close = False
    _make_new_cursor = staticmethod(lambda connection: connection._conn.cursor())
    _aenter_cursor = staticmethod(lambda cursor: cursor)

    def execute(self, operation: str, parameters: Any = None) -> None:
        begins = operation == "BEGIN DEFERRED"
        self._do(self._cursor.execute, "BEGIN IMMEDIATE" if begins else operation, parameters or ())

    def executemany(self, operation: str, seq_of_parameters: Any) -> None:
        if not self._connection.in_transaction:
            self._do(self._cursor.execute, "BEGIN IMMEDIATE", ())
        self._do(self._cursor.executemany, operation, seq_of_parameters)

    def _do(self, step: Callable[..., Any], *given: Any) -> None:
        cursor: Any = self._cursor

        def done() -> None:
            step(*given)
            self._rows = deque(cursor.fetchall())

        async def done_here() -> None:
            done()

        try:
            await_(done_here() if self._connection.in_transaction else self._connection._execute(done))
        except Exception as error:  # noqa: BLE001 -- translated as by the method that this replaces
            self._adapt_connection._handle_exception(error)


def execute_directly() -> None:
    """Execute statements in the event loop, and an INSERT of many rows as a statement for one, with parameters."""
    aiosqlite.AsyncAdapt_aiosqlite_connection._cursor_cls = _Cursor
    for queries, kind in ((AioSqliteQueryComponents, sqlite.Insert), (AsyncPostgresQueryComponents, postgresql.Insert)):
        queries.insert = _taking_rows(kind)  # type: ignore[method-assign]

    @event.listens_for(Session, "do_orm_execute")
    def passed(state: ORMExecuteState) -> Result[Any] | None:
        if not (rows := getattr(state.statement, "rows", None)):
            return None
        state.session.flush()  # as before any statement of a session
        return state.session.connection().execute(state.statement, rows)


def _taking_rows(kind: Any) -> Any:
    """Return what makes an INSERT of a kind. Prefect writes rows into the statement, which is then compiled."""

    class Inserting(kind):  # type: ignore[misc]
        inherit_cache = True

        def values(self, *rows: Any, **row: Any) -> Any:
            made = super().values(**row) if row else self._generate()
            made.rows = rows[0] if rows else ()
            return made

    return lambda _, table: Inserting(table)


def read_once() -> None:
    """Read a run with its state, queue and pool in one statement, and an event once for the services that listen."""
    ReceivedEvent.model_validate_json = lru_cache(200)(ReceivedEvent.model_validate_json)  # type: ignore[assignment, method-assign]
    Event.receive = lambda each, at=None: ReceivedEvent.model_construct(**vars(each), received=at or now("UTC"))  # type: ignore[method-assign, assignment, arg-type]
    if PREFECT_API_DATABASE_CONNECTION_URL.value().startswith("sqlite"):  # Postgres cannot lock what it joins
        for each in (FlowRun._state, FlowRun.work_queue, Deployment.work_queue, WorkQueue.work_pool):
            each.property.strategy = each.property._get_strategy((("lazy", "joined"),))  # type: ignore[union-attr]
        joined = joinedload(FlowRun.work_queue).joinedload(WorkQueue.work_pool)
        vars(flow_runs)["selectinload"] = lambda _queue: SimpleNamespace(selectinload=lambda _pool: joined)


def leave_out() -> None:
    """Leave out what serves no client of ours: a search for a state of the same microsecond, which Windows needs;
    threads for what requests depend on, which never waits; marks that queue and deployments were polled less than ten
    seconds ago, where they count as polled for a minute.
    """
    EnsureFlowRunStateTimestampIsUnique.before_transition = BaseUniversalTransform.before_transition  # type: ignore[method-assign]
    vars(utils)["run_in_threadpool"] = _called
    add, again_s = Docket.add, dict[str, float]()

    def added(docket: Docket, function: Any, *when: Any, **key: Any) -> Callable[..., Awaitable[Any]]:
        later = add(docket, function, *when, **key)

        async def seldom(**named: Any) -> Any:
            if time.monotonic() < again_s.get(mark := f"{function} {named}", 0):
                return None
            again_s[mark] = time.monotonic() + 10
            return await later(**named)

        return seldom if function in (mark_work_queues_ready, mark_deployments_ready) else later

    Docket.add = added  # type: ignore[method-assign, assignment]


async def _called(function: Callable[..., Any], **named: Any) -> Any:
    return function(**named)


def _own_pages_only(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Refuse requests and WebSockets from pages of other origins. Programs send no `Origin`."""
    refusal = PlainTextResponse("pages of this origin may not call this server", 403)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] in {"http", "websocket"} else None
        is_own = origin is None or "*" in origins or origin in origins
        await (app if is_own else refusal)(scope, receive, send)

    return answer


def _closed(app: ASGIApp) -> ASGIApp:
    """Let an application answer only to `127.0.0.1`, `localhost` and the hosts of Prefect's setting of allowed origins.

    Pages may call it only from these origins.
    """
    named = PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value().split(",")
    origins = {origin for each in named if (origin := each.strip().rstrip("/"))}
    hosts = {urlsplit(origin).hostname or origin for origin in origins}
    # cellar's own programs call the server at the last two hosts, even if an operator names other origins.
    return TrustedHostMiddleware(_own_pages_only(app, origins), [*hosts, "127.0.0.1", "localhost"], www_redirect=False)


def main() -> None:
    """Serve until a signal comes."""
    execute_directly()
    read_once()
    leave_out()
    app = create_app(final=True)  # sets up Prefect's own log, too
    set_up_log()
    uvicorn.run(
        _closed(app),
        host=PREFECT_SERVER_API_HOST.value(),
        port=PREFECT_SERVER_API_PORT.value(),
        timeout_keep_alive=PREFECT_SERVER_API_KEEPALIVE_TIMEOUT.value(),
        log_config=None,
        log_level=PREFECT_SERVER_LOGGING_LEVEL.value().lower(),
    )


if __name__ == "__main__":
    main()
