"""Messages about archives, sent to a real endpoint and put on record."""

import asyncio
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from adapters.tables.messages import notifications
from models.messages.notification import NotificationState
from services.messages.attempts import check_confirmed, send
from services.views import archive_view
from tests.installations import archived
from tests.samples import sample_body

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.usefixtures("sqlite_installation")
def test_message_that_another_attempt_has_delivered_is_not_sent_again(
    configure: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("")
    configure(notify_urls=httpserver.url_for("/hook"), notify_secret=SECRET, notify_allow_private="true")
    (message_id,) = notifications.undelivered(archived("process-1", sample_body()))

    first, second = asyncio.run(send(message_id)), asyncio.run(send(message_id))

    assert (first.state, first.status_code) == (NotificationState.DELIVERED, 200)
    assert (second.state, second.status_code) == (NotificationState.DELIVERED, None)
    check_confirmed(message_id, second)
    assert len(httpserver.log) == 1
    archive = archive_view.archive("process-1")
    assert archive
    assert [(each.state, each.attempts) for each in archive.notifications] == [("delivered", 1)]
