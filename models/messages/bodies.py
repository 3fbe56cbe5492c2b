"""The body of each type of event."""

from collections.abc import Mapping
from typing import Literal

from pydantic import create_model

from models.messages.archive_bodies import Attention, Changed, Completed, Failed, Missing
from models.messages.body import Body, Strict
from models.messages.event import EventType
from models.messages.report_bodies import Damage, Discrepancies, Judgements, Nothing, Refusals, Refusing, Test


def _body(event: EventType, data: type[Strict], says: str) -> type[Body]:
    members = {"type": (Literal[event], ...), "data": (data, ...)}  # type: ignore[valid-type]
    return create_model(event, __base__=Body, __doc__=says, **members)  # type: ignore[call-overload, no-any-return]


_DATA: Mapping[EventType, tuple[type[Strict], str]] = {
    EventType.ARCHIVE_COMPLETED: (Completed, "A version of an archive is complete, and it is the current version."),
    EventType.ARCHIVE_CHANGED: (Changed, "A new version of a known process became the current version."),
    EventType.ARCHIVE_ATTENTION: (Attention, "A person should look at an archive that is complete."),
    EventType.ARCHIVE_FAILED: (Failed, "A run failed, and none is on its way: a person is needed."),
    EventType.PROCESS_MISSING: (
        Missing,
        "A process was submitted or ended, its archive has not arrived, and Cellosign will delete it.",
    ),
    EventType.PAYMENTS_DISCREPANCIES: (Discrepancies, "All open discrepancies, of all archives and of no archive."),
    EventType.DELIVERY_REFUSED: (Refusals, "Deliveries that cellar refused since the last message, all in one."),
    EventType.DOCUMENTS_JUDGED_WORSE: (
        Judgements,
        "Signed documents that cellar judged again, and that are judged worse than before.",
    ),
    EventType.STORE_DAMAGED: (
        Damage,
        "The scheduled check found files of the store that differ from what was written.",
    ),
    EventType.STORE_UNVERIFIED: (
        Nothing,
        "The scheduled check of the store broke before its end, so the state of the store is unknown.",
    ),
    EventType.RECEIVER_REFUSING: (
        Refusing,
        "The receiver turns requests away before their body is kept, so archives may be lost.",
    ),
    EventType.ENDPOINT_TEST: (Test, "A person tests an endpoint. Nothing has happened."),
}

BODIES: Mapping[EventType, type[Body]] = {event: _body(event, *about) for event, about in _DATA.items()}
