"""Lets a transaction on Postgres send what nobody waits for together with what follows: each request takes a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, exc
from sqlmodel import Session

_PIPELINE = "pipeline"
UNREAD = "cellar_unread"
"""The option of a statement of which nothing is read, not even how many rows it changed."""


def await_results(engine: Engine) -> None:
    """Let statements in a pipeline wait for their results, unless there are none to read."""

    @event.listens_for(engine, "after_cursor_execute")
    def _await(connection: Connection, *told: Any) -> None:
        pipeline, context = connection.info.get(_PIPELINE), told[3]
        is_unread = context.isinsert and not context.compiled.effective_returning
        if pipeline and not is_unread and UNREAD not in context.execution_options:
            pipeline.sync()


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Begin a transaction, and commit it at the end: both are sent together with the statements of the block.

    Its connection commits each statement otherwise. An error of a statement that was not waited for is raised by a
    later statement, or at the end. Such a transaction cannot stream.
    """
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    info, dialect = connection.info, connection.dialect
    try:
        with driver.pipeline() as info[_PIPELINE]:
            driver.execute("BEGIN", prepare=False)
            yield
            session.flush()
            driver.execute("COMMIT", prepare=False)
    except dialect.loaded_dbapi.Error as error:
        raise exc.DBAPIError.instance(None, None, error, type(error), dialect=dialect) from error
    finally:
        del info[_PIPELINE]
