"""A batch whose confirmation or driver is killed before any commit is continued, and makes no message due twice."""

from typing import Any

import pytest
from sqlmodel import col, func, select, update

from adapters.database.transactions import insert_rows, reading, writing
from models.messages.notification import EndpointRow, NotificationRow, NotificationState
from models.runs.batch import BatchKind
from models.views.batch import RedeliveryFilter
from services.batches import batches
from tests.batches import driven, driven_until_killed
from tests.records import NOON

MESSAGES = 2500


def put_dead_messages() -> None:
    shared: dict[str, Any] = {"reference": "", "endpoint": "https://erp.example/hook", "endpoint_name": "erp"}
    shared |= {"event": "store.damaged", "state": NotificationState.DEAD}
    rows = [
        NotificationRow(message_id=f"msg_{number}", receipt_id=f"found-{number}", planned_at=NOON, **shared)
        for number in range(MESSAGES)
    ]
    with writing() as session:
        session.add(EndpointRow(name="erp", url="https://erp.example/hook", created_at=NOON))
        insert_rows(session, NotificationRow, [each.model_dump() for each in rows])


def counts() -> dict[str, int]:
    with reading() as session:
        counted = select(NotificationRow.state, func.count()).group_by(col(NotificationRow.state))
        return dict(session.exec(counted).all())


@pytest.mark.usefixtures("installation")
def test_batch_that_is_killed_before_any_commit_goes_on_and_makes_nothing_due_twice() -> None:
    put_dead_messages()
    batch_id = batches.plan(BatchKind.REDELIVER, RedeliveryFilter(), "dana@desk").id

    for commits, delivered, due in ((0, 0, 0), (1, 0, 0), (2, 0, 1000), (3, 1000, 1000)):
        driven_until_killed(batch_id, commits)
        assert (counts().get("delivered", 0), counts().get("pending", 0)) == (delivered, due)
        with writing() as session:  # what is due is sent meanwhile
            pending = col(NotificationRow.state) == NotificationState.PENDING
            session.execute(update(NotificationRow).where(pending).values(state=NotificationState.DELIVERED))
    driven(batch_id)

    found = driven(batch_id)  # what has ended is recorded a page at a time
    assert counts() == {"delivered": 2000, "pending": MESSAGES - 2000}
    assert (found.planned, found.completed, found.started) == (MESSAGES, 2000, MESSAGES - 2000)
