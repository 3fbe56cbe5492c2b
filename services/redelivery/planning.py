"""Plans the redelivery of messages. A plan freezes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import ColumnElement
from sqlmodel import col

from adapters.tables.messages import redeliveries
from adapters.tables.messages.redeliveries import Group
from domain.bulk.decisions import summed
from domain.messages.endpoints import BY_FILTER
from models.errors import Refused
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow, NotificationState
from models.messages.redelivery import RedeliveryRow
from models.views.messages.messages import MessageFilter
from models.views.messages.redeliveries import EndpointShare, RedeliveryPlan
from services.messages.endpoints import check_filter as check_endpoint
from services.messages.events import known_endpoints
from services.sources import check_filter as check_source
from services.views.message_list import conditions_of

_UNLESS_NAMED = [NotificationState.DEAD, NotificationState.SKIPPED]
_WAS_FILTERED = col(NotificationRow.skipped_why).in_(BY_FILTER)
_IS_FILTERED = (col(NotificationRow.state) == NotificationState.SKIPPED) & _WAS_FILTERED


def plan(chosen: MessageFilter, by: str, *, force: bool = False) -> RedeliveryRow:
    """Plan the redelivery of all messages that match a filter, and record the plan. Nothing is sent.

    Without a state, dead and skipped messages match.

    Args:
        by: the person who plans it, for the record.
        force: messages that were confirmed may be sent once more.

    Raises:
        Refused: there is no such endpoint or source; or the filter names delivered messages, and it is not forced.
        Transient: the database does not answer.
    """
    check_endpoint(chosen.endpoint)
    check_source(chosen.source)
    if NotificationState.DELIVERED in chosen.state and not force:
        detail = "delivered messages are sent once more only by force: their endpoints have confirmed them"
        raise Refused("BAD_PARAMETER", detail, where="force")
    chosen = chosen if chosen.state else chosen.model_copy(update={"state": _UNLESS_NAMED})
    now = datetime.now(UTC)
    active = active_endpoints()
    found = _plan(redeliveries.groups(conditions_of(chosen), _IS_FILTERED), active)
    row = RedeliveryRow(
        id=uuid4().hex[-12:],
        filter=chosen.model_dump(mode="json", exclude_none=True),
        plan=found.model_dump(mode="json"),
        planned=found.messages,
        is_forced=force,
        by=by,
        created_at=now,
    )
    redeliveries.add(row)
    return row


def active_endpoints() -> dict[str, EndpointRow]:
    """Return the endpoints that receive messages, by name."""
    return {each.name: each for each in known_endpoints() if not each.disabled_at}


def conditions_to_freeze(row: RedeliveryRow) -> list[ColumnElement[bool]]:
    """Return the conditions on the messages of a plan. Nobody has seen later messages in it."""
    return [
        *conditions_of(MessageFilter.model_validate(row.filter)),
        col(NotificationRow.planned_at) <= row.created_at,
        col(NotificationRow.endpoint_name).in_(list(active_endpoints())),
        col(NotificationRow.skipped_why).is_(None) | ~_IS_FILTERED,
    ]


def _plan(groups: list[Group], active: Mapping[str, EndpointRow]) -> RedeliveryPlan:
    chosen = [each for each in groups if each.endpoint in active and not each.is_filtered]
    by_endpoint = summed((each.endpoint, each.messages) for each in chosen)
    shares = [_share(active[name], messages) for name, messages in by_endpoint.items()]
    left_out = [each for each in groups if each.endpoint not in active and not each.is_filtered]
    return RedeliveryPlan(
        messages=sum(each.messages for each in chosen),
        endpoints=shares,
        states=summed((each.state, each.messages) for each in chosen),
        events=summed((each.event, each.messages) for each in chosen),
        left_out=summed((each.endpoint, each.messages) for each in left_out),
        filtered=sum(each.messages for each in groups if each.is_filtered),
        seconds=max((each.seconds for each in shares if each.seconds is not None), default=None),
    )


def _share(endpoint: EndpointRow, messages: int) -> EndpointShare:
    rate = min((each for each in (endpoint.rate_per_s, endpoint.pace_per_s) if each), default=None)
    return EndpointShare(
        endpoint=endpoint.name,
        messages=messages,
        failing=endpoint.failing_since is not None,
        seconds=messages / rate if rate else None,
    )
