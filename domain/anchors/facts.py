"""The facts of an object's logs: what a row tells and no later row changes. An anchor has their digests.

A later state of the logs may have more facts, never fewer. So a fact has only columns that are final once they are
written, and names them itself: a migration that adds or renames a column changes no fact.

- A *receipt* and its *deliveries* are final once the receipt is complete. Before that, the earliest of several
  deliveries moves the receipt's time, and a changed delivery may turn out to be a duplicate.
- A *run* is final once it has ended, since a later attempt is a row of its own.
- A *message* is final but for its state, which follows from its attempts.
- An *attempt* at a message, and an *event* of a discrepancy, are only ever added.
- A *judgement* is a file that is written once.
- A delivery *repeats* one version.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
_DIGEST_BYTES = 16
_COMPLETE = "completed"  # not `State`, which takes 0.3 s to import: processes that read leaves import this module

Columns = tuple[tuple[str, bool], ...]


def _columns(*names: str) -> Columns:
    """Return the names of columns, each with whether it is a time."""
    return tuple((name, name == "at" or name.endswith("_at")) for name in names)


_CAUSE = ("failed_task", "cause_code", "cause_error", "cause_sentence")
_RECEIPT = _columns("receipt_id", "received_at", "completed_at", "size_bytes")
_DELIVERY = _columns("delivery_id", "receipt_id", "received_at", "outcome", "headers")
_RUN = _columns("flow_run_id", "attempt", "receipt_id", "trigger", "state", "started_at", "ended_at", *_CAUSE)
_MESSAGE = _columns("message_id", "receipt_id", "endpoint", "event", "planned_at")
_ATTEMPT = _columns("message_id", "attempt", "attempted_at", "status_code", "error")
_EVENT = _columns("discrepancy_id", "number", "state", "at", "by", "why")


def facts_of_receipt(rows: Rows) -> Iterator[str]:
    """Yield the facts of a receipt's history: of the rows of receipt, deliveries, runs and attempts, by table."""
    receipts = rows.get("receipt", ())
    if any(row.get("state") == _COMPLETE for row in receipts):
        yield from (_fact("receipt", row, _RECEIPT) for row in receipts)
        yield from (_fact("delivery", row, _DELIVERY) for row in rows.get("delivery", ()))
    yield from (_fact("run", row, _RUN) for row in rows.get("run", ()) if row.get("ended_at") is not None)
    yield from (_fact("message", row, _MESSAGE) for row in rows.get("notification", ()))
    yield from (_fact("attempt", row, _ATTEMPT) for row in rows.get("notification_attempt", ()))


def facts_of_discrepancies(rows: Rows) -> Iterator[str]:
    """Yield the facts of the discrepancies of a process, or of no archive."""
    yield from (_fact("event", row, _EVENT) for row in rows.get("discrepancy_event", ()))


def fact_of_judgement(path: str, text: bytes) -> str:
    """Return the fact that a judgement lies at a path of an object."""
    return _digest(["judgement", path, sha256(text).hexdigest()])


def fact_of_delivery(receipt_id: str, version: int) -> str:
    """Return the fact that a delivery said nothing new to a version."""
    return _digest(["repeats", receipt_id, version])


def _fact(kind: str, row: Row, columns: Columns) -> str:
    get = row.get
    return _digest([kind, *[_moment(get(name)) if is_moment else get(name) for name, is_moment in columns]])


def _moment(text: Any) -> Any:
    """Return a time in one form: histories and discrepancies write the same time differently.

    A forged text is no time, and another fact.
    """
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is UTC else found.astimezone(UTC)).isoformat()
    except (TypeError, ValueError):
        return text


def _digest(fact: Sequence[Any]) -> str:
    return sha256(orjson.dumps(fact, option=orjson.OPT_SORT_KEYS)).digest()[:_DIGEST_BYTES].hex()
