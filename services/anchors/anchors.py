"""Holds archives against the anchors of the store, and proves that an anchor has an archive.

`hold` takes the root that a person names: everything that the anchors up to it name must be there, unaltered. An object
must fulfil each of its leaves, not only the last: an anchor made after a forgery does not make it right. The leaves of
several anchors are merged by the objects that they name; a few leaves of each anchor are in memory.

`hold_newest` takes no root: the witness has one that nobody who writes into the store can rewrite.

`against_newest` serves before an archive is handed out, where nobody names a root. So what this installation knows
outside the store stands in for it: the note of the last anchor, the key that signs, and the witness.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice, pairwise
from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors import witness as anchors_witness
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves import (
    Found,
    leaf_beside,
    leaf_of,
    object_at,
    objects_in_bucket,
    objects_in_folder,
    tuples_of,
)
from adapters.anchors.witness import check_same, require_place, witness
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import happened, ocfl
from adapters.store.lines import Erased
from adapters.store.objects.deliveries import delivery_path
from adapters.store.ocfl import INVENTORY, LOGS
from domain.anchors import leaf_hash, leaf_text, read_leaf
from models.errors import Conflict, Transient, Unreadable
from models.store.anchor import AnchorProof, Digest, Leaf
from models.store.fixity import Fault, FixityFinding
from services.access import chains
from services.anchors.chain import chain, readable, target
from services.anchors.dating import renewed

_ANCHORS_AT_ONCE = 32  # each has a block of leaves in memory
_LINES_AT_ONCE = 1000
_OBJECTS_AT_ONCE = 256
_THREADS = 16
Source = tuple[Storage, Anchor]


@dataclass(frozen=True, slots=True)
class Named:
    """An object as anchors name it: its leaves by the numbers of the anchors, in their order."""

    key: str
    leaves: tuple[tuple[int, Leaf], ...]


@contextmanager
def named_objects(sources: Sequence[Source]) -> Iterator[Iterator[Named]]:
    """Provide the objects that anchors name, in order of their keys, until the end of the block.

    Raises:
        Conflict: the leaves of an anchor are damaged.
    """
    with ExitStack() as stack:
        streams = [_leaves(*each) for each in sources]
        while len(streams) > _ANCHORS_AT_ONCE:
            streams = [*streams[_ANCHORS_AT_ONCE:], stack.enter_context(_kept(streams[:_ANCHORS_AT_ONCE]))]
        yield _grouped(_merged(streams))


def named(sources: Sequence[Source], key: str) -> Named:
    """Return one object as anchors name it. Raises as `named_objects`."""
    found = ((anchor.statement.number, anchors.leaf_in(storage, anchor, key)) for storage, anchor in sources)
    return Named(key, tuple(sorted(((number, leaf) for number, leaf in found if leaf), key=lambda each: each[0])))


def _leaves(storage: Storage, anchor: Anchor) -> Iterator[tuple[int, Leaf]]:
    return ((anchor.statement.number, leaf) for leaf in anchors.leaves_of(storage, anchor))


def _merged(streams: Sequence[Iterator[tuple[int, Leaf]]]) -> Iterator[tuple[int, Leaf]]:
    return heapq.merge(*streams, key=lambda each: (each[1].key, each[0]))


def _grouped(leaves: Iterator[tuple[int, Leaf]]) -> Iterator[Named]:
    for key, its in groupby(leaves, key=lambda each: each[1].key):
        yield Named(key, tuple(its))


@contextmanager
def _kept(streams: Sequence[Iterator[tuple[int, Leaf]]]) -> Iterator[Iterator[tuple[int, Leaf]]]:
    """Merge streams into a file, and provide it as one stream."""
    with spooled(store().spool_folder) as spool:
        lines: list[bytes] = []
        for number, leaf in _merged(streams):
            lines.append(b"%d %b\n" % (number, leaf_text(leaf)))
            if len(lines) == _LINES_AT_ONCE:
                write_spooled(spool, b"".join(lines))
                lines.clear()
        write_spooled(spool, b"".join(lines))
        yield _read(Path(spool.name))


def _read(path: Path) -> Iterator[tuple[int, Leaf]]:
    with path.open("rb") as lines:
        for line in lines:
            number, _, text = line.rstrip(b"\n").partition(b" ")
            yield int(number), read_leaf(text)


def faults(name: Named, found: Found) -> tuple[bool, list[FixityFinding]]:
    """Return whether an object has versions after its last leaf, and how it breaks its leaves."""
    if happened.has_left(name.key, chains.kept_since(datetime.now(UTC))):
        return False, []
    try:
        leaf = _present(name, found)
    except Conflict as error:
        return False, [FixityFinding(name.key, Fault.DAMAGED, f"the state as in {_which(name)}", str(error))]
    except Unreadable as error:
        return False, [FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)]
    if leaf is None:
        return False, [FixityFinding(name.key, Fault.MISSING, f"what {_which(name)} has", "nothing")]
    last = max(its.version for _, its in name.leaves)
    return leaf.version > last, [*_of_versions(name, leaf), *_of_receipts(name, leaf), *_of_facts(name, leaf)]


def _present(name: Named, found: Found) -> Leaf | None:
    """Return the leaf that an anchor would make now; None where there is nothing to make it of."""
    if name.leaves[0][1].version:
        return leaf_of(store(), found)
    return leaf_beside(store(), name.key)


def _of_versions(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    for number, leaf in name.leaves:
        path = f"{name.key}/v{leaf.version}/{INVENTORY}" if leaf.version else name.key
        expected = f"{leaf.inventory_sha256}, as in anchor {number}"
        if leaf.version > now.version:
            found = f"version {now.version} as the last"
            yield FixityFinding(name.key, Fault.MISSING, f"version {leaf.version}, as in anchor {number}", found)
        elif leaf.version == now.version and now.inventory_sha256 != leaf.inventory_sha256:
            key = f"{name.key}/{INVENTORY}" if leaf.version else name.key
            yield FixityFinding(key, Fault.DAMAGED, expected, now.inventory_sha256)
        elif leaf.version:
            text = store().found_bytes(path)
            digest = None if text is None else hashlib.sha256(text).hexdigest()
            if digest != leaf.inventory_sha256:
                fault = Fault.DAMAGED if digest else Fault.MISSING
                yield FixityFinding(path, fault, expected, digest or "nothing")


def _of_receipts(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    seen = set(now.receipt_ids)
    for number, leaf in name.leaves:
        for receipt_id in leaf.receipt_ids:
            if receipt_id not in seen:
                seen.add(receipt_id)
                key = f"{name.key}/{delivery_path(receipt_id)}"
                yield FixityFinding(key, Fault.MISSING, f"a receipt of anchor {number}", "nothing")


def _of_facts(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    named = {fact for _, leaf in name.leaves for fact in leaf.facts}
    gone = named.difference(now.facts)
    if gone:
        what = "deliveries, runs, messages, discrepancies, judgements, files"
        expected = f"the {len(named)} entries of {_which(name)}: {what}"
        key = f"{name.key}/{LOGS}" if name.leaves[0][1].version else name.key
        yield FixityFinding(key, Fault.DAMAGED, expected, f"{len(gone)} of them gone or altered")


def _which(name: Named) -> str:
    numbers = [str(number) for number, _ in name.leaves]
    return f"anchor {numbers[0]}" if len(numbers) == 1 else f"anchors {', '.join(numbers[:-1])} and {numbers[-1]}"


OnFinding = Callable[[FixityFinding], None]


def against_newest(reference: str) -> tuple[FixityFinding, ...]:
    """Return what speaks against a process's object by the newest anchor, and against that anchor; nothing where there
    is no anchor.
    """
    findings: list[FixityFinding] = []
    try:
        found = list(anchors.anchors(store()))
        _check_newest(found[0] if found else None, findings.append)
        _check_chain(found, findings.append)
        findings += _broken(named([(store(), each) for each in found], ocfl.object_key(reference)))
    except Conflict as error:
        findings.append(_of_anchors("whole anchors", error))
    return tuple(dict.fromkeys(findings))


def wrong_anchors(erased: Erased) -> Iterator[FixityFinding]:
    """Find what is wrong with the anchors of the store: the newest, their order, and the files of each."""
    findings: list[FixityFinding] = []
    found = list[Anchor]()
    for number, names in reversed(anchors.listed(store()).items()):
        try:
            if anchor := anchors.anchor_at(store(), number, names):
                found.append(anchor)
                for what in anchors.check_leaves(store(), anchor, erased):
                    raise Conflict(what)
                if not anchors.is_signed(store(), anchor):
                    raise Conflict("its signature is missing or damaged; restore it from the witness")
        except Conflict as error:
            findings.append(_of_anchors("an anchor as it was made", error, anchors.statement_key(number)))
    _check_newest(found[0] if found else None, findings.append)
    _check_chain(found, findings.append)
    yield from {each.key: each for each in reversed(findings)}.values()


def _check_newest(newest: Anchor | None, on_finding: OnFinding) -> None:
    """Check that the newest anchor of the store is the newest that this installation has made."""
    try:
        anchors_witness.check_noted()
    except Conflict as error:
        on_finding(_of_anchors("the anchor that this machine made last", error))
    there = witness()
    if there:
        try:
            with suppress(Transient):
                check_same(there)
        except Conflict as error:
            on_finding(_of_anchors("the anchors of the witness", error))
    if newest and not anchors_witness.is_noted(newest) and (ours := anchors.known_public_key()):
        theirs = store().found_bytes(newest.key("pem"))
        if theirs != ours or not anchors.is_signed(store(), newest):
            expected = "a signature by the key of this installation; if the key was changed, run `cellar anchor`"
            on_finding(FixityFinding(newest.key("signature"), Fault.DAMAGED, expected, "another signature"))


def _check_chain(found: Sequence[Anchor], on_finding: OnFinding) -> None:
    """Check that each anchor names the anchor before it: only the newest anchor is noted elsewhere."""
    for anchor, before in pairwise([*found, None]):
        if anchor and anchor.statement.before != (before.root if before else None):
            key = anchors.statement_key(anchor.statement.number - 1)
            on_finding(FixityFinding(key, Fault.DAMAGED, f"the root {anchor.statement.before}", "another or none"))


def _broken(name: Named) -> list[FixityFinding]:
    """Return how an object breaks its leaves, checked again if it does, since a writer may have been at work."""
    if not name.leaves or not faults(name, object_at(store(), name.key))[1]:
        return []
    return faults(name, object_at(store(), name.key))[1]


def _of_anchors(expected: str, error: Conflict, key: str = anchors.FOLDER) -> FixityFinding:
    return FixityFinding(key, Fault.DAMAGED, expected, str(error))


def proof_of(reference: str) -> AnchorProof | None:
    """Return the proof by the newest anchor that has a process's object with its present versions; None without one.

    Deliveries that said nothing new, and runs, may be newer than the anchor.

    Raises:
        Conflict: an anchor is damaged.
    """
    key = ocfl.object_key(reference)
    inventory = store().found_bytes(f"{key}/{ocfl.INVENTORY}")
    proof = anchors.proof_of(store(), key) if inventory else None
    if not inventory or not proof or proof.inclusion.leaf.inventory_sha256 != hashlib.sha256(inventory).hexdigest():
        return None
    return renewed(proof)


@dataclass(slots=True)
class Held:
    """The store, held against an anchor. `number` and `at` are None where no anchor with the root was found.

    `covered` counts the archives and reports that the anchor names, `newer` those of them that have later versions,
    `uncovered` the objects of the store that it does not name, and `erased` the archives that were erased.
    `is_of_witness`: the anchor is the newest of the witness. `failure`: why the store was not held.
    """

    root: str
    number: int | None = None
    at: datetime | None = None
    covered: int = 0
    newer: int = 0
    uncovered: int = 0
    erased: int = 0
    findings: tuple[FixityFinding, ...] = ()
    is_of_witness: bool = False
    failure: str = ""


def hold(against: str, references: Sequence[str] = ()) -> Held:
    """Hold the store, or the archives of some processes, against an anchor.

    Args:
        against: the root of the anchor, or the path of its folder or statement, as the witness has it.
        references: the processes; none for the whole store.

    Raises:
        WrongUse: `against` is neither a root nor the path of a statement.
    """
    wanted = target(against)
    held, findings, erased = Held(wanted.root), list[FixityFinding](), happened.erased()
    links = chain(wanted, findings.append)
    if links:
        held.number, held.at = links[0].anchor.statement.number, links[0].anchor.statement.at
    held.erased = sum(erased.archives.values())
    sources = readable(links, findings.append, erased)
    if references:
        keys = map(ocfl.object_key, references)
        _check(((named(sources, key), object_at(store(), key)) for key in keys), held, findings, erased)
    else:
        with named_objects(sources) as names:
            objects = store().suited(folder=lambda it: objects_in_folder(it, tuples_of(it)), bucket=objects_in_bucket)
            _check(_paired(names, objects), held, findings, erased)
    held.findings = tuple(dict.fromkeys(findings))
    return held


def hold_newest() -> Held:
    """Hold the whole store against the newest anchor of the witness, or its own newest where the witness has none.

    Raises:
        Conflict: the statement of that anchor is damaged.
    """
    there = witness()
    if there:
        require_place(there)
    of_witness = anchors.newest(there) if there else None
    newest = of_witness or anchors.newest(store())
    held, findings = hold(newest.root) if newest else Held(""), list[FixityFinding]()
    _check_newest(None if of_witness else newest, findings.append)
    held.findings, held.is_of_witness = (*held.findings, *findings), of_witness is not None
    return held


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


def _check(pairs: Iterable[tuple[Named, Found]], held: Held, findings: list[FixityFinding], erased: Erased) -> None:
    left = iter(pairs)
    with ThreadPoolExecutor(_THREADS) as threads:
        while page := list(islice(left, _OBJECTS_AT_ONCE)):
            checkpoint()
            if store().worth_a_thread_bytes:  # a folder: threads would wait for the interpreter
                checked = [_checked(*each, erased) for each in page]
            else:
                reading = [threads.submit(copy_context().run, _checked, name, found, erased) for name, found in page]
                checked = [each.result() for each in reading]
            for (name, _), (newer, found) in zip(page, checked, strict=True):
                held.covered += bool(name.leaves) and not name.key.startswith(f"{anchors.FOLDER}/")
                held.uncovered += not name.leaves
                held.newer += newer
                findings += found


def _checked(name: Named, found: Found, erased: Erased) -> tuple[bool, list[FixityFinding]]:
    """Return whether an object has versions after its last leaf, and what is wrong with it. Nothing is, if tombstones
    have all its leaves: it was erased, or is about to be, and the anchor is that of a witness that is locked.
    """
    if not name.leaves:
        return False, []
    is_newer, findings = faults(name, found)
    if findings:  # or a writer was at work since the logs were listed
        is_newer, findings = faults(name, object_at(store(), name.key) if name.leaves[0][1].version else found)
    hashes = ((leaf_hash(leaf_text(leaf), digest).hex() for digest in Digest) for _, leaf in name.leaves)
    if findings and all(any(map(erased.knows, each)) for each in hashes):
        return False, []
    return is_newer, findings
