"""Lets a transaction on Postgres send what nobody waits for together with what follows: each request takes a while."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, exc
from sqlalchemy.dialects.postgresql.psycopg import PGExecutionContext_psycopg
from sqlmodel import Session

_MODE, _PIPELINE = "pipeline_mode", "pipeline"
UNREAD = {"cellar_unread": True}
"""The option of a statement that is awaited otherwise, and of which nothing is read, such as a SELECT that locks."""


class _Context(PGExecutionContext_psycopg):
    """Waits for the number of rows that a statement has changed when it is read."""

    @property
    def rowcount(self) -> int:
        if self._rowcount == -1 and (pipeline := self.root_connection.info.get(_PIPELINE)):
            pipeline.sync()
            self._rowcount = self.cursor.rowcount
        return super().rowcount


def await_results(engine: Engine) -> None:
    """Let statements in a pipeline wait for the rows that they return, and changes by many values for the number of
    rows, which psycopg does not add up later. A stream ends the pipeline: psycopg has no cursors of the server in it.
    """
    engine.dialect.execution_ctx_cls = _Context

    @event.listens_for(engine, "before_cursor_execute")
    def _end(connection: Connection, *told: Any) -> None:
        if told[3].execution_options.get("stream_results") and _PIPELINE in connection.info:
            connection.info[_MODE].close()

    @event.listens_for(engine, "after_cursor_execute")
    def _await(connection: Connection, *told: Any) -> None:
        pipeline, context = connection.info.get(_PIPELINE), told[3]
        is_later = context.isinsert or (context.is_crud and not context.executemany)
        is_unread = is_later and not context.compiled.effective_returning
        if pipeline and not is_unread and not UNREAD.keys() <= context.execution_options.keys():
            pipeline.sync()


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Begin a transaction, and commit it at the end: both are sent together with the statements of the block.

    Its connection commits each statement otherwise. An error of a statement that was not waited for is raised by a
    later statement, or at the end.
    """
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    info, dialect = connection.info, connection.dialect
    try:
        with ExitStack() as mode:
            info[_MODE], info[_PIPELINE] = mode, mode.enter_context(driver.pipeline())
            mode.callback(info.pop, _PIPELINE)
            driver.execute("BEGIN", prepare=False)
            yield
            session.flush()
            driver.execute("COMMIT", prepare=False)
    except dialect.loaded_dbapi.Error as error:
        raise exc.DBAPIError.instance(None, None, error, type(error), dialect=dialect) from error
