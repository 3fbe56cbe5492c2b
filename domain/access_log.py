"""The chains of the access log: each row's digest covers the row before it, and the store has rows in anchored files.

So a row that was changed, removed, exchanged or put in breaks its chain, or is not the row that a file has. Rows that
are older than the log is kept leave from the beginning of a chain, together with their files.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from models.access import AccessRow
from models.store.fixity import Fault, FixityFinding

KEY = "access"
"""What the keys of findings begin with."""
FIRST = ""
"""Stands for the digest before the first row of a chain."""


def digest_of(before: str, row: Mapping[str, Any]) -> str:
    """Return the digest of a row in hex: of the digest before, and of the row's columns but its own digest. Pure."""
    columns = {name: value for name, value in row.items() if name != "digest"} | {
        "at": row["at"].astimezone(UTC).isoformat()
    }
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


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


@dataclass(slots=True)
class Kept:
    """What the files of the store say of each chain: its first row, and the last of each file with its digest.

    Rows before `anchored_until` are in a file, unless somebody put them in later; None: nothing is anchored yet.
    """

    anchored_until: datetime | None
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]], anchored_until: datetime | None) -> Iterator[FixityFinding]:
        """Add the rows of a file, in any order, as JSON has them. Yield those that an anchor of their time lacks."""
        heads = dict[str, tuple[int, str]]()
        for row in rows:
            chain, number = str(row["chain"]), int(row["number"])
            if anchored_until and datetime.fromisoformat(row["at"]) < anchored_until:
                yield _put_in(chain, number)
            else:
                self.first[chain] = min(number, self.first.get(chain, number))
                heads[chain] = max(heads.get(chain, (0, "")), (number, str(row["digest"])))
        for chain, (number, digest) in heads.items():
            self.last.setdefault(chain, {})[number] = digest


def wrong_rows(rows: Iterable[Mapping[str, Any]], kept: Kept) -> Iterator[FixityFinding]:
    """Yield what is wrong with the rows of all chains, by chain and number. Pure.

    The chain of a row may go on behind the last row that the store has.
    """
    seen = set()
    for chain, its in groupby(rows, key=lambda row: str(row["chain"])):
        seen.add(chain)
        yield from _wrong_in_chain(chain, its, kept)
    for chain in sorted(kept.last.keys() - seen):
        yield _missing(chain, kept.first[chain], max(kept.last[chain]))


def _wrong_in_chain(chain: str, rows: Iterable[Mapping[str, Any]], kept: Kept) -> Iterator[FixityFinding]:
    heads, first = kept.last.get(chain, {}), kept.first.get(chain, 1)
    last, last_head = 0, max(heads, default=0)
    before: str | None = FIRST
    for row in rows:
        number = row["number"]
        if number != last + 1:
            before = None
            if last or number > first:
                yield _missing(chain, last + 1 if last else first, number - 1)
        is_linked = before is None or digest_of(before, row) == row["digest"]
        if not is_linked or heads.get(number, row["digest"]) != row["digest"]:
            found = "another row, or another row before it"
            yield FixityFinding(f"{KEY}/{chain}/{number}", Fault.DAMAGED, "a row of the access log", found)
        elif number > last_head and kept.anchored_until and row["at"] < kept.anchored_until:
            yield _put_in(chain, number)
        last, before = number, row["digest"]
    if last_head > last:
        yield _missing(chain, last + 1, last_head)


def _put_in(chain: str, number: int) -> FixityFinding:
    found = "a row that an anchor of its time does not have"
    return FixityFinding(f"{KEY}/{chain}/{number}", Fault.EXTRA, "no row", found)


def _missing(chain: str, first: int, last: int) -> FixityFinding:
    expected = f"the rows {first:,} to {last:,} of the access log"
    return FixityFinding(f"{KEY}/{chain}/{first}", Fault.MISSING, expected, "nothing")
