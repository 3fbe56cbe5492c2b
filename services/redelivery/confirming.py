"""Freezes the list of a plan when a person confirms it, and makes its messages due."""

import math
import time
from datetime import UTC, datetime

import structlog

from adapters.tables.messages import redeliveries
from models.errors import Refused
from services.redelivery.planning import conditions_to_freeze
from services.redelivery.records import get

log = structlog.get_logger()

_CONFIRMS_FOR_S = 10
_MOST_IDLE_PAGES = 50
_LOOK_AGAIN_S = 0.1


def confirm(redelivery_id: str, by: str) -> None:
    """Freeze the list of a plan, and make its messages due, for ten seconds. The flow `deliver-messages` sends them and
    makes the others due: those of a long list, or what a killed process has left.

    Raises:
        Refused: there is no such plan, or it was confirmed before.
        Transient: the database does not answer.
    """
    row = get(redelivery_id)
    if not redeliveries.freeze(redelivery_id, conditions_to_freeze(row), by, datetime.now(UTC)):
        detail = "expected a redelivery that is planned; this redelivery was confirmed before"
        raise Refused("WRONG_STATE", detail, where="redelivery_id", status=409)
    log.info("redelivery confirmed", redelivery_id=redelivery_id, messages=get(redelivery_id).planned)
    _make_due(redelivery_id, time.monotonic() + _CONFIRMS_FOR_S)


def complete_confirmed() -> None:
    """Make the rest of the messages due of confirmed redeliveries.

    Raises:
        Transient: the database does not answer.
    """
    for each in redeliveries.unfinished():
        _make_due(each, math.inf)


def _make_due(redelivery_id: str, until_s: float) -> None:
    """Make the messages of a frozen list due, a page at a time. A second call goes on where the first has ended."""
    idle = 0
    while idle < _MOST_IDLE_PAGES and time.monotonic() < until_s:
        moved = redeliveries.make_page_due(redelivery_id, datetime.now(UTC))
        if not moved and redelivery_id not in redeliveries.unfinished():
            break
        idle = 0 if moved else idle + 1
        if not moved:
            time.sleep(_LOOK_AGAIN_S)  # its messages are being sent right now, and their rows are claimed
    redeliveries.probe_now(redelivery_id, datetime.now(UTC))
