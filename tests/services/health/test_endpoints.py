"""`cellar status` and `cellar doctor` remark on endpoints that do not confirm."""

from datetime import UTC, datetime

import pytest

from adapters.database.transactions import writing
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow, NotificationState
from models.views.health import Verdict
from services.health.endpoints import endpoints

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PENDING = NotificationRow(
    message_id="m", reference="r", receipt_id="1", endpoint="https://erp.example", endpoint_name="erp",
    event="archive.completed", state=NotificationState.PENDING, planned_at=NOW,
)  # fmt: skip


@pytest.mark.usefixtures("installation")
def test_endpoint_that_does_not_confirm_is_a_remark_with_its_waiting_messages() -> None:
    assert endpoints().verdict is Verdict.OFF
    with writing() as session:
        session.add(EndpointRow(name="crm", url="https://crm.example", created_at=NOW))
        session.add(EndpointRow(name="old", url="https://old.example", created_at=NOW, disabled_at=NOW))
    assert (endpoints().verdict, endpoints().found) == (Verdict.OK, "2 endpoints, 1 disabled")

    with writing() as session:
        session.add(EndpointRow(name="erp", url="https://erp.example", created_at=NOW, failing_since=NOW))
        session.add(NotificationRow(**PENDING.model_dump()))

    found = endpoints()
    assert found.verdict is Verdict.WARNING
    assert found.found == "1 of 3 does not confirm: erp; 1 message waits"
