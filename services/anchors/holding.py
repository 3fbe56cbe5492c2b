"""Holds the store against an anchor: everything that the anchors up to it name must be there, unaltered.

An object must fulfil each of its leaves, not only the last: an anchor made after a forgery does not make it right.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from adapters.anchors.leaves import Found, object_at, objects_in_bucket, objects_in_folder, tuples_of
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl
from models.store.fixity import FixityFinding
from services.anchors.chain import Link, chain, readable, target
from services.anchors.named import Named, faults, named, named_objects

_AT_ONCE = 256
_THREADS = 16


@dataclass(frozen=True, slots=True)
class Held:
    """The store, held against an anchor. `anchor` is None where no anchor with the root was found.

    `covered` counts the objects that the anchor names, `newer` those of them that have later versions, and `uncovered`
    the objects of the store that it does not name.
    """

    root: str
    number: int | None
    at: datetime | None
    covered: int
    newer: int
    uncovered: int
    findings: tuple[FixityFinding, ...]


@dataclass(slots=True)
class _Tally:
    covered: int = 0
    newer: int = 0
    uncovered: int = 0
    findings: list[FixityFinding] = field(default_factory=list)


def hold(against: str, references: Sequence[str] = ()) -> Held:
    """Hold the store, or the archives of some processes, against an anchor.

    Args:
        against: the root of the anchor, or the path of its folder or statement, as the witness has it.
        references: the processes; none for the whole store.

    Raises:
        WrongUse: `against` is neither a root nor the path of a statement.
        Transient: store or witness does not answer.
    """
    tally = _Tally()
    wanted = target(against)
    links = chain(wanted, tally.findings.append)
    sources = readable(links, tally.findings.append)
    if references:
        _check(((named(sources, key), object_at(store(), key)) for key in map(ocfl.object_key, references)), tally)
    else:
        with named_objects(sources) as names:
            _check(_paired(names, _objects()), tally)
    return _held(wanted.root, links, tally)


def _held(root: str, links: Sequence[Link], tally: _Tally) -> Held:
    statement = links[0].anchor.statement if links else None
    findings = tuple(dict.fromkeys(tally.findings))
    number, at = (statement.number, statement.at) if statement else (None, None)
    return Held(root, number, at, tally.covered, tally.newer, tally.uncovered, findings)


def _objects() -> Iterator[Found]:
    return store().suited(folder=lambda it: objects_in_folder(it, tuples_of(it)), bucket=objects_in_bucket)


def _paired(names: Iterator[Named], objects: Iterator[Found]) -> Iterator[tuple[Named, Found]]:
    """Join what anchors name with what the store has, both in order of their keys. Each side may lack a key."""
    name, found = next(names, None), next(objects, None)
    while name or found:
        key = min(each for each in (name and name.key, found and found[0]) if each)
        its_name = name if name and name.key == key else Named(key, ())
        its_files = found if found and found[0] == key else (key, list[str]())
        yield its_name, its_files
        name = next(names, None) if name and name.key == key else name
        found = next(objects, None) if found and found[0] == key else found


def _check(pairs: Iterable[tuple[Named, Found]], tally: _Tally) -> None:
    left = iter(pairs)
    with ThreadPoolExecutor(_THREADS) as threads:
        while page := list(islice(left, _AT_ONCE)):
            checkpoint()
            if store().worth_a_thread_bytes:  # a folder: threads would wait for the interpreter
                checked = [_checked(*each) for each in page]
            else:
                reading = [threads.submit(copy_context().run, _checked, name, found) for name, found in page]
                checked = [each.result() for each in reading]
            for (name, _), (newer, found) in zip(page, checked, strict=True):
                tally.covered += bool(name.leaves)
                tally.uncovered += not name.leaves
                tally.newer += newer
                tally.findings += found


def _checked(name: Named, found: Found) -> tuple[bool, list[FixityFinding]]:
    """Return whether an object has versions after its last leaf, and what is wrong with it."""
    if not name.leaves:
        return False, []
    is_newer, findings = faults(name, found)
    if findings and name.leaves[0][1].version:  # or a writer was at work since the logs were listed
        return faults(name, object_at(store(), name.key))
    return is_newer, findings
