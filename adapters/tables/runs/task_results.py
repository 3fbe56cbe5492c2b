"""Results of Prefect's tasks, by flow run and by Prefect's name for the result."""

from collections.abc import Iterable

from sqlmodel import col, delete, select

from adapters.database.transactions import pages, read_all, read_row, send, upsert, writing
from models.runs.receipt import TaskResultRow


def find(flow_run_id: str, name: str) -> bytes | None:
    """Return a result, None if there is none."""
    row = read_row(TaskResultRow, (flow_run_id, name))
    return row.content if row else None


def keep(flow_run_id: str, name: str, content: bytes) -> None:
    """Keep a result, in place of an earlier result of that name."""
    with writing(pipelined=True) as session:
        first = upsert(session, TaskResultRow).values(flow_run_id=flow_run_id, name=name, content=content)
        send(session, first.on_conflict_do_update(index_elements=["flow_run_id", "name"], set_={"content": content}))


def flow_run_ids() -> set[str]:
    """Return the flow runs that have results."""
    return set(read_all(select(TaskResultRow.flow_run_id).distinct()))


def remove(flow_run_ids: Iterable[str]) -> None:
    """Remove the results of flow runs."""
    with writing(pipelined=True) as session:
        for page in pages(flow_run_ids):
            send(session, delete(TaskResultRow).where(col(TaskResultRow.flow_run_id).in_(page)))
