"""Decisions about many alike troubles at once, each for one reason, and how they are taken back.

Every row that a decision changes bears its person and its moment. They are the name of the decision, by which it is
taken back. What was decided, changed or is gone since the person has read it, is left out.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import col

from adapters.database.listing import equal_to
from adapters.store import happened
from adapters.tables.completeness import missing_processes
from adapters.tables.messages import notifications
from adapters.tables.runs import refused as refused_rows
from models.archive.archive import ArchiveRow, WarningCode
from models.messages.notification import NotificationRow
from models.runs.receipt import DeliveryRow, RefusedDelivery
from models.views.archives.payments import Explanation, ListedDiscrepancy
from models.views.parameters import Dismissal, Page, PageQuery, Text
from models.views.troubles import FindingState, RefusedPage, RefusedQuery, RefusedView
from services.messages.deliveries import keep_histories
from services.payments import discrepancies
from services.triggering import refused
from services.views import message_list, troubles

MOST_AT_ONCE = 500
"""The most items of a group that one decision takes in: a person waits for its end, some seconds."""


class Trouble(StrEnum):
    REFUSED = "refused"
    DISCREPANCIES = "discrepancies"
    MISSING = "missing"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of trouble does differently.

    `page` lists what is open. `mark` names an item as it was read. Items are alike in the member `alike`, which is a
    filter of the list too; `since` is when an item came. `decide` and `withdraw` return the number of items.
    """

    page: Callable[[Any], Page[Any]]
    mark: Callable[[Any], str]
    alike: str
    since: str
    decide: Callable[[Collection[str], Dismissal, datetime], int]
    withdraw: Callable[[str, datetime, datetime], int]


def marks_of(
    trouble: Trouble, marks: Sequence[str], groups: Sequence[str], until: datetime, query: PageQuery
) -> tuple[list[str], bool]:
    """Return the marks of all that a person chose on a page, and whether a chosen group has more than are taken in.

    Args:
        marks: those of the chosen items.
        groups: what is alike in the groups of which all is chosen.
        until: when the page was made. What came later, nobody has read.
        query: the filters of the page.

    Raises:
        Transient: the database does not answer.
    """
    kind, found, is_more = KINDS[trouble], list(marks), False
    for group in groups:
        alike = {kind.alike: group, "cursor": None, "limit": MOST_AT_ONCE + 1}
        items = kind.page(query.model_copy(update=alike)).items
        is_more = is_more or len(items) > MOST_AT_ONCE
        found += [kind.mark(each) for each in items[:MOST_AT_ONCE] if getattr(each, kind.since) <= until]
    return list(dict.fromkeys(found)), is_more


def refused_page(query: RefusedQuery) -> RefusedPage:
    """Return refused deliveries, newest first. Before those that need a person come deliveries that are set aside.

    Raises as `troubles.refused_page` does.
    """
    if str(query.code) == WarningCode.SOURCES_DIFFER:
        return RefusedPage(items=_set_aside(query), next=None)
    page = troubles.refused_page(query)
    is_first = query.cursor is None and query.state is FindingState.OPEN and query.code is None
    return RefusedPage(items=[*(_set_aside(query) if is_first else ()), *page.items], next=page.next)


def _set_aside(query: RefusedQuery) -> list[RefusedView]:
    arrived_at = col(DeliveryRow.received_at)
    which = [*equal_to(DeliveryRow, query, "reference"), *equal_to(ArchiveRow, query, "process_number")]
    which += [arrived_at > query.received_after] if query.received_after else []
    which += [arrived_at < query.received_before] if query.received_before else []
    found = refused_rows.set_aside(query.source, query.limit, which)
    return [RefusedView.model_validate(asdict(each)) for each in found]


def found_bodies(receipt_ids: Collection[str]) -> list[RefusedDelivery]:
    """Return the deliveries of bodies that are set aside or refused.

    Raises Transient if the database does not answer.
    """
    aside = refused_rows.set_aside(which=[col(DeliveryRow.receipt_id).in_(receipt_ids)])
    return [*aside, *refused_rows.of_bodies(receipt_ids)]


def _dismiss_refused(receipt_ids: Collection[str], said: Dismissal, now: datetime) -> int:
    dismissed = refused.dismiss(found_bodies(receipt_ids), said, now)
    if dismissed:
        refused.record(dismissed)  # so that the next page shows it; the sweep does the same
    return len({each.receipt_id for each in dismissed})


_MARK: TypeAdapter[tuple[Text, Text, Text]] = TypeAdapter(tuple[Text, Text, Text])


def _mark_of(item: ListedDiscrepancy) -> str:
    return json.dumps([item.discrepancy_id, item.expected, item.found])


def _explain(marks: Collection[str], said: Dismissal, now: datetime) -> int:
    explanations = dict[str, Explanation]()
    for mark in marks:
        with suppress(ValueError):  # no mark
            discrepancy_id, expected, found = _MARK.validate_json(mark)
            explanations[discrepancy_id] = Explanation(by=said.by, why=said.why, expected=expected, found=found)
    return discrepancies.explain_each(explanations, now)


def _dismiss_missing(missing_ids: Collection[str], said: Dismissal, now: datetime) -> int:
    number = sum(missing_processes.dismiss(each, said.by, said.why, now) for each in missing_ids)
    happened.keep()
    return number


def _withdraw_missing(by: str, at: datetime, now: datetime) -> int:
    number = missing_processes.withdraw(by, at, now)
    happened.keep()
    return number


def _kept(changed: Sequence[NotificationRow]) -> int:
    keep_histories({each.receipt_id for each in changed})
    happened.keep()
    return len(changed)


KINDS: Mapping[Trouble, Kind] = {
    Trouble.REFUSED: Kind(
        refused_page, lambda each: str(each.receipt_id), "code", "received_at", _dismiss_refused, refused.withdraw
    ),
    Trouble.DISCREPANCIES: Kind(
        troubles.discrepancy_page, _mark_of, "code", "opened_at", _explain, discrepancies.withdraw
    ),
    Trouble.MISSING: Kind(
        troubles.missing_page, lambda each: str(each.missing_id), "why", "opened_at",
        _dismiss_missing, _withdraw_missing,
    ),
    Trouble.MESSAGES: Kind(
        message_list.page, lambda each: str(each.message_id), "endpoint", "planned_at",
        lambda *said: _kept(notifications.dismiss(*said)), lambda *said: _kept(notifications.withdraw(*said)),
    ),
}  # fmt: skip
