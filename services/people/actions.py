"""Records what people did with archives. Explanations and bulk re-runs have records of their own."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session

from adapters.database.transactions import writing
from models.people import ActionKind, ActionRow


def record(references: Iterable[str], kind: ActionKind, by: str, now: datetime) -> None:
    """Record that a person did something with archives; their timelines show it."""
    with writing() as session:
        record_within(session, references, kind, by, now)


def record_within(session: Session, references: Iterable[str], kind: ActionKind, by: str, now: datetime) -> None:
    """Do as `record`, in the caller's transaction. What did not happen yet is recorded with what makes it happen."""
    session.add_all(
        ActionRow(action_id=secrets.token_hex(16), reference=each, kind=kind, by=by, at=now) for each in references
    )
