"""Announces the events that concern no single archive, and makes the first attempt at each of their messages."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.runtime import flow_run

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.messages import notifications
from adapters.tables.open_conditions import open_numbers
from domain.messages.bodies import MOST_REPORTED, payments_discrepancies, report
from domain.messages.summaries import open_discrepancies_summary
from flows.execution.tasks import RETRIED, attempt_at, emit, optional_summary
from models.errors import Transient
from models.messages.bodies import Damage
from models.messages.notification import Event, EventType
from models.store.condition import DerivedCode
from models.store.fixity import FixityFinding
from services.messages.attempts import check_confirmed, send
from services.messages.events import announce
from services.views import troubles

_MOST_SHOWN = 100


async def notify_endpoints(event: Event) -> None:
    """Announce an event, and notify all endpoints in parallel. Neither an endpoint that is down nor a database that is
    away fails the flow.
    """
    emit([event])
    try:
        await in_thread(announce, event)
        message_ids = await in_thread(notifications.undelivered, event.subject)
    except Transient as error:
        get_run_logger().error("The event %s is not recorded, and reaches no endpoint: %s", event.type, error)
        return
    await asyncio.gather(*map(notify_endpoint, message_ids), return_exceptions=True)


@task(name="notify-endpoint", **RETRIED)
@attempt_at("notify-endpoint")
async def notify_endpoint(message_id: str) -> None:
    """Notify one endpoint. Raises as `check_confirmed` does."""
    check_confirmed(message_id, await send(message_id))


async def report_findings(findings: Sequence[FixityFinding], *, is_sound: bool = False) -> None:
    """Log how many findings a check of the store has. Unless it is sound, leave a table, and notify the endpoints."""
    for fault, count in Counter(each.fault for each in findings).items():
        get_run_logger().warning("%s: %d; `cellar verify` names them", fault, count)
    if is_sound or not findings:
        return
    shown = [{"file": each.key, "fault": each.fault} for each in findings[:_MOST_SHOWN]]
    data = Damage(findings=len(findings))
    await notify_endpoints(report(EventType.STORE_DAMAGED, flow_run.id, datetime.now(UTC), data))
    with optional_summary():
        await acreate_table_artifact(shown, key="store-damaged", description=f"{len(findings)} findings in all")


async def report_open_discrepancies() -> None:
    """Leave a summary of all open discrepancies, of archives and of none, and notify the endpoints if there are any.

    Each message lists the open discrepancies again, newest first, so a process that was killed leaves no gap.
    """
    found = await in_thread(troubles.newest_discrepancies, MOST_REPORTED)
    by_code = await in_thread(open_numbers, DerivedCode.DISCREPANCY_OPEN)
    with optional_summary():
        await acreate_markdown_artifact(
            open_discrepancies_summary(found, by_code),
            key="open-discrepancies",
            description=f"{sum(by_code.values())} open discrepancies in all",
        )
    if by_code:
        now, url = datetime.now(UTC), settings().receiver_url
        await notify_endpoints(payments_discrepancies(flow_run.id, found, by_code, now, url))
