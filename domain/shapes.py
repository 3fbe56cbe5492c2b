"""Finds the shape of an archive, and how the shape of a template changes. Pure.

A shape is a set of members, each a path in the payload with a type, and has no value. docs/templates.md says the rules.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import chain
from operator import and_, or_
from typing import Any

from domain.retention import field_of
from domain.tables.values import CHOSEN_TYPES, MOST_CHOICES, narrowest
from models.shapes import DriftCode, DriftView, ShapeMemberRow
from models.tables import ColumnType
from models.templates import PERSON, TemplateWords, name_in

MOST_MEMBERS, MOST_NEW = 40_000, 12_000
"""The most members of a template, and the most that an archive adds: a form of 5,000 fields has 10,000. What comes
after them is not followed.
"""
WINDOW, LEARNED, GONE, USUAL = 200, 20, 20, 0.95
"""The newest archives that are compared; how many teach a shape; in how many a member is gone; in what share it was."""
EMPTY, CHOICE, FIELD = "empty", "choice", "field"
_PLAIN = re.compile(r"[\w-]{1,60}")
_MOST_NAME, _MOST_PATH = 60, 300
_BY_ID = ("data", "signatures", "attachments")
"""The lists of what stands on the form: its elements are told apart by their ids."""
_TAKEN = {ColumnType.TEXT: {"integer", "decimal", "date", "boolean"}, ColumnType.DECIMAL: {"integer"}}
"""Types that take all values of others: a field of texts has a number now and then."""
_PAYMENT = ("", ".amount", ".status", ".type", ".transaction_id", ".provider_transaction_result")
_RESULT = (".currency", ".total", ".cguid", ".auth_number")
_OF_PAYMENTS = {
    *(f"payments[]{each}" for each in _PAYMENT),
    *(f"payments[].provider_transaction_result{each}" for each in _RESULT),
}
"""What payments are judged by."""

Members = dict[tuple[str, str], tuple[str, str]]
"""The parent and the first place of each member, by its path and its type."""


def members_of(document: Mapping[str, Any], fingerprint: Callable[[str], str]) -> Members:
    """Return the members of an archive, which has at most 200,000 values and 64 levels.

    Args:
        fingerprint: returns the keyed fingerprint of a choice.
    """
    found: Members = {}
    by_id = (_elements(document.get(name), name, fingerprint) for name in _BY_ID)
    for path, parent, type_, place in chain(_walk(document, "", ""), *by_id):
        found.setdefault((path, type_), (parent, place))
    return found


_Step = tuple[str, str, str, str]
"""Path, parent, type and place of a member."""


def _walk(value: Any, path: str, place: str) -> Iterator[_Step]:
    if len(path) > _MOST_PATH:
        return
    if isinstance(value, dict):
        for name, each in value.items():
            step = _named(name)
            its = f"{path}{step}".lstrip("."), f"{place}{step}".lstrip(".")
            if its[0] != "data[].value":  # each field has values of its own
                yield its[0], path, _type(each), its[1]
                yield from _walk(each, *its)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            its = f"{path}[]", f"{place}[{number}]"
            yield its[0], path, _type(each), its[1]
            yield from _walk(each, *its)


def _elements(elements: Any, name: str, fingerprint: Callable[[str], str]) -> Iterator[_Step]:
    """Yield the elements of a list by their ids, and the values of form fields by what their texts look like."""
    seen = dict[str, int]()
    for number, each in enumerate(elements if isinstance(elements, list) else ()):
        if isinstance(each, dict):
            path, place = field_path(name, each.get("id")), f"{name}[{number}]"
            seen[path] = seen.get(path, -1) + 1
            path += f"[{seen[path]}]" if seen[path] else ""
            declared = each.get("type")
            is_type = isinstance(declared, str) and re.fullmatch(r"[a-z_]{1,30}", declared)
            yield path, name, f"{FIELD} {declared}" if is_type and name == "data" else "object", place
            if name == "data" and "value" in each:
                value, its = each["value"], (f"{path}.value", path)
                type_ = _type(value)
                yield *its, (narrowest(value)[0] or EMPTY) if type_ == "text" else type_, f"{place}.value"
                if declared in CHOSEN_TYPES and type_ == "text":
                    yield *its, f"{CHOICE} {fingerprint(value)[:12]}", f"{place}.value"


def _type(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return EMPTY
    named = {bool: "flag", str: "text", list: "list", dict: "object"}
    return next((name for kind, name in named.items() if isinstance(value, kind)), "number")


def _named(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{_quoted(name)}]"


def _quoted(name: str) -> str:
    """Return a name that no path and no line confuses, and no mark of direction turns; a long one with its length."""
    kept = name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}…{len(name)}"
    return '"' + "".join(_escaped(each) for each in kept) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\u{ord(character):04x}"


def field_path(name: str, id_: Any) -> str:
    """Return the path of an element of a list by its id."""
    text = str(id_) if isinstance(id_, str | int) else ""
    is_plain = _PLAIN.fullmatch(text) and not text.isdigit()
    return f"{name}[{text if is_plain else _quoted(text)}]"


def relied_on(words: TemplateWords, members: Iterable[ShapeMemberRow]) -> set[str]:
    """Return the paths from which titles, facets, the retention and payments of a template are read, with what they are
    members of.
    """
    ends_by = field_of(words.retention) if words.retention else None
    fields = {name_in(each) for each in words.found_by if each.startswith("field:")} | ({ends_by} if ends_by else set())
    paths = {field_path("data", each) for each in fields}
    paths |= {each.path for each in members if each.type == f"{FIELD} payment"}
    paths |= {f"sessions[].labels{_named(name_in(each))}" for each in words.found_by if each.startswith("label:")}
    paths |= {"sessions[].recipient", "sessions[].recipient.name"} if PERSON in words.title else set()
    paths |= {f"{each}.value" for each in paths if each.startswith("data[")} | _OF_PAYMENTS
    return paths | {each[: found.start()] for each in paths for found in re.finditer(r"[.\[]", each)}


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an archive: a bit for each number of a member."""

    reference: str
    made_at: datetime
    bits: int


@dataclass(frozen=True, slots=True)
class Drift:
    """How a template's shape changed by a member, and the first archive of the new shape."""

    code: DriftCode
    since: datetime
    reference: str
    place: str


def drifts(members: Sequence[ShapeMemberRow], window: Sequence[Shape], relied: Collection[str]) -> dict[int, Drift]:
    """Return how the shape of a template has changed within its newest archives, by the number of the member.

    Each member is compared among the archives that have its parent: what is new in an object that is new, or comes now
    and then, is no finding of its own.

    Args:
        members: those of the template, with their findings so far.
        window: the newest archives, the newest first.
        relied: the paths that something is read from: what vanished of these stays vanished until it returns.
    """
    if len(window) <= LEARNED:
        return {}
    always, oldest_at = reduce(and_, (each.bits for each in window)), window[-1].made_at
    by_path = defaultdict[str, list[ShapeMemberRow]](list)
    for each in sorted(members, key=lambda each: (each.first_at, each.number)):
        by_path[each.path].append(each)
    masks = {path: reduce(or_, (1 << each.number for each in its)) for path, its in by_path.items()}
    found = dict[int, Drift]()
    for path, (first, *others) in by_path.items():
        is_new = first.first_at > oldest_at
        if is_new or not masks[path] & always:
            mask = masks.get(first.parent, 0)
            with_parent = [each for each in window if not first.parent or each.bits & mask]
            if drift := _came_or_went(first, masks[path], with_parent, is_relied=path in relied):
                found[first.number] = drift
        for each in others:
            if each.first_at > oldest_at and (code := _other_type(each, by_path[path], window)):
                found[each.number] = Drift(code, each.first_at, each.reference, each.place)
    return found


def _came_or_went(first: ShapeMemberRow, mask: int, window: Sequence[Shape], *, is_relied: bool) -> Drift | None:
    gone = next((number for number, each in enumerate(window) if each.bits & mask), len(window))
    before = window[gone:]
    if gone >= GONE or not before:
        share = sum(each.bits & mask != 0 for each in before) / len(before) if before else 0
        if len(before) >= LEARNED and share >= USUAL:
            absent = window[gone - 1]
            return Drift(DriftCode.VANISHED, absent.made_at, absent.reference, first.path)
        if is_relied and first.code == DriftCode.VANISHED and first.since:
            return Drift(DriftCode.VANISHED, first.since, first.reference, first.place)
    if before and sum(each.made_at < first.first_at for each in window) >= LEARNED:
        return Drift(DriftCode.APPEARED, first.first_at, first.reference, first.place)
    return None


def _other_type(new: ShapeMemberRow, its: Sequence[ShapeMemberRow], window: Sequence[Shape]) -> DriftCode | None:
    """Return what a type that a known member has for the first time means, if enough archives had other types of its
    kind. Of texts that look like another type, one in a hundred is a slip of a pen, as in form tables.
    """
    kind, _, detail = new.type.partition(" ")
    if kind == EMPTY:
        return None
    of_kind = [each for each in its if (each.type.startswith(f"{kind} ") if detail else " " not in each.type)]
    known = [each for each in of_kind if each.first_at < new.first_at and each.type != EMPTY]
    mask = reduce(or_, (1 << each.number for each in known), 0)
    if sum(bool(each.bits & mask) and each.made_at < new.first_at for each in window) < LEARNED:
        return None
    if kind == CHOICE:
        return DriftCode.CHOICE_ADDED if len(known) < MOST_CHOICES else None
    if any(new.type in _TAKEN.get(ColumnType(each.type), ()) for each in known if each.type in _TAKEN):
        return None
    having = [each.bits >> new.number & 1 for each in window if each.bits & (mask | 1 << new.number)]
    is_slip = new.path.startswith("data[") and not detail and sum(having) * 100 <= len(having)
    return None if is_slip else DriftCode.RETYPED


def changes_of(members: Iterable[ShapeMemberRow]) -> list[DriftView]:
    """Return how the shape of a template has changed, newest first. What changed at once is of one version of the
    shape; the first version was learned.
    """
    dated = [(each.since, each) for each in members if each.since and each.path]
    versions = {since: number for number, since in enumerate(sorted({since for since, _ in dated}), 2)}
    newest_first = sorted(dated, key=lambda each: each[0], reverse=True)
    return [
        DriftView(version=versions[since], **each.model_dump(include={*DriftView.model_fields}))
        for since, each in newest_first
    ]
