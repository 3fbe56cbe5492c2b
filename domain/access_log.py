"""The chains of the access log: each row's digest covers the row before it, and anchors have the last rows, the heads.

So a row that was changed, removed, exchanged or put in breaks its chain, or is not the row that an anchor has. Rows
that are older than the log is kept leave from the beginning of a chain: up to a head, whose digest begins what is left.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from models.access import AccessHead, AccessRow
from models.store.fixity import Fault, FixityFinding

KEY = "access"
"""What the keys of heads, and of findings, begin with."""
FIRST = ""
"""Stands for the digest before the first row of a chain."""


def digest_of(before: str, row: Mapping[str, Any]) -> str:
    """Return the digest of a row in hex: of the digest before, and of the row's columns but its own digest. Pure."""
    columns = {name: value for name, value in row.items() if name != "digest"} | {
        "at": row["at"].astimezone(UTC).isoformat()
    }
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def heads_text(heads: Iterable[AccessHead], kept_since: datetime) -> bytes:
    """Return the file of heads that an anchor holds: since when rows are kept, and a line for each head."""
    lines: list[list[Any]] = [[kept_since.astimezone(UTC).isoformat()]]
    lines += sorted([each.chain, each.number, each.at.astimezone(UTC).isoformat(), each.digest] for each in heads)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def read_heads(text: bytes) -> tuple[list[AccessHead], datetime]:
    """Return the heads of a file, and since when rows are kept. The file is what was written: an anchor proves it."""
    (kept_since,), *lines = map(json.loads, text.splitlines())
    heads = [AccessHead(chain, number, datetime.fromisoformat(at), digest) for chain, number, at, digest in lines]
    return heads, datetime.fromisoformat(kept_since)


def ecs_line(row: AccessRow) -> bytes:
    """Return a row as a line of JSON in ASCII, with names of the Elastic Common Schema. `event.id` is unique."""
    source = {"source": {"ip": row.address}} if row.address else {}
    archive = {"reference_digest": row.reference} if row.reference else {}
    event = {
        "id": f"{row.chain}-{row.number}",
        "kind": "event",
        "dataset": "cellar.access",
        "action": row.action,
        "type": [row.outcome],
        "outcome": "success" if row.outcome == "allowed" else "failure",
    }
    found = {
        "@timestamp": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "ecs": {"version": "8.11.0"},
        "service": {"name": "cellar"},
        "event": event,
        "user": {"name": row.person, "roles": [row.role]},
        **source,
        "cellar": {**archive, "detail": row.detail, "digest": row.digest},
    }
    return json.dumps(found, separators=(",", ":")).encode()


Heads = Mapping[str, Mapping[int, AccessHead]]
"""Heads by chain and number."""


def wrong_rows(
    rows: Iterable[Mapping[str, Any]], heads: Heads, kept_since: datetime, anchored_until: datetime
) -> Iterator[FixityFinding]:
    """Yield what is wrong with the rows of all chains, by chain and number. Pure.

    Args:
        heads: those that anchors have. The chain of a row may go on behind its last head.
        kept_since: rows that are older may have left.
        anchored_until: rows that are older are before a head, unless somebody put them in later.
    """
    seen = set()
    for chain, its in groupby(rows, key=lambda row: str(row["chain"])):
        seen.add(chain)
        yield from _wrong_in_chain(chain, its, heads.get(chain, {}), kept_since, anchored_until)
    for chain in heads.keys() - seen:
        last = max(heads[chain])
        if heads[chain][last].at >= kept_since:
            yield _missing(chain, 1, last)


def _wrong_in_chain(
    chain: str,
    rows: Iterable[Mapping[str, Any]],
    heads: Mapping[int, AccessHead],
    kept_since: datetime,
    anchored_until: datetime,
) -> Iterator[FixityFinding]:
    last: int = 0
    before: str | None = FIRST
    last_head = max(heads, default=0)
    for row in rows:
        number = row["number"]
        if number != last + 1:
            start = None if last else heads.get(number - 1)
            before = start.digest if start and start.at < kept_since else None
            if before is None:
                yield _missing(chain, last + 1, number - 1)
        is_linked = before is None or digest_of(before, row) == row["digest"]
        if not is_linked or (number in heads and heads[number].digest != row["digest"]):
            found = "another row, or another row before it"
            yield FixityFinding(f"{KEY}/{chain}/{number}", Fault.DAMAGED, "a row of the access log", found)
        elif number > last_head and row["at"] < anchored_until:
            found = "a row that an anchor of its time does not have"
            yield FixityFinding(f"{KEY}/{chain}/{number}", Fault.EXTRA, "no row", found)
        last, before = number, row["digest"]
    if last_head > last:
        yield _missing(chain, last + 1, last_head)


def _missing(chain: str, first: int, last: int) -> FixityFinding:
    expected = f"the rows {first:,} to {last:,} of the access log"
    return FixityFinding(f"{KEY}/{chain}/{first}", Fault.MISSING, expected, "nothing")
