"""Messages as endpoints receive them over HTTP: each with its own secret, headers and fields."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import delete, select, update
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs
from werkzeug import Request, Response

from adapters.observation.log import reference_digest
from adapters.peers.downstream import line
from adapters.settings.settings import Settings
from adapters.tables.messages import notifications, queues
from models.messages.notification import (
    Event,
    EventType,
    NotificationAttemptRow,
    NotificationRow,
    NotificationState,
)
from models.views.messages import EndpointTest, NewEndpoint
from services.messages import endpoints
from services.messages.attempts import Attempt, check_confirmed, send, send_taken
from services.messages.deliveries import deliver_due, send_for, send_from_run
from services.messages.events import announce
from tests.conftest import Configure
from tests.installations import archive_of, archived
from tests.records import all_of, change
from tests.samples import sample_body

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer) -> None:
    configure(notify_allow_private="true")
    for path in ("/erp", "/crm"):
        httpserver.expect_request(path, method="POST").respond_with_data("SOMEVALUE3 taken")


def added(httpserver: HTTPServer, name: str, **members: Any) -> str:
    asked = NewEndpoint(url=httpserver.url_for(f"/{name}"), name=name, **members)
    return endpoints.add(asked, "dana@desk", NOW).text


def delivered(reference: str, **members: Any) -> None:
    for message_id in notifications.undelivered(archived(reference, sample_body(reference, **members))):
        assert asyncio.run(send(message_id)).state is NotificationState.DELIVERED


def test_each_endpoint_gets_its_own_signature_and_headers(httpserver: HTTPServer) -> None:
    erp = added(httpserver, "erp", headers={"X-Token": "abc"})
    crm = added(httpserver, "crm")

    delivered("process-1")

    requests = {request.path: request for request, _ in httpserver.log}
    assert requests.keys() == {"/erp", "/crm"}
    Webhook(erp).verify(requests["/erp"].data, dict(requests["/erp"].headers))
    personal = ("SOMEVALUE1", "SOMEVALUE2", "client@example.com", "john@example.com", "Best browser", "CUSTOMER_VALUE")
    assert [each for each in personal if each in requests["/erp"].data.decode()] == []
    assert (requests["/erp"].headers.get("x-token"), requests["/crm"].headers.get("x-token")) == ("abc", None)
    with pytest.raises(WebhookVerificationError):
        Webhook(erp).verify(requests["/crm"].data, dict(requests["/crm"].headers))
    assert Webhook(crm).verify(requests["/crm"].data, dict(requests["/crm"].headers))


def test_message_that_another_attempt_has_delivered_is_not_sent_again(httpserver: HTTPServer) -> None:
    added(httpserver, "erp")
    (message_id,) = notifications.undelivered(archived("process-1", sample_body("process-1")))

    first, second = asyncio.run(send(message_id)), asyncio.run(send(message_id))

    assert (first.state, first.status_code) == (NotificationState.DELIVERED, 200)
    assert (second.state, second.status_code) == (NotificationState.DELIVERED, None)
    check_confirmed(message_id, second)
    assert len(httpserver.log) == 1
    archive = archive_of("process-1")
    assert [(each.state, each.attempts) for each in archive.notifications] == [("delivered", 1)]


def test_message_that_a_person_sends_while_it_is_delivered_is_sent_once(httpserver: HTTPServer) -> None:
    """Whichever of both claims it."""

    def slow(_request: Request) -> Response:
        time.sleep(0.3)
        return Response("taken")

    httpserver.expect_request("/slow", method="POST").respond_with_handler(slow)
    added(httpserver, "slow")
    [message_id] = notifications.undelivered(archived("r", sample_body("r")))
    change(update(NotificationRow).values(next_attempt_at=NOW))

    async def both() -> EndpointTest:
        return (await asyncio.gather(deliver_due("slow"), send_for("dana@desk", message_id, is_forced=False)))[1]

    told = asyncio.run(both())

    assert len(httpserver.log) == 1
    assert told.delivered or told.why == "another attempt has delivered it"
    again = [asyncio.run(send_for("dana@desk", message_id, is_forced=each)) for each in (False, True)]
    assert [each.delivered for each in again] == [False, True]
    assert len(httpserver.log) == 2


def test_endpoint_that_was_disabled_before_the_attempt_is_not_called(httpserver: HTTPServer) -> None:
    added(httpserver, "erp")
    (message_id,) = notifications.undelivered(archived("process-1", sample_body("process-1")))
    endpoints.disable("erp", "dana@desk", NOW)

    made = asyncio.run(send(message_id))

    assert (made.state, made.was_made) == (NotificationState.SKIPPED, False)
    assert httpserver.log == []


def test_endpoint_that_is_disabled_hears_nothing_of_what_still_waits_for_its_turn(httpserver: HTTPServer) -> None:
    def disable_and_confirm(_request: Request) -> Response:
        endpoints.disable("slow", "dana@desk", NOW)
        time.sleep(1.5)
        return Response("")

    httpserver.expect_request("/slow", method="POST").respond_with_handler(disable_and_confirm)
    added(httpserver, "slow")
    for number in range(8):
        announce(Event(EventType.STORE_DAMAGED, f"event-{number}", NOW, b'{"type":"store.damaged"}'))

    asyncio.run(deliver_due("slow"))

    states = Counter(all_of(select(NotificationRow.state)))
    assert states == {
        NotificationState.DELIVERED: len(httpserver.log),
        NotificationState.SKIPPED: 8 - len(httpserver.log),
    }
    assert len(httpserver.log) <= 4


def test_message_whose_archive_is_erased_during_its_attempt_breaks_off_nothing(httpserver: HTTPServer) -> None:
    def erase_and_confirm(_request: Request) -> Response:
        change(delete(NotificationRow))
        time.sleep(2.5)  # longer than a run waits
        return Response("")

    httpserver.expect_request("/slow", method="POST").respond_with_handler(erase_and_confirm)
    added(httpserver, "slow")
    for number in range(2):
        announce(Event(EventType.STORE_DAMAGED, f"event-{number}", NOW, b'{"type":"store.damaged"}'))
    (taken,) = queues.take_due("slow", NOW, 1)
    (message_id,) = notifications.undelivered("event-1")

    async def deliver() -> Attempt:
        await send_from_run(message_id)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        async with line() as open_line:
            return await send_taken(taken, open_line)

    assert asyncio.run(deliver()) == Attempt(NotificationState.SKIPPED, was_made=False)
    assert len(httpserver.log) == 1


def test_kept_answer_has_no_token_of_the_url_and_of_the_headers(httpserver: HTTPServer) -> None:
    def repeat(request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        return Response(f"no {token} at {request.full_path} of {request.args['key']}", status=403)

    path = "/services/T024BE7LD/XXtokenXX"
    httpserver.expect_request(path, method="POST").respond_with_handler(repeat)
    url = httpserver.url_for(f"{path}?key=s3cr3t%2Fval9")
    headers = {"Authorization": "Bearer abc-def-123"}
    endpoints.add(NewEndpoint(url=url, name="chat", headers=headers), "dana@desk", NOW)
    (message_id,) = notifications.undelivered(archived("process-1", sample_body("process-1")))

    asyncio.run(send(message_id))

    (kept,) = all_of(select(NotificationAttemptRow))
    assert kept.answer == "no *** at /services/***/***?key=*** of ***"


def test_log_line_of_a_message_that_is_delivered_later_names_its_process_and_no_run_of_many(
    httpserver: HTTPServer,
) -> None:
    added(httpserver, "erp")
    for each in ("process-1", "process-2"):
        event = Event(EventType.PROCESS_MISSING, f"missing {each}", NOW, b'{"type":"process.missing"}', reference=each)
        announce(event)

    with bound_contextvars(flow_run_id="of many"), capture_logs(processors=[merge_contextvars]) as said:
        asyncio.run(deliver_due("erp"))

    lines = [each for each in said if each["event"] == "message sent"]
    assert {each["reference_digest"] for each in lines} == {reference_digest(f"process-{each}") for each in (1, 2)}
    assert [each.get("flow_run_id") for each in lines] == [None, None]
