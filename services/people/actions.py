"""Records what people did with archives. Explanations and bulk re-runs have records of their own."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session

from adapters.database.noted import note_rows
from adapters.database.transactions import insert_rows, writing
from adapters.store import happened
from models.people import ActionKind, ActionRow


def record(references: Iterable[str], kind: ActionKind, by: str, now: datetime) -> None:
    """Record that a person did something with archives, in the store too; their timelines show it."""
    with writing() as session:
        record_within(session, references, kind, by, now)
    happened.keep()


def record_within(session: Session, references: Iterable[str], kind: ActionKind, by: str, now: datetime) -> None:
    """Do as `record`, in the caller's transaction. What did not happen yet is recorded with what makes it happen. The
    caller brings it into the store.
    """
    about = {"kind": kind.value, "by": by, "at": now}
    rows = [{"action_id": secrets.token_hex(16), "reference": each, **about} for each in references]
    insert_rows(session, ActionRow, rows)
    note_rows(session, ActionRow, rows)
