"""What needs a person, as rows of an installation: failed archives, refusals, missing processes, messages given up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from adapters.database.transactions import writing
from adapters.tables import conditions
from adapters.tables.conditions import Found
from models.archive.archive import State
from models.completeness.processes import MissingProcessRow
from models.errors import System
from models.messages.notification import NotificationAttemptRow, NotificationRow
from models.runs.receipt import RefusedRow, RunRow, WaitingRow
from models.said import verbatim
from models.store.condition import ConditionCode, Subject
from models.views.messages import NewEndpoint
from services.messages import endpoints
from tests.batches import fill, filled, receipt_id
from tests.messages import endpoint_of
from tests.records import digest

NOW = datetime.now(UTC)
ENDPOINT = "crm"
WRONG, DAMAGED = filled(4)["reference"], "v1/content/files/abc"
HOSTILE = "<script>alert(1)</script>\u202eevil"


def fill_with_troubles() -> None:
    """Put three failed archives of two causes, a complete archive with two conditions, two refusals, three missing
    processes and an endpoint that fails.
    """
    fill([filled(1), filled(2), filled(3, cause="CONFLICT"), filled(4, State.COMPLETED)])
    endpoints.add(NewEndpoint(url="http://127.0.0.1:9/hook?token=secret", name=ENDPOINT), "dana@desk", NOW)
    put(
        [
            *(_failed_run(number, hours) for number, hours in ((1, 3), (2, 5), (3, 5))),
            _refusal("a", 2, reference="process-a", process_number=7),
            _refusal("b", 30, where=HOSTILE, code="NOT_BASE64", reference=str(UUID(int=5)), process_number=1_234_567),
            missing("m", 5, "submitted", reference="process-m"),
            missing("n", 50, "listed", transaction_number=31),
            missing(
                "closed", 50, "expired", closed_at=NOW, closed_why="dismissed", closed_by="ann", closed_reason=HOSTILE
            ),
            message("dead", "dead", 40),
            message("pending", "pending", 3, next_attempt_at=NOW + timedelta(hours=1)),
            message("delivered", "delivered", 4, delivered_at=NOW - timedelta(hours=3)),
            *(_attempt("dead", number) for number in (1, 2)),
        ]
    )
    put(
        [
            WaitingRow(
                flow_run_id="waits",
                reference="process-w",
                receipt_id=digest("w"),
                waits_for=System.STORE,
                since=NOW - timedelta(hours=1),
                attempts=2,
            )
        ]
    )
    found = {
        ConditionCode.RUN_FAILED: Found(
            1, {"cause": "CONFLICT", "task": "persist-files", "sentence": verbatim(HOSTILE).as_json()}
        ),
        ConditionCode.FILE_DAMAGED: Found(2, {"files": [DAMAGED], "quick": False}),
    }
    with writing() as session:
        conditions.set_within(session, Subject.ARCHIVE, WRONG, found, NOW - timedelta(hours=1))
        row = endpoint_of(ENDPOINT)
        row.failing_since, row.failing_messages = NOW - timedelta(days=2), 2
        session.merge(row)


def put(rows: Sequence[SQLModel]) -> None:
    with writing() as session:
        session.add_all(rows)


def _failed_run(number: int, hours: int) -> RunRow:
    reference = filled(number)["reference"]
    return RunRow(
        flow_run_id=f"run-{number}", attempt=1, reference=reference, receipt_id=receipt_id(reference),
        trigger="webhook", state="Failed", cause_code="CONFLICT" if number == 3 else "STORE_AWAY",
        started_at=NOW - timedelta(hours=hours), ended_at=NOW - timedelta(hours=hours),
    )  # fmt: skip


def _refusal(name: str, hours: int, **members: Any) -> RefusedRow:
    plain: dict[str, Any] = {"size_bytes": 2_100_000, "code": "NOT_JSON", "where": "", "detail": "no JSON"}
    at = NOW - timedelta(hours=hours)
    return RefusedRow(
        delivery_id=f"{at:%Y%m%dT%H%M%S}-{name}", receipt_id=digest(name), received_at=at, **plain | members
    )


def missing(name: str, hours_left: int, why: str, **members: Any) -> MissingProcessRow:
    since = NOW - timedelta(hours=20)
    plain: dict[str, Any] = {
        "source": "default",
        "process_number": 100,
        "deadline_at": NOW + timedelta(hours=hours_left),
    }
    return MissingProcessRow(missing_id=name, why=why, since=since, opened_at=since, **plain | members)


def message(name: str, state: str, hours: int, **members: Any) -> NotificationRow:
    return NotificationRow(
        message_id=f"msg_{name}", receipt_id=name, endpoint="http://127.0.0.1:9/hook", attempts=2,
        event="archive.completed", state=state, planned_at=NOW - timedelta(hours=hours),
        **{"reference": WRONG, "endpoint_name": ENDPOINT} | members,
    )  # fmt: skip


def _attempt(name: str, number: int) -> NotificationAttemptRow:
    return NotificationAttemptRow(
        message_id=f"msg_{name}", attempt=number, attempted_at=NOW - timedelta(hours=40 - number), duration_s=0.2,
        status_code=500, stage="status", error="the endpoint answered 500", answer=HOSTILE,
    )  # fmt: skip
