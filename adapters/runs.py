"""The history of runs, and the lease that keeps two of them from working on one process at once."""

from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import col, func, select, update

from adapters.database import insert_new, reading, writing
from models.run import LeaseRow, RunRow, RunState


def begin(run: RunRow) -> None:
    """Put a run on record. Earlier attempts of it that were never ended have crashed: no process can have two."""
    with writing() as session:
        session.execute(
            update(RunRow)
            .where(
                col(RunRow.flow_run_id) == run.flow_run_id,
                col(RunRow.attempt) < run.attempt,
                col(RunRow.ended_at).is_(None),
            )
            .values(state=RunState.CRASHED, ended_at=run.started_at)
        )
        insert_new(session, RunRow, run.model_dump())


def end(flow_run_id: str, state: str, now: datetime, failed_task: str | None = None) -> None:
    """Put the end of a run's open attempts on record."""
    with writing() as session:
        session.execute(
            update(RunRow)
            .where(col(RunRow.flow_run_id) == flow_run_id, col(RunRow.ended_at).is_(None))
            .values(state=state, ended_at=now, failed_task=failed_task)
        )


def ended_runs(receipt_id: str) -> int:
    """How many flow runs of a receipt have ended."""
    with reading() as session:
        ended = select(func.count(func.distinct(RunRow.flow_run_id))).where(
            RunRow.receipt_id == receipt_id, col(RunRow.ended_at).is_not(None)
        )
        return session.exec(ended).one()


def take_lease(reference: str, holder: str, now: datetime, lasts_s: float) -> bool:
    """Take or renew the lease on a process, and return whether `holder` has it.

    One statement each: whoever's update or insert takes effect has it, in whatever order two processes try.
    """
    expires_at = now + timedelta(seconds=lasts_s)
    with writing() as session:
        taken = session.connection().execute(
            update(LeaseRow)
            .where(
                col(LeaseRow.reference) == reference,
                or_(col(LeaseRow.holder) == holder, col(LeaseRow.expires_at) < now),
            )
            .values(holder=holder, expires_at=expires_at)
        )
        row = {"reference": reference, "holder": holder, "expires_at": expires_at}
        return taken.rowcount == 1 or insert_new(session, LeaseRow, row)


def release_lease(reference: str, holder: str, now: datetime) -> None:
    """Let the next run have the process."""
    with writing() as session:
        session.execute(
            update(LeaseRow)
            .where(col(LeaseRow.reference) == reference, col(LeaseRow.holder) == holder)
            .values(expires_at=now - timedelta(seconds=1))
        )
