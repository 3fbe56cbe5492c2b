"""Leases: who alone may do something, until when. A holder renews its leases; those of a dead holder expire.

A run leases the process that it works on, so that two runs never work on one process at once. A worker leases each flow
run that it executes (its *claims*) before it starts it, and drops the claim after Prefect knows the end: so the claims
list every run that a worker leaves behind, however the worker ended. It also leases itself, to show that it lives.

What else is claimed is no lease, each for a reason:

- A message to an endpoint (`messages/queues.py`) is claimed where it is found due and gets its place in the endpoint's
  rate, a hundred at once. Nobody renews the claim, since it outlasts any attempt.
- A letter (`people/notices.py`) has no schedule to keep: its claim is its next time.
- An item of a batch (`batches/`) is taken once for good, by its state.
- One receiver process searches the inbox for all (`platform/shared_numbers.py`): the kernel's lock, without a database.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, Update, or_
from sqlmodel import Session, col, delete, func, select, update

from adapters.database.transactions import insert_new, pages, read_all, read_first, upsert, writing
from models.runs.receipt import Leased, LeaseRow

_LENGTH_OF_ID = 36
"""Of the id of a flow run, with which the holder of a process begins: RUN:ATTEMPT."""


def take(references: Iterable[str], holder: str, lasts_s: float) -> set[str]:
    """Take or renew the leases on processes, and return the processes whose lease `holder` has.

    One statement inserts or updates, so of several holders that try, exactly one gets the lease.
    """
    with writing() as session:
        # In order, so that two transactions cannot deadlock.
        return {each for each in sorted(references) if _is_taken(session, Leased.PROCESS, each, holder, lasts_s)}


def take_access(holder: str, lasts_s: float) -> bool:
    """Take or renew the lease on what is sent of the access log, and return whether `holder` has it."""
    with writing() as session:
        return _is_taken(session, Leased.ACCESS, "", holder, lasts_s)


def release(references: Iterable[str], holder: str) -> None:
    """Release the leases on processes, so that the next runs can take them."""
    with writing() as session:
        for page in pages(sorted(references)):
            its = col(LeaseRow.subject).in_(page), col(LeaseRow.holder) == holder
            session.connection().execute(_ended(session).where(col(LeaseRow.kind) == Leased.PROCESS, *its))


def expiry(flow_run_id: str) -> datetime | None:
    """Return when the newest lease of a run's attempts expires or expired. None: no lease, or another run has it."""
    held = select(LeaseRow.expires_at).where(
        LeaseRow.kind == Leased.PROCESS, col(LeaseRow.holder).startswith(f"{flow_run_id}:")
    )
    return read_first(held.order_by(col(LeaseRow.expires_at).desc()))


def claim(flow_run_ids: Iterable[str], worker_id: str, lasts_s: float) -> set[str]:
    """Claim flow runs for a worker, and return the runs that were not claimed yet.

    The claims of a dead worker can only be taken over: it may have left a run that Prefect shows as running.
    """
    claimed = {"kind": Leased.RUN, "holder": worker_id}
    with writing() as session:
        return {
            each
            for each in sorted(flow_run_ids)
            if insert_new(session, LeaseRow, claimed | {"subject": each, "expires_at": _now(session, lasts_s)})
        }


def renew(worker_id: str, lasts_s: float) -> set[str]:
    """Renew the claims of a worker, and its lease on itself. Return the flow runs that it still has.

    Its other runs were taken over: another worker has taken it for dead.
    """
    with writing() as session:
        _is_taken(session, Leased.WORKER, worker_id, worker_id, lasts_s)
        its = update(LeaseRow).where(col(LeaseRow.kind) == Leased.RUN, col(LeaseRow.holder) == worker_id)
        renewed = its.values(expires_at=_now(session, lasts_s)).returning(col(LeaseRow.subject))
        return set(session.execute(renewed).scalars())


def take_over(worker_id: str, lasts_s: float) -> None:
    """Take over every claim of the workers that are dead.

    One statement: if two workers try, the second finds the claims with the first, which lives. An end that no renewal
    can have set, not even one at this moment, was set while the clock of SQLite's host was ahead.
    """
    with writing() as session:
        dead = ~col(LeaseRow.expires_at).between(_now(session), _now(session, 2 * lasts_s))
        taken = {"holder": worker_id, "expires_at": _now(session, lasts_s)}
        session.execute(update(LeaseRow).where(col(LeaseRow.kind) == Leased.RUN, dead).values(taken))
        session.execute(delete(LeaseRow).where(col(LeaseRow.kind) == Leased.WORKER, dead))


def end_workers(but: str) -> None:
    """End every lease of workers but one, and of the runs that they execute, since none of them lives."""
    flow_run_id = func.substr(col(LeaseRow.holder), 1, _LENGTH_OF_ID)
    claimed = select(LeaseRow.subject).where(LeaseRow.kind == Leased.RUN)
    with writing() as session:
        # One search of a table that has a row for each process.
        session.execute(_ended(session).where(col(LeaseRow.kind) == Leased.PROCESS, flow_run_id.in_(claimed)))
        session.execute(_ended(session).where(col(LeaseRow.kind) != Leased.PROCESS, col(LeaseRow.holder) != but))


def leave(worker_id: str) -> None:
    """End the leases of a worker. Other workers may take over its remaining claims."""
    with writing() as session:
        session.execute(_ended(session).where(col(LeaseRow.holder) == worker_id))
        session.execute(delete(LeaseRow).where(col(LeaseRow.subject) == worker_id, col(LeaseRow.kind) == Leased.WORKER))


def drop(flow_run_id: str, worker_id: str) -> None:
    """Drop a worker's claim on a flow run. A claim that another worker has taken over stays."""
    its = col(LeaseRow.subject) == flow_run_id, col(LeaseRow.holder) == worker_id
    with writing() as session:
        session.connection().execute(delete(LeaseRow).where(col(LeaseRow.kind) == Leased.RUN, *its))


def held_by(worker_id: str) -> set[str]:
    """Return the flow runs that a worker has claimed."""
    its = LeaseRow.kind == Leased.RUN, LeaseRow.holder == worker_id
    return set(read_all(select(LeaseRow.subject).where(*its)))


def claimed() -> set[str]:
    """Return every flow run that any worker has claimed."""
    return set(read_all(select(LeaseRow.subject).where(LeaseRow.kind == Leased.RUN)))


def _is_taken(session: Session, kind: Leased, subject: str, holder: str, lasts_s: float) -> bool:
    taken = {"holder": holder, "expires_at": _now(session, lasts_s)}
    is_free = or_(col(LeaseRow.holder) == holder, col(LeaseRow.expires_at) < _now(session))
    first = upsert(session, LeaseRow).values(kind=kind, subject=subject, **taken)
    put = first.on_conflict_do_update(index_elements=["kind", "subject"], set_=taken, where=is_free)
    return session.connection().execute(put.returning(col(LeaseRow.subject))).first() is not None


def _ended(session: Session) -> Update:
    return update(LeaseRow).values(expires_at=_now(session, -1))


def _now(session: Session, later_s: float = 0) -> ColumnElement[datetime] | datetime:
    """Return the database's own time, since clocks of hosts may differ. SQLite has no clock, but serves one host.

    The transaction begins first, since on SQLite it may have to wait for others: a lease must not begin before that.
    """
    is_postgres = session.connection().dialect.name == "postgresql"
    now = func.clock_timestamp(type_=DateTime(timezone=True)) if is_postgres else datetime.now(UTC)
    return now + timedelta(seconds=later_s)
