"""Shows how the database answers the queries of a call."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from adapters.database.connections import engine


def plans_of(call: Callable[[], object]) -> list[str]:
    """Return the plan of each query of a call, as the database shows it."""
    asked: list[tuple[str, Any]] = []

    def _note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(engine(), "before_cursor_execute", _note)
    try:
        call()
    finally:
        event.remove(engine(), "before_cursor_execute", _note)
    return [line for statement, values in asked if statement.startswith("SELECT") for line in _plan(statement, values)]


def _plan(statement: str, values: Any) -> list[str]:
    is_sqlite = engine().dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (COSTS OFF) "
    with engine().connect() as connection:
        rows = connection.exec_driver_sql(explain + statement, values).all()
    return [f"    {row[-1]}" for row in rows]
