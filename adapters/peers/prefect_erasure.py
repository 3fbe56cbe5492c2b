"""Removes what Prefect has of an archive: runs with their tasks and logs, artifacts, and events.

The embedded server keeps all of it in a SQLite file of this machine, where the rows are removed themselves, with their
bytes. A server of its own is asked by its API, which removes no event: its events stay until its retention ends.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adapters.observation.log import reference_digest
from adapters.peers.prefect_api import read, silent
from adapters.peers.prefect_facts import answered
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings

_TIMEOUT_S = 30
_AT_ONCE = 200
_TEMPORARY = ("its_run", "its_task", "its_resource", "its_event", "of_many")
_REMOVALS = (
    "INSERT INTO its_run SELECT id FROM flow_run WHERE name = :reference",
    "INSERT INTO its_task SELECT id FROM task_run WHERE flow_run_id IN (SELECT id FROM its_run)",
    "INSERT INTO its_resource SELECT 'prefect.task-run.' || id FROM its_task",
    "INSERT INTO its_resource SELECT 'prefect.flow-run.' || id FROM its_run",
    "INSERT INTO its_event SELECT event_id FROM event_resources WHERE resource_id IN (SELECT id FROM its_resource)",
    "DELETE FROM events WHERE id IN (SELECT id FROM its_event)",
    "DELETE FROM event_resources WHERE event_id IN (SELECT id FROM its_event)",
    "DELETE FROM log WHERE flow_run_id IN (SELECT id FROM its_run) OR task_run_id IN (SELECT id FROM its_task)",
    "DELETE FROM artifact WHERE key = :key OR flow_run_id IN (SELECT id FROM its_run)",
    "DELETE FROM artifact_collection WHERE key = :key",
    "DELETE FROM task_run_state WHERE task_run_id IN (SELECT id FROM its_task)",
    "DELETE FROM task_run WHERE flow_run_id IN (SELECT id FROM its_run)",
    "DELETE FROM flow_run_state WHERE flow_run_id IN (SELECT id FROM its_run)",
    "DELETE FROM flow_run_input WHERE flow_run_id IN (SELECT id FROM its_run)",
    "DELETE FROM flow_run WHERE id IN (SELECT id FROM its_run)",
    "INSERT INTO of_many SELECT flow_run.id FROM flow_run JOIN flow ON flow.id = flow_id"
    " WHERE flow.name IN ('import-archives', 'verify-archives', 'judge-signatures', 'anchor-archives', 'find-missing')",
)
_REDACTIONS = (
    "UPDATE log SET message = redacted(message)"
    " WHERE flow_run_id IN (SELECT id FROM of_many) AND instr(message, :spelled)",
    "UPDATE artifact SET data = redacted(data), description = redacted(description)"
    " WHERE flow_run_id IN (SELECT id FROM of_many) AND (instr(data, :spelled) OR instr(description, :spelled))",
    "UPDATE artifact_collection SET data = redacted(data), description = redacted(description)"
    " WHERE flow_run_id IN (SELECT id FROM of_many) AND (instr(data, :spelled) OR instr(description, :spelled))",
)
"""Of the flows whose logs and artifacts name many archives."""


Redact = Callable[[str], str]


class _WithId(BaseModel):
    id: str


def summary_key(reference: str) -> str:
    """Return the key of the artifact that shows an archive in Prefect."""
    return f"archive-{hashlib.sha256(reference.encode()).hexdigest()[:16]}"


def events_kept_days() -> int | None:
    """Return for how many days events may stay that cannot be removed; None where all are removed at once."""
    return None if prefect_file(settings()).exists() else settings().prefect_retention_days


def forget(reference: str, spelled: Sequence[str], redact: Redact, flow_run_ids: Collection[str]) -> None:
    """Remove what Prefect has of an archive. Idempotent.

    Args:
        spelled: how the reference is written.
        redact: takes it out of a text that stays, since it is about several archives.
        flow_run_ids: the runs of this archive alone.

    Raises:
        Transient: Prefect does not answer, or its file stays locked.
    """
    path = prefect_file(settings())
    if path.exists():
        _forget_in_file(path, reference, spelled, redact, flow_run_ids)
    else:
        _forget_by_api(reference, flow_run_ids)


def _forget_in_file(
    path: Path, reference: str, spelled: Sequence[str], redact: Redact, flow_run_ids: Collection[str]
) -> None:
    its = {"reference": reference, "key": summary_key(reference)}
    resources = [(f"cellar.archive.{reference_digest(reference)}",)]
    try:
        with closing(sqlite3.connect(path, timeout=_TIMEOUT_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            connection.create_function("redacted", 1, lambda text: text and redact(text), deterministic=True)
            for each in _TEMPORARY:
                connection.execute(f"CREATE TEMP TABLE {each} (id TEXT)")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO its_run VALUES (?)", [(each,) for each in flow_run_ids])
            connection.executemany("INSERT INTO its_resource VALUES (?)", resources)
            for each in _REMOVALS:
                connection.execute(each, its)
            for each in _REDACTIONS:
                for text in spelled:
                    connection.execute(each, {"spelled": text})
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise silent(error) from error


def _forget_by_api(reference: str, flow_run_ids: Collection[str]) -> None:
    by_name = {"flow_runs": {"name": {"any_": [reference]}}}
    by_key = {"artifacts": {"key": {"any_": [summary_key(reference)]}}}
    while found := _filtered("artifacts", by_key):
        _delete("artifacts", found)
    _delete("flow_runs", flow_run_ids)
    while found := _filtered("flow_runs", by_name):
        _delete("flow_runs", found)


def _filtered(kind: str, wanted: dict[str, Any]) -> list[str]:
    answer = answered("POST", f"/{kind}/filter", wanted | {"limit": _AT_ONCE}, _TIMEOUT_S)
    return [each.id for each in read(list[_WithId], answer.content)]


def _delete(kind: str, ids: Collection[str]) -> None:
    """Delete objects. What is gone already was removed before."""
    for each in ids:
        answered("DELETE", f"/{kind}/{each}", timeout_s=_TIMEOUT_S)
