"""What happened to a receipt, kept in the logs of its object: deliveries, runs and notifications outlive the database.

Each event is a file of its own, with the rows as the event left them; the later one counts.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session, SQLModel, col, select

from adapters import ocfl, store
from adapters.database import reading, writing
from models.errors import Conflict
from models.notification import NotificationAttemptRow, NotificationRow
from models.receipt import DeliveryRow, ReceiptRow
from models.run import RunRow

FOLDER = "history"
_OF_A_RECEIPT: tuple[type[ReceiptRow | DeliveryRow | RunRow | NotificationRow], ...] = (
    ReceiptRow,
    DeliveryRow,
    RunRow,
    NotificationRow,
)
_TABLES: Mapping[str, type[SQLModel]] = {
    str(table.__tablename__): table for table in (*_OF_A_RECEIPT, NotificationAttemptRow)
}


def keep(reference: str, receipt_id: str, now: datetime) -> None:
    """Keep what the database has of a receipt's history, where its process has an object; without one it still waits
    in the inbox.

    Raises:
        Transient: database or store does not answer.
    """
    if store.stored_size(f"{ocfl.object_key(reference)}/{ocfl.INVENTORY}") is None:
        return
    with reading() as session:
        rows: list[SQLModel] = [row for table in _OF_A_RECEIPT for row in _rows(session, table, receipt_id)]
        attempts = select(NotificationAttemptRow).join(
            NotificationRow, col(NotificationRow.message_id) == col(NotificationAttemptRow.message_id)
        )
        rows += session.exec(attempts.where(NotificationRow.receipt_id == receipt_id)).all()
    event: dict[str, list[object]] = {}
    for row in rows:
        event.setdefault(str(row.__tablename__), []).append(row.model_dump(mode="json"))
    name = f"{now:%Y%m%dT%H%M%S.%fZ}-{receipt_id}.json"
    store.overwrite_bytes(json.dumps(event).encode(), ocfl.log_key(reference, f"{FOLDER}/{name}"))


def restore(keys: Iterable[str]) -> None:
    """Put the rows of events, by their keys in the store, into the database: those of the latest event that has them.

    Raises:
        Conflict: an event is damaged.
        Transient: database or store does not answer.
    """
    with writing() as session:
        for key in sorted(keys):
            try:
                event = json.loads(store.read_bytes(key))
                rows = [_TABLES[name].model_validate(row) for name, rows in event.items() for row in rows]
            except (ValueError, KeyError, AttributeError) as error:
                raise Conflict(f"the event {key} is damaged; remove it, and what it tells is lost") from error
            for row in rows:
                session.merge(row)


def _rows(
    session: Session, table: type[ReceiptRow | DeliveryRow | RunRow | NotificationRow], receipt_id: str
) -> list[SQLModel]:
    return list(session.exec(select(table).where(table.receipt_id == receipt_id)).all())
