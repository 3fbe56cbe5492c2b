# mypy: disable-error-code="no-untyped-call"
"""Compares the structure tree of a tagged PDF: a new signature field or comment adds an element to it.

The tree is for screen readers, and nothing of it is drawn. It may grow by elements for new annotations alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import SuspiciousModification
from pyhanko.sign.diff_analysis.rules_api import Context, ReferenceUpdate, WhitelistRule

from adapters.documents.pdf.document import entry, usages_of

_TREE = ("/Root", "/StructTreeRoot")
_GROWING = {"/K", "/Kids", "/Nums"}
_FREE = {"/ParentTreeNextKey", "/Limits"}
_DEEPEST = 32
_SPOKEN = {"/ActualText", "/Alt", "/E"}
"""The entries that a screen reader reads in place of the page."""


class StructureTreeRule(WhitelistRule):
    """Permits that the structure tree gains elements for objects of the page that are new."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[ReferenceUpdate]:
        if entry(old.root, "/StructTreeRoot") is None:
            return
        for reference in new.explicit_refs_in_revision():
            paths = [path for path in usages_of(old, reference) if path.path[:2] == _TREE]
            if not paths or not _is_of_tree(old(reference)):
                continue
            for added in _additions(old(reference), new(reference)):
                yield from _new_elements(old, new, added)
            for added in new.collect_dependencies(new(reference), since_revision=old.revision + 1):
                if _is_list(new(added)) and not usages_of(old, added):
                    yield ReferenceUpdate(added)
            for path in paths:
                yield ReferenceUpdate(reference, context_checked=Context.from_absolute(old, path))


def _is_of_tree(value: Any) -> bool:
    """Return whether this is a node of the tree, or a list in it; and no annotation or page, to which nodes refer."""
    if isinstance(value, ArrayObject):
        return True
    return (
        isinstance(value, DictionaryObject)
        and not isinstance(value, StreamObject)
        and entry(value, "/Type") in (None, "/StructTreeRoot", "/StructElem")
        and not value.keys() & {"/Subtype", "/FT", "/Rect"}
    )


def _is_list(value: Any) -> bool:
    """Return whether this is a list, or a node of the parent tree: writers like to write these anew."""
    is_node = isinstance(value, DictionaryObject) and value.keys() <= {"/Nums", "/Kids", "/Limits"}
    return isinstance(value, ArrayObject) or (is_node and not isinstance(value, StreamObject))


def _additions(before: Any, after: Any) -> Iterator[Any]:
    """Yield what a node or a list has gained. Raises SuspiciousModification if something else has changed."""
    if isinstance(before, ArrayObject) and isinstance(after, ArrayObject):
        yield from _gained(list(before), list(after))
        return
    if not isinstance(before, DictionaryObject) or not isinstance(after, DictionaryObject):
        raise SuspiciousModification("a node of the structure tree was replaced")
    for key in (before.keys() | after.keys()) - _FREE:
        old_value, new_value = _raw(before, key), _raw(after, key)
        if key == "/ParentTree":
            numbers, new_numbers = _numbered(old_value), _numbered(new_value)
            if any(new_numbers.get(number) != value for number, value in numbers.items()):
                raise SuspiciousModification("the parent tree of the structure tree leads elsewhere")
            yield from (value for number, value in new_numbers.items() if number not in numbers)
        elif key in _GROWING:
            yield from _gained(_listed(old_value), _listed(new_value))
        elif old_value != new_value:
            raise SuspiciousModification("a node of the structure tree was changed")


def _numbered(tree: Any, depth: int = 0) -> dict[int, Any]:
    """Return the values of a number tree by their numbers."""
    node = tree.get_object() if isinstance(tree, IndirectObject) else tree
    if not isinstance(node, DictionaryObject) or depth > _DEEPEST:
        return {}
    pairs = _listed(_raw(node, "/Nums"))
    found = dict(zip(map(int, pairs[::2]), pairs[1::2], strict=True))
    for kid in _listed(_raw(node, "/Kids")):
        found |= _numbered(kid, depth + 1)
    return found


def _raw(dictionary: DictionaryObject, key: str) -> Any:
    return dictionary.raw_get(key) if key in dictionary else None


def _listed(value: Any) -> list[Any]:
    held = value.get_object() if isinstance(value, IndirectObject) else value
    if isinstance(held, ArrayObject):
        return list(held)
    return [] if value is None else [value]


def _gained(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Any]:
    """Yield the members of `after` without those of `before`, whose order must not change."""
    left = list(reversed(before))
    for member in after:
        if left and left[-1] == member:
            left.pop()
        else:
            yield member
    if left:
        raise SuspiciousModification("the structure tree has lost a member, or has another order")


def _new_elements(old: HistoricalResolver, new: HistoricalResolver, added: Any) -> Iterator[ReferenceUpdate]:
    """Permit a new element of the tree. A number is a key of the parent tree."""
    node = added.get_object() if isinstance(added, IndirectObject) else added
    if isinstance(node, int):
        return
    if not isinstance(node, DictionaryObject) or not _is_element_of_new_object(old, node):
        raise SuspiciousModification("the structure tree has gained something other than an element for a new object")
    for reference in new.collect_dependencies(added, since_revision=old.revision + 1):
        if _is_element(new(reference)) and not usages_of(old, reference):
            yield ReferenceUpdate(reference)


def _is_element(value: Any) -> bool:
    return isinstance(value, DictionaryObject) and ("/S" in value or "/Obj" in value) and "/Subtype" not in value


def _is_element_of_new_object(old: HistoricalResolver, node: DictionaryObject) -> bool:
    """Return whether an element stands for objects alone, and each of these is new."""
    if node.keys() & _SPOKEN:
        return False
    if entry(node, "/Type") == "/OBJR" or "/Obj" in node:
        shown = _raw(node, "/Obj")
        return isinstance(shown, IndirectObject) and not usages_of(old, shown.reference)
    members = [
        member.get_object() if isinstance(member, IndirectObject) else member for member in _listed(_raw(node, "/K"))
    ]
    return bool(members) and all(
        isinstance(member, DictionaryObject) and _is_element_of_new_object(old, member) for member in members
    )
