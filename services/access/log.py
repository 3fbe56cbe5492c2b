"""Records who saw, searched, took and changed what, and sends the records elsewhere, beside all answers.

A row is on stable storage before `record` returns, so nothing is shown unrecorded. It names its archive by the digest
of the reference: no row ever changes, and archives are erased. The rows that wait at the same time share a commit. The
rows of a process are a chain of hashes; anchors name the files of the store that have the rows. What another place does
not take waits in the database, and is sent later.
"""

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.peers.access_log import give
from adapters.platform.grouping import Grouped
from adapters.settings.digests import keyed_digest
from adapters.settings.settings import settings
from adapters.store.tombstones import known_digests
from adapters.tables import access
from adapters.tables.runs import leases
from domain.access_log import FIRST, digest_of, ecs_line
from domain.secrets.cards import without_card_numbers
from models.access import Action, Caller, Outcome

_MOST_PER_COMMIT = 500
_LONGEST = 255
_DIGEST_DIGITS = 16
_NO_FILTERS = {"after", "cursor", "limit", "page", "sort", "columns"}
_MOST_SENT_AT_ONCE = 500
_LEASE_S = 60.0
_ME = secrets.token_hex(8)


def record(
    caller: Caller,
    action: Action,
    *,
    outcome: Outcome = "allowed",
    reference: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record what a caller does, and return when the record is on stable storage.

    Args:
        detail: what else an auditor needs, as JSON, such as `searched`; no personal value.

    Raises:
        Transient: the database does not take the record.
    """
    _rows.done_in_thread(_row(caller, action, outcome, reference, detail))


async def recorded(
    caller: Caller,
    action: Action,
    *,
    outcome: Outcome = "allowed",
    reference: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Do as `record`, for a caller in an event loop."""
    await _rows.done(_row(caller, action, outcome, reference, detail))


def _row(
    caller: Caller, action: Action, outcome: Outcome, reference: str | None, detail: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC),
        "person": _stored(caller.name)[:_LONGEST],
        "role": caller.role.value,
        "action": action.value,
        "reference": reference,
        "outcome": outcome,
        "address": caller.address[:64],
        "detail": _stored(detail or {}),
    }


def searched(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what the record keeps of a search: the names of its filters, and keyed digests of their terms.

    An auditor who knows a term finds its searches; nobody reads a term out of them.
    """
    found: dict[str, list[str]] = {}
    for name, value in query:
        if name not in _NO_FILTERS:
            marks = [keyed_digest("term", term.casefold()) for term in (value.split() if name == "q" else [value])]
            found.setdefault(_stored(name), []).extend(mark[:_DIGEST_DIGITS] for mark in marks)
    return found


def _stored(value: Any) -> Any:
    """Return a value whose texts both databases store, without card numbers: a reference may be any text."""
    if isinstance(value, str):
        return without_card_numbers(value).replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_stored(name): _stored(each) for name, each in value.items()}
    return [_stored(each) for each in value] if isinstance(value, list | tuple) else value


class _Chain:
    """The chain of this process: its name, and number and digest of its last row. It begins with the first row."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin another chain."""
        self._name, self._number, self._digest = secrets.token_hex(8), 0, FIRST

    def add(self, entries: Sequence[Mapping[str, Any]]) -> Sequence[None]:
        """Add rows. After a failure nobody knows whether they are there: the next rows are another chain.

        While the key of the digests is away, rows name no archive.
        """
        rows, digest = [], self._digest
        digests = known_digests({entry["reference"] for entry in entries} - {None})
        for number, entry in enumerate(entries, self._number + 1):
            row = {"chain": self._name, "number": number, **entry, "reference": digests.get(entry["reference"])}
            digest = digest_of(digest, row)
            rows.append({**row, "digest": digest})
        try:
            access.add(rows)
        except BaseException:
            self.begin()
            raise
        self._number, self._digest = self._number + len(rows), digest
        return [None] * len(rows)


_chain = _Chain()
os.register_at_fork(after_in_child=_chain.begin)
_rows = Grouped(_chain.add, _MOST_PER_COMMIT)


def send_waiting() -> None:
    """Send what waits, unless another receiver does so. What is killed after it sent some sends these again.

    Raises Transient if the place does not take it, or the database does not answer.
    """
    while (rows := access.unsent(_MOST_SENT_AT_ONCE)) and leases.take_access(_ME, _LEASE_S):
        give(settings().access_log_url, [(row.at, ecs_line(row)) for row in rows])
        access.sent(rows)
