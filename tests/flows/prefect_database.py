"""The whole database of a Prefect server, searched as text."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from prefect import flow, get_run_logger, tags, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from prefect.logging.handlers import APILogHandler

from tests.conftest import wait_until

TABLES = {"artifact", "events", "flow_run", "flow_run_state", "log", "task_run", "task_run_state"}
"""Where what a flow says ends up."""


def kept_by_prefect(home: Path) -> dict[str, str]:
    """Return the text of each table, after the server has written all that flows of this process reported.

    The server writes logs and events late, but in order. So once a last word stands in every table, everything before
    it does. This also proves that a word in any of these places can be found.
    """
    word = f"said-last-{uuid4()}"
    with suppress(ValueError), tags(word):
        say(word)
    APILogHandler().flush()
    wait_until(lambda: having(word, tables(home)) >= TABLES)
    return tables(home)


def having(word: str, texts: Mapping[str, str]) -> set[str]:
    return {name for name, text in texts.items() if word in text}


def tables(home: Path) -> dict[str, str]:
    """Return each table's rows as text."""
    with closing(sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: "\n".join(str(value) for row in connection.execute(f'SELECT * FROM "{name}"') for value in row)
            for name in names
        }


@flow(name="say", persist_result=False)
def say(word: str) -> None:
    """Write a word in every place where a flow can."""
    get_run_logger().warning(word)
    create_markdown_artifact(word)
    emit_event("said", {"prefect.resource.id": word})
    fail_with(word)


@task(name="fail-with", persist_result=False)
def fail_with(word: str) -> None:
    raise ValueError(word)
