"""Words cellar's events for Prefect, whose automations start what a data team hangs on them."""

import json
from typing import Any
from uuid import UUID

from adapters.observation.log import reference_digest
from domain.messages.notification import event_id_of
from models.messages.event import Event

_LONGEST_LABEL = 255


def prefect_event(event: Event) -> dict[str, Any]:
    """Return an event with the members of Prefect's events, and the data that endpoints receive.

    An event has the same id each time, and Prefect's server drops repetitions: a run that is repeated tells nothing
    twice.
    """
    return {
        "event": f"cellar.{event.type}",
        "resource": _resource_of(event),
        "occurred": event.at,
        "payload": json.loads(event.body)["data"],
        "id": UUID(event_id_of(event.subject, event.type).removeprefix("evt_")),
    }


def _resource_of(event: Event) -> dict[str, str]:
    """Return what an event is about: `cellar.archive.DIGEST` with the reference as its name; else `cellar.store`,
    `cellar.payments` and so on.

    The digest is that of log lines, since a reference may have any characters.
    """
    if not event.reference:
        return {"prefect.resource.id": f"cellar.{event.type.partition('.')[0]}"}
    labels = {
        "prefect.resource.id": f"cellar.archive.{reference_digest(event.reference)}",
        "prefect.resource.name": event.reference,
        "cellar.reference": event.reference,
        "cellar.source": event.source or "",
        "cellar.template": event.template_id or "",
    }
    return {name: text[:_LONGEST_LABEL] for name, text in labels.items() if text}
