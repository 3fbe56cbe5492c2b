"""Records what people did with archives. Explanations and bulk re-runs have records of their own."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from adapters.tables.people import actions
from models.people.action import ActionKind, ActionRow


def record(references: Iterable[str], kind: ActionKind, by: str, now: datetime) -> None:
    """Record that a person did something with archives; their timelines show it.

    Raises:
        Transient: the database does not answer.
    """
    actions.add(
        ActionRow(action_id=secrets.token_hex(16), reference=each, kind=kind, by=by, at=now) for each in references
    )
