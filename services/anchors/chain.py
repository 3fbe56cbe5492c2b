"""Finds the anchor with a root, and walks its chain back to the first anchor, in the store and at the witness."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors.anchors import STATEMENT, Anchor
from adapters.anchors.witness import witness
from adapters.files.storage import Storage
from adapters.files.store import storage_at, store
from adapters.store.lines import Erased
from domain.anchors import anchor_root, digest_of_root, is_root, root_of_text
from models.errors import Conflict, WrongUse
from models.store.fixity import Fault, FixityFinding

_IN_A_WITNESS = re.compile(rf"(.+)/{anchors.FOLDER}/[0-9]{{6,}}")
OnFinding = Callable[[FixityFinding], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The anchor to hold the store against: its root, and the storages that may have it, the store first."""

    root: str
    storages: tuple[Storage, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An anchor of a chain, and the storages that have it, the store first."""

    anchor: Anchor
    storages: tuple[Storage, ...]


def target(against: str) -> Target:
    """Return the anchor that a person names by its root, or by the path of its folder or its statement.

    Raises:
        WrongUse: it is neither.
    """
    known = [store(), witness()]
    if not is_root(against):
        folder, file = _place(against)
        text = storage_at(folder).found_bytes(file)
        if text is None:
            expected = "a root of 64 or 128 hex digits, or the path of an anchor or its statement"
            raise WrongUse(f"--against {against}: expected {expected}; there is no file {folder}/{file}")
        try:
            against = anchor_root(anchors.parsed(text))
        except Conflict as error:
            raise WrongUse(f"--against {against}: expected the statement of an anchor, got another file") from error
        if found := _IN_A_WITNESS.fullmatch(folder):
            known.append(storage_at(found[1]))
    storages = dict.fromkeys(each for each in known if each is not None)
    return Target(against, tuple(storages))


def _place(path: str) -> tuple[str, str]:
    """Return folder and name of a statement, from its own path or URL, or from that of its anchor."""
    whole = path.rstrip("/") if "://" in path else str(Path(path).absolute())
    folder, _, name = whole.rpartition("/")
    return (whole, STATEMENT) if name.isdecimal() or Path(whole).is_dir() else (folder, name)


def chain(wanted: Target, on_finding: OnFinding) -> list[Link]:
    """Return the anchors from the wanted one back to the first, and report what is wrong with them.

    A statement that the store lacks is a finding, and the witness stands in for it. So is another statement with the
    same number, also at the witness: whoever may only add to it cannot replace the anchors that it has.
    """
    names = {each: anchors.listed(each) for each in wanted.storages}
    number = next((number for each in wanted.storages for number in _numbers(each, wanted.root, names[each])), None)
    if number is None:
        expected = f"an anchor with the root {wanted.root}, in the store or at the witness"
        on_finding(FixityFinding(anchors.FOLDER, Fault.MISSING, expected, "nothing"))
        return []
    _report_later(number, wanted.root, names[store()], on_finding)
    links: list[Link] = []
    root: str | None = wanted.root
    while root is not None:
        link = _link(number, root, {each: its.get(number, set()) for each, its in names.items()}, on_finding)
        if link is None:
            break
        links.append(link)
        root, number = link.anchor.statement.before, number - 1
    if root is None and number:
        key, expected = anchors.statement_key(number + 1), f"a statement after anchor {number}"
        on_finding(FixityFinding(key, Fault.DAMAGED, expected, "one after none"))
    return links


def readable(links: Sequence[Link], on_finding: OnFinding, erased: Erased) -> list[tuple[Storage, Anchor]]:
    """Return the anchors of a chain whose leaves are whole, but for what was erased, each with a storage that has them.
    Reports damage.
    """
    return [found for link in links if (found := _whole(link, on_finding, erased))]


def _whole(link: Link, on_finding: OnFinding, erased: Erased) -> tuple[Storage, Anchor] | None:
    """Return the storage whose leaves of an anchor are whole; None if no storage has them."""
    key, expected = link.anchor.key("leaves.gz"), "the leaves that the statement names"
    for each in link.storages:
        try:
            wrong = anchors.check_leaves(each, link.anchor, erased)
        except Conflict as error:
            if each is store():
                on_finding(FixityFinding(key, Fault.DAMAGED, expected, str(error)))
        else:
            for what in wrong:
                on_finding(FixityFinding(key, Fault.DAMAGED, expected, what))
            return each, link.anchor
    return None


def _numbers(storage: Storage, root: str, names: dict[int, set[str]]) -> Iterator[int]:
    for number in reversed(names):
        text = storage.found_bytes(anchors.statement_key(number))
        if text is not None and root_of_text(text, digest_of_root(root)) == root:
            yield number


def _link(number: int, root: str, names: dict[Storage, set[str]], on_finding: OnFinding) -> Link | None:
    key, having = anchors.statement_key(number), dict[Storage, Anchor]()
    for each, its in names.items():
        text = each.found_bytes(key)
        found = None if text is None else root_of_text(text, digest_of_root(root))
        if text is not None and found == root:
            having[each] = anchors.with_files(anchors.parsed(text, number), root, its)
        elif each is store() or found:
            fault, its_key = Fault.DAMAGED if found else Fault.MISSING, key if each is store() else each.location(key)
            on_finding(FixityFinding(its_key, fault, f"the statement with the root {root}", found or "nothing"))
    if not having:
        return None
    if store() in having:
        _report_proofs(having[store()], on_finding)
    return Link(next(iter(having.values())), tuple(having))


def _report_proofs(anchor: Anchor, on_finding: OnFinding) -> None:
    """Report a signature or a time stamp in the store that does not prove the statement."""
    from services.anchors.dating import proving  # noqa: PLC0415 -- slow, and without an anchor nobody needs it

    for name in sorted({"signature", *anchor.tokens} - proving(anchor)):
        expected = "a proof of the statement: its signature by the key that it names, or a time stamp over it"
        on_finding(FixityFinding(anchor.key(name), Fault.DAMAGED, expected, "another or none"))


def _report_later(number: int, root: str, names: dict[int, set[str]], on_finding: OnFinding) -> None:
    """Report anchors of the store after a number that do not follow it, each the one before."""
    last = max((each for each, its in names.items() if STATEMENT in its), default=0)
    for each in range(number + 1, last + 1):
        key = anchors.statement_key(each)
        try:
            found = anchors.anchor_at(store(), each, names.get(each, set()))
        except Conflict as error:
            on_finding(FixityFinding(key, Fault.DAMAGED, "a statement", str(error)))
            return
        if found is None:
            on_finding(FixityFinding(key, Fault.MISSING, "a statement, since a later anchor exists", "nothing"))
            return
        if found.statement.before != root:
            on_finding(
                FixityFinding(key, Fault.DAMAGED, f"a statement after {root}", f"after {found.statement.before}")
            )
            return
        root = found.root
