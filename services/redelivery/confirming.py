"""Freezes the list of a plan when a person confirms it, and makes its messages due."""

import time
from datetime import UTC, datetime

import structlog

from adapters.tables import redeliveries
from models.errors import Refused
from services.redelivery.planning import conditions_to_freeze
from services.redelivery.records import get

log = structlog.get_logger()

_MOST_IDLE_PAGES = 50
_LOOK_AGAIN_S = 0.1


def confirm(redelivery_id: str, by: str) -> None:
    """Freeze the list of a plan, and make its messages due. The flow `deliver-messages` sends them, and completes what
    a killed process has left.

    Raises:
        Refused: there is no such plan, or it was confirmed before.
        Transient: the database does not answer.
    """
    row = get(redelivery_id)
    if not redeliveries.freeze(redelivery_id, conditions_to_freeze(row), by, datetime.now(UTC)):
        detail = "expected a redelivery that is planned; this redelivery was confirmed before"
        raise Refused("WRONG_STATE", detail, where="redelivery_id", status=409)
    log.info("redelivery confirmed", redelivery_id=redelivery_id, messages=get(redelivery_id).planned)
    make_due(redelivery_id)


def complete_confirmed() -> None:
    """Make the messages due of redeliveries whose confirmation was interrupted.

    Raises:
        Transient: the database does not answer.
    """
    for each in redeliveries.unfinished():
        make_due(each)


def make_due(redelivery_id: str) -> None:
    """Make the messages of a frozen list due, a page at a time. A second call goes on where the first was killed."""
    idle = 0
    while idle < _MOST_IDLE_PAGES:
        moved = redeliveries.make_page_due(redelivery_id, datetime.now(UTC))
        if not moved and redelivery_id not in redeliveries.unfinished():
            break
        idle = 0 if moved else idle + 1
        if not moved:  # its messages are being sent right now
            time.sleep(_LOOK_AGAIN_S)
    redeliveries.probe_now(redelivery_id, datetime.now(UTC))
