"""Erases what the lines of `happened/` and `events/`, and the leaves of anchors, say of archives.

Tombstones get the digests of these lines and leaves before any is replaced, so a killed erasure leaves nothing that
looks like a theft. One scan serves many archives.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from sqlmodel import Session, col, select

from adapters.anchors import anchors
from adapters.anchors.erasing import erase_leaves, leaves_about
from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import happened, lines, ocfl, session_events, tombstones
from models.completeness.processes import SessionEventRow, event_id_of
from models.messages.notification import NotificationRow
from services.erasure.redacting import searches_about
from services.erasure.traces import REMOVED, Named, names

_NUMBERS = ("process_number", "transaction_number", "session_id")


@dataclass(slots=True)
class _Found:
    """Digests of lines by the keys of their files; those of which each tombstone must know, by the digest of its
    reference; the names of large bodies.
    """

    lines: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    owed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    bodies: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _About:
    """By what lines name archives, each with the digest that stays of its reference: `named`, numbers of processes
    by source and column, ids of messages and of session events, and searches by table and id.
    """

    named: Sequence[Named]
    numbers: Mapping[tuple[Any, str, Any], str]
    messages: Mapping[Any, str]
    events: Mapping[str, str]
    searches: Mapping[tuple[str, Any], str]

    def of_event(self, event: Mapping[str, Any]) -> set[str]:
        """Return the digest of the archive that a session event is about."""
        digest = self.events.get(event_id_of(event["source"], event["receipt_id"]))
        return {digest} if digest else set()

    def of_row(self, table: str, row: Mapping[str, Any]) -> set[str]:
        """Return the digests of the archives that a row is about, or names in what is redacted of it."""
        found = {self.messages.get(row.get("message_id"))}
        found |= {each.digest for each in self.named if names(table, row, each.reference)}
        if row.get("reference") is None:
            found |= {self.numbers.get((row.get("source"), name, row.get(name))) for name in _NUMBERS}
        found |= {its for (name, id_), its in self.searches.items() if name == table and id_ in row.values()}
        return {each for each in found if each}


def _about(session: Session, named: Sequence[Named]) -> _About:
    digests = {each.reference: each.digest for each in named}
    its = select(NotificationRow.message_id, NotificationRow.reference)
    messages = session.exec(its.where(col(NotificationRow.reference).in_(digests)))
    numbers, events, searches = dict[tuple[Any, str, Any], str](), dict[str, str](), dict[tuple[str, Any], str]()
    for each in named:
        for name, values in zip(
            _NUMBERS, (each.process_numbers, each.transaction_numbers, each.session_ids), strict=True
        ):
            numbers |= {(each.source, name, value): each.digest for value in values}
        of_process = REMOVED[SessionEventRow](each)
        events |= dict.fromkeys(session.exec(select(SessionEventRow.event_id).where(of_process)), each.digest)
        searches |= dict.fromkeys(searches_about(session, each), each.digest)
    return _About(
        named=named,
        numbers=numbers,
        messages={message_id: digests[reference] for message_id, reference in messages},
        events=events,
        searches=searches,
    )


def erase(named: Sequence[Named]) -> datetime | None:
    """Replace all lines and leaves that name archives, after the tombstones have them. Idempotent. Raises as `note`.

    Returns:
        Until when an Object Lock keeps earlier versions of their files.
    """
    found = note(named)
    for key, digests in found.lines.items():
        lines.erase_lines(key, digests)
    kept = [store().erase_earlier(key) for key in found.lines]
    kept += [store().erase(session_events.body_key(each)) for each in found.bodies]
    kept.append(erase_leaves([each.reference for each in named]))
    return max(filter(None, kept), default=None)


def erase_kept(archives: Mapping[str, Collection[str]]) -> None:
    """Replace the lines and leaves of archives of which a restored store has no object, so that no row comes of them.

    Args:
        archives: what the tombstone of each keeps of lines and leaves, by the digest of its reference.

    Raises:
        Conflict: an anchor is damaged.
        Transient: the store does not answer.
    """
    kept = set(chain.from_iterable(archives.values()))
    for key, text in _files():
        by_digest = {lines.digest_of(each): each for each in text.split(b"\n")[:-1]}
        its = {digest: line for digest, line in by_digest.items() if lines.kept_digest(digest) in kept}
        if its:
            lines.erase_lines(key, its)
            store().erase_earlier(key)
        for said in map(json.loads, its.values() if session_events.batch_at(key) else ()):
            if said["body"] is None:
                store().erase(session_events.body_key(said["receipt_id"]))
    leaves = chain.from_iterable(anchors.leaves_of(store(), each) for each in anchors.anchors(store()))
    named = {ocfl.reference_at(each.key) for each in leaves if ocfl.object_around(each.key)}
    erase_leaves([each for each in named if each and tombstones.digest_of(each) in archives])


def erase_earlier() -> datetime | None:
    """Remove all earlier versions of files of lines and leaves. Returns as `erase` does."""
    kept = map(store().erase_earlier, (happened.FOLDER, session_events.FOLDER, anchors.FOLDER))
    return max(filter(None, kept), default=None)


def note(named: Sequence[Named]) -> _Found:
    """Give the tombstones of archives the digests of all lines and leaves that name them, durably, and return these.

    Raises:
        Conflict: a file or an anchor is damaged.
        Transient: store or database does not answer.
    """
    found = _Found()
    with reading() as session:
        about = _about(session, named)
    digests_of, known = {each.reference: each.digest for each in named}, defaultdict[str, set[str]](set)
    for each in digests_of.values():
        for kept in tombstones.lines_of(each):
            known[kept].add(each)
    for key, text in _files():
        its, is_event = defaultdict[str, set[str]](set), session_events.batch_at(key) is not None
        for line in lines.read(key, text):
            said, line_digest = json.loads(line), lines.digest_of(line)
            whose = about.of_event(said) if is_event else about.of_row(*said[1:])
            whose |= known.get(lines.kept_digest(line_digest), set()) if known else set()
            for digest in whose:
                its[digest].add(line_digest)
            if whose and is_event and said["body"] is None:
                found.bodies.add(said["receipt_id"])
        for each, digests in its.items():
            found.lines[key] |= digests
            found.owed[each] |= digests
    for reference, leaves in leaves_about(digests_of).items():
        found.owed[digests_of[reference]].update(leaves)
    for each, owed in found.owed.items():
        tombstones.add_lines(each, map(lines.kept_digest, owed))
    happened.keep()
    return found


def _files() -> Iterator[tuple[str, bytes]]:
    for folder in (happened.FOLDER, session_events.FOLDER):
        for key, _ in store().listed(folder):
            checkpoint()
            if not session_events.is_body(key) and (text := store().found_bytes(key)) is not None:
                yield key, text
