"""Messages that an earlier build has kept in the store are delivered after a rebuild."""

import asyncio

from pytest_httpserver import HTTPServer

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.messages import notifications
from models.messages.notification import NotificationState
from services.messages.deliveries import deliver_due
from services.messages.events import known_endpoints
from tests.conftest import Configure
from tests.flows.databases import in_new_database
from tests.installations import archived
from tests.messages import notify
from tests.samples import sample_body

OF_A_MESSAGE = ("message_id", "reference", "receipt_id", "endpoint", "event", "state", "planned_at")
OF_AN_ATTEMPT = {"attempt": 1, "attempted_at": "2026-11-20T12:00:00Z", "status_code": 503, "error": None}


def test_pending_message_of_an_earlier_build_is_delivered_after_a_rebuild(
    sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer
) -> None:
    notify(configure, httpserver)
    receipt_id = archived("process-1", sample_body("process-1"))
    history.keep("process-1", receipt_id)
    key = f"{ocfl.object_key('process-1')}/{history.path_of(receipt_id)}"
    rows = history.kept_rows(key) or {}
    rows["notification"] = [{name: each[name] for name in OF_A_MESSAGE} for each in rows["notification"]]
    (message,) = rows["notification"]
    rows["notification_attempt"] = [OF_AN_ATTEMPT | {"message_id": message["message_id"]}]
    del rows["event"]
    history.write(rows, key)
    assert in_new_database(configure) == 1
    (endpoint,) = known_endpoints()

    asyncio.run(deliver_due(endpoint.name))

    (after,) = notifications.of_receipt(receipt_id)
    assert (after.state, after.attempts, len(httpserver.log)) == (NotificationState.DELIVERED, 2, 1)
    assert [each["status_code"] for each in (history.kept_rows(key) or {})["notification_attempt"]] == [503, 200]
    assert store().size(key)
