"""Claims: which living worker executes which flow run.

A worker claims a run before it starts it, and drops the claim after Prefect knows the end. So the claims list every run
that a worker leaves behind, however the worker ended. No clocks are compared: a worker is dead when another worker that
kept watching has seen its beats stop.
"""

from collections.abc import Iterable

from sqlmodel import col, delete, select, update

from adapters.database.transactions import insert_new, reading, writing
from models.runs.run import ClaimRow, WorkerRow


def join(worker_id: str) -> None:
    """Register a worker as living."""
    with writing() as session:
        insert_new(session, WorkerRow, {"worker_id": worker_id, "beats": 0})


def beat(worker_id: str) -> bool:
    """Record that a worker lives. Return False if it was taken for dead: then other workers have its runs."""
    mine = update(WorkerRow).where(col(WorkerRow.worker_id) == worker_id)
    with writing() as session:
        return session.connection().execute(mine.values(beats=WorkerRow.beats + 1)).rowcount == 1


def beats() -> dict[str, int]:
    """Return the beats of every worker that is not known to be dead, by its id."""
    with reading() as session:
        return {row.worker_id: row.beats for row in session.exec(select(WorkerRow))}


def remove_dead(worker_id: str, beats: int) -> bool:
    """Take a worker for dead, unless its beats have changed from `beats`. Return whether it was taken for dead."""
    seen = delete(WorkerRow).where(col(WorkerRow.worker_id) == worker_id, col(WorkerRow.beats) == beats)
    with writing() as session:
        return session.connection().execute(seen).rowcount == 1


def leave(worker_id: str) -> None:
    """Remove a worker. Other workers may take over its remaining claims."""
    with writing() as session:
        session.execute(delete(WorkerRow).where(col(WorkerRow.worker_id) == worker_id))


def claim(flow_run_ids: Iterable[str], worker_id: str) -> set[str]:
    """Claim flow runs for a worker, and return the runs that were not claimed yet."""
    with writing() as session:
        return {
            flow_run_id
            for flow_run_id in flow_run_ids
            if insert_new(session, ClaimRow, {"flow_run_id": flow_run_id, "worker_id": worker_id})
        }


def drop(flow_run_id: str, worker_id: str) -> None:
    """Release a worker's claim on a flow run. A claim that another worker has taken over stays."""
    mine = col(ClaimRow.flow_run_id) == flow_run_id, col(ClaimRow.worker_id) == worker_id
    with writing() as session:
        session.execute(delete(ClaimRow).where(*mine))


def held_by(worker_id: str) -> set[str]:
    """Return the flow runs that a worker has claimed."""
    with reading() as session:
        return set(session.exec(select(ClaimRow.flow_run_id).where(ClaimRow.worker_id == worker_id)))


def claimed() -> set[str]:
    """Return every flow run that any worker has claimed."""
    with reading() as session:
        return set(session.exec(select(ClaimRow.flow_run_id)))


def take_orphans(worker_id: str) -> None:
    """Take over every claim of the workers that no longer live.

    One statement: if two workers try, the second finds the claims with the first, which lives.
    """
    orphaned = col(ClaimRow.worker_id).not_in(select(WorkerRow.worker_id))
    with writing() as session:
        session.execute(update(ClaimRow).where(orphaned).values(worker_id=worker_id))
