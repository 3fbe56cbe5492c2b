"""Runs stop to be Undelivered however many other runs are."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import Completed

from adapters.database.transactions import writing
from domain.messages.summaries import undelivered_text
from flows import deliver_messages
from flows.deliver_messages import settle_all
from flows.process_archive import process_archive
from models.messages.notification import NotificationRow, NotificationState
from models.runs.receipt import RunRow, RunState, Trigger
from tests.records import run_row

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def message(receipt_id: str, state: NotificationState) -> NotificationRow:
    return NotificationRow(
        message_id=f"msg_{receipt_id}",
        reference="process-1",
        receipt_id=receipt_id,
        endpoint="https://erp.example",
        event="archive.completed",
        state=state,
        planned_at=NOW,
    )


async def undelivered(client: PrefectClient, receipt_id: str, text: str) -> RunRow:
    """Make a run about a receipt that has ended as Undelivered."""
    parameters = {"reference": "process-1", "receipt_id": receipt_id}
    made = await client.create_flow_run(process_archive, parameters=parameters, tags=["undelivered"])
    await client.set_flow_run_state(made.id, Completed(name="Undelivered", message=text), force=True)
    return run_row(
        str(made.id), receipt_id, reference="process-1", trigger=Trigger.RERUN, state=RunState.COMPLETED, started_at=NOW
    )


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_run_is_completed_behind_many_runs_whose_messages_were_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver_messages, "RUNS_AT_ONCE", 20)
    dead, told = message("gone", NotificationState.DEAD), message("told", NotificationState.DELIVERED)
    text = undelivered_text([dead]) or ""

    async def after_settling() -> tuple[int, str | None, list[str]]:
        async with get_client() as client:
            rows = [await undelivered(client, "gone", text) for _ in range(20)]
            rows.append(await undelivered(client, "told", text))
            with writing() as session:
                session.add_all([dead, told, *rows])
            settled = await settle_all(client)
            found = await client.read_flow_run(UUID(rows[-1].flow_run_id))
            return settled, found.state.name if found.state else None, found.tags

    settled, name, tags = asyncio.run(after_settling())

    assert settled >= 1
    assert (name, tags) == ("Completed", [])
