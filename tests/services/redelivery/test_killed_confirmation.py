"""A confirmation that is killed before any of its commits is completed, and makes no message due twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, func, select, update

from adapters.database.transactions import insert_rows, reading, writing
from adapters.tables.messages import redeliveries
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow, NotificationState
from models.views.messages.messages import MessageFilter
from services.redelivery import confirming, planning, records
from tests.conftest import LONGEST_S
from tests.records import NOON

MESSAGES = 2500
CONFIRM = """
import sys
from sqlalchemy import event
from adapters.database.transactions import engine
from services.redelivery.confirming import confirm
from tests.flows.killed import Countdown
event.listen(engine(), "commit", Countdown(int(sys.argv[2])).write)
confirm(sys.argv[1], "dana@desk")
"""


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


@pytest.mark.parametrize(("commits", "due"), [(0, 0), (1, 0), (2, 1000), (4, 2500)])
@pytest.mark.usefixtures("installation")
def test_killed_confirmation_is_completed_and_makes_nothing_due_twice(commits: int, due: int) -> None:
    put_dead_messages()
    plan = planning.plan(MessageFilter(), "dana@desk")

    command = [sys.executable, "-c", CONFIRM, plan.id, str(commits)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    killed = subprocess.run(command, env=environment, timeout=LONGEST_S, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert counts().get("pending", 0) == due
    with writing() as session:  # what is due is sent meanwhile
        pending = col(NotificationRow.state) == NotificationState.PENDING
        session.execute(update(NotificationRow).where(pending).values(state=NotificationState.DELIVERED))
    if commits == 0:
        confirming.confirm(plan.id, "dana@desk")
    confirming.complete_confirmed()
    expected = {"delivered": due, "pending": MESSAGES - due}
    assert counts() == {state: number for state, number in expected.items() if number}
    assert redeliveries.unfinished() == []
    assert records.view(plan.id).planned == MESSAGES
