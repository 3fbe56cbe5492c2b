"""Claims: which living worker executes which flow run.

A claim is made before a worker touches a run and dropped after Prefect knows its end, so whatever a worker leaves
behind is here, however it ended. Nobody's clock is compared with another's: a worker is dead when somebody who kept
looking has seen its beats stand still.
"""

from collections.abc import Iterable

from sqlmodel import col, delete, select, update

from adapters.database.transactions import insert_new, reading, writing
from models.runs.worker import ClaimRow, WorkerRow


def join(worker_id: str) -> None:
    """Be a worker that lives."""
    with writing() as session:
        insert_new(session, WorkerRow, {"worker_id": worker_id, "beats": 0})


def beat(worker_id: str) -> bool:
    """Show that a worker lives. False: it was taken for dead, and its runs are others' now."""
    mine = update(WorkerRow).where(col(WorkerRow.worker_id) == worker_id)
    with writing() as session:
        return session.connection().execute(mine.values(beats=WorkerRow.beats + 1)).rowcount == 1


def beats() -> dict[str, int]:
    """Beats of every worker that lives or was not found dead yet."""
    with reading() as session:
        return {row.worker_id: row.beats for row in session.exec(select(WorkerRow))}


def bury(worker_id: str, beats: int) -> bool:
    """Take a worker for dead, unless its beats have moved on from what was seen; return whether it was."""
    seen = delete(WorkerRow).where(col(WorkerRow.worker_id) == worker_id, col(WorkerRow.beats) == beats)
    with writing() as session:
        return session.connection().execute(seen).rowcount == 1


def leave(worker_id: str) -> None:
    """End as a worker. What it still has claimed is for the others to take."""
    with writing() as session:
        session.execute(delete(WorkerRow).where(col(WorkerRow.worker_id) == worker_id))


def claim(flow_run_ids: Iterable[str], worker_id: str) -> set[str]:
    """Claim flow runs, and return those that nobody had."""
    with writing() as session:
        return {
            flow_run_id
            for flow_run_id in flow_run_ids
            if insert_new(session, ClaimRow, {"flow_run_id": flow_run_id, "worker_id": worker_id})
        }


def drop(flow_run_id: str, worker_id: str) -> None:
    """Let go of a flow run. One that another worker has taken over stays with it."""
    mine = col(ClaimRow.flow_run_id) == flow_run_id, col(ClaimRow.worker_id) == worker_id
    with writing() as session:
        session.execute(delete(ClaimRow).where(*mine))


def held_by(worker_id: str) -> set[str]:
    """The flow runs that a worker has claimed."""
    with reading() as session:
        return set(session.exec(select(ClaimRow.flow_run_id).where(ClaimRow.worker_id == worker_id)))


def claimed() -> set[str]:
    """Every flow run that some worker has claimed."""
    with reading() as session:
        return set(session.exec(select(ClaimRow.flow_run_id)))


def take_orphans(worker_id: str) -> None:
    """Take over every claim of a worker that lives no more.

    One statement: of two that try, the later one finds the claims with the earlier, who lives.
    """
    orphaned = col(ClaimRow.worker_id).not_in(select(WorkerRow.worker_id))
    with writing() as session:
        session.execute(update(ClaimRow).where(orphaned).values(worker_id=worker_id))
