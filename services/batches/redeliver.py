"""The redelivery of messages: the frozen list becomes due a page at a time, and `deliver-messages` sends it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import col

from adapters.tables.batches import redeliveries
from adapters.tables.batches.batches import Selection
from adapters.tables.batches.redeliveries import Group
from domain.batches import Draft, Settled, summed
from domain.messages.endpoints import BY_FILTER
from models.errors import Refused
from models.messages.notification import EndpointRow, NotificationRow, NotificationState
from models.runs.batch import BatchRow
from models.views.batch import EndpointShare, RedeliveryFilter, RedeliveryPlan
from services.messages.endpoints import check_filter as check_endpoint
from services.messages.known import known_endpoints
from services.sources import check_filter as check_source
from services.views.message_list import conditions_of

QUIET_S = 5.0  # messages may take days
_UNLESS_NAMED = [NotificationState.DEAD, NotificationState.SKIPPED]
_WAS_FILTERED = col(NotificationRow.skipped_why).in_(BY_FILTER)
_IS_FILTERED = (col(NotificationRow.state) == NotificationState.SKIPPED) & _WAS_FILTERED


def draft(chosen: RedeliveryFilter, _: datetime) -> Draft:
    """Plan the redelivery of all messages that match a filter. Without a state, dead and skipped messages match.

    Raises Refused if there is no such endpoint or source; or the filter names delivered messages, and it is not forced.
    """
    check_endpoint(chosen.endpoint)
    check_source(chosen.source)
    if NotificationState.DELIVERED in chosen.state and not chosen.force:
        detail = "delivered messages are sent once more only by force: their endpoints have confirmed them"
        raise Refused("BAD_PARAMETER", detail, where="force")
    chosen = chosen if chosen.state else chosen.model_copy(update={"state": _UNLESS_NAMED})
    plan = _plan(redeliveries.groups(conditions_of(chosen), _IS_FILTERED), _active_endpoints())
    return Draft(chosen, plan, plan.messages)


def selection(row: BatchRow) -> Selection:
    """Return the messages of a plan, without those whose event came after it."""
    conditions = [
        *conditions_of(RedeliveryFilter.model_validate(row.filter)),
        col(NotificationRow.planned_at) <= row.created_at,
        col(NotificationRow.endpoint_name).in_(list(_active_endpoints())),
        col(NotificationRow.skipped_why).is_(None) | ~_IS_FILTERED,
    ]
    message_id = col(NotificationRow.message_id)
    return Selection(message_id, NotificationRow.state, (col(NotificationRow.planned_at), message_id), conditions)


def check_confirmed_by(_row: BatchRow, _by: str) -> None:
    """Check nothing: whoever may plan may confirm."""


def settle(batch_id: str, now: datetime) -> Settled:
    """Record which messages are delivered, dead or skipped."""
    return Settled(*redeliveries.settle(batch_id, now))


async def recover(_: str) -> None:
    """Do nothing: a page of messages becomes due in one transaction, so nothing is ever interrupted."""


async def start_next(row: BatchRow, now: datetime) -> int | None:
    """Make the next page of messages due."""
    by = next(each["by"] for each in row.actions if each["what"] == "confirmed")
    return await asyncio.to_thread(redeliveries.make_page_due, row.id, by, now)


def _active_endpoints() -> dict[str, EndpointRow]:
    """Return the endpoints that receive messages, by name."""
    return {each.name: each for each in known_endpoints() if not each.disabled_at}


def _plan(groups: list[Group], active: Mapping[str, EndpointRow]) -> RedeliveryPlan:
    chosen = [each for each in groups if each.endpoint in active and not each.is_filtered]
    by_endpoint = summed((each.endpoint, each.messages) for each in chosen)
    shares = [
        EndpointShare(endpoint=name, messages=messages, failing=active[name].failing_since is not None)
        for name, messages in by_endpoint.items()
    ]
    left_out = [each for each in groups if each.endpoint not in active and not each.is_filtered]
    return RedeliveryPlan(
        messages=sum(each.messages for each in chosen),
        endpoints=shares,
        states=summed((each.state, each.messages) for each in chosen),
        events=summed((each.event, each.messages) for each in chosen),
        left_out=summed((each.endpoint, each.messages) for each in left_out),
        filtered=sum(each.messages for each in groups if each.is_filtered),
    )
