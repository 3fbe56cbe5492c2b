"""Results of Prefect's tasks, by flow run and by Prefect's name for the result."""

from collections.abc import Iterable

from sqlmodel import col, delete, select

from adapters.database.transactions import pages, read_all, read_row, upsert, writing
from models.runs.receipt import TaskResultRow


def find(flow_run_id: str, name: str) -> bytes | None:
    """Return a result, None if there is none."""
    row = read_row(TaskResultRow, (flow_run_id, name))
    return row.content if row else None


def keep(flow_run_id: str, name: str, content: bytes) -> None:
    """Keep a result, in place of an earlier result of that name."""
    with writing() as session:
        first = upsert(session, TaskResultRow).values(flow_run_id=flow_run_id, name=name, content=content)
        put = first.on_conflict_do_update(index_elements=["flow_run_id", "name"], set_={"content": content})
        session.connection().execute(put)


def flow_run_ids() -> set[str]:
    """Return the flow runs that have results."""
    return set(read_all(select(TaskResultRow.flow_run_id).distinct()))


def remove(flow_run_ids: Iterable[str]) -> None:
    """Remove the results of flow runs."""
    with writing() as session:
        for page in pages(flow_run_ids):
            session.connection().execute(delete(TaskResultRow).where(col(TaskResultRow.flow_run_id).in_(page)))
