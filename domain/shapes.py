"""Finds the shape of an archive, and how the shape of a template changes. Pure.

A shape is a set of members, each a path in the payload with a type, and has no value. docs/templates.md says the rules.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import chain
from operator import and_
from typing import Any

from domain.personal import CHOSEN_TYPES
from domain.retention import field_of
from domain.tables.values import narrowest
from models.shapes import DriftCode, DriftView, ShapeMemberRow
from models.templates import PERSON, TemplateWords, name_in

MOST_IN_ARCHIVE = 12_000
"""The most members of an archive: a form of 5,000 fields has 10,000. What comes after them is not followed."""
WINDOW, LEARNED, GONE, USUAL = 200, 20, 20, 0.95
"""The newest archives that are compared; how many teach a shape; in how many a member is gone; in what share it was."""
EMPTY, CHOICE, FIELD = "empty", "choice", "field"
_WORD, _NAME = re.compile(r"(?!.*\d{4})[^\W\d][\w-]{0,59}"), re.compile(r"[\w-]{1,60}")
_LOOKS_PERSONAL = re.compile(r"@|(?<![^\W_])\d[\d-]{6,}(?![^\W_])")
"""A name with an address of mail, or a number that people have."""
_MOST_NAME, _MOST_PATH = 60, 300
_BY_ID = ("data", "signatures", "attachments")
"""The lists of elements of the form. The id of an element is part of its path."""
_TAKEN = {"text": {"integer", "decimal", "date", "boolean"}, "decimal": {"integer"}}
"""Types that take all values of others: a field of texts has a number now and then."""
_OF_PAYMENTS = {
    *(f"payments[].{each}" for each in ("amount", "status", "type", "transaction_id")),
    *(f"payments[].provider_transaction_result.{each}" for each in ("currency", "total", "cguid", "auth_number")),
}
"""What payments are judged by."""

Members = dict[tuple[str, str], tuple[str, str]]
"""The parent and the first place of each member, by its path and its type."""
_Step = tuple[str, str, str, str]
"""Path, type, parent and place of a member."""


def members_of(document: Mapping[str, Any], fingerprint: Callable[[str], str]) -> Members:
    """Return the members of an archive, which has at most 200,000 values and 64 levels.

    Args:
        fingerprint: returns the keyed fingerprint of a choice.
    """
    found: Members = {}
    for path, type_, *where in chain(_elements(document, fingerprint), _walk(document, "", "")):
        found.setdefault((path, type_), (where[0], where[1]))
        if len(found) == MOST_IN_ARCHIVE:
            break
    return found


def _walk(value: Any, path: str, place: str) -> Iterator[_Step]:
    if len(path) > _MOST_PATH:
        return
    steps: Iterable[tuple[str, str, Any]] = ()
    if isinstance(value, dict):
        names = ((_given(name) if path.endswith("labels") else _member(name), each) for name, each in value.items())
        steps = ((f".{name}", f".{name}", each) for name, each in names)
    elif isinstance(value, list):
        steps = (("[]", f"[{number}]", each) for number, each in enumerate(value))
    for step, at, each in steps:
        its = f"{path}{step}".lstrip("."), f"{place}{at}".lstrip(".")
        if its[0] != "data[].value":  # each field has values of its own
            yield its[0], _type(each), path, its[1]
            yield from _walk(each, *its)


def _elements(document: Mapping[str, Any], fingerprint: Callable[[str], str]) -> Iterator[_Step]:
    """Yield elements by their ids, and the values of form fields by what their texts look like."""
    for name in _BY_ID:
        elements = document.get(name)
        for number, each in enumerate(elements if isinstance(elements, list) else ()):
            if isinstance(each, dict):
                path, place, declared = field_path(name, each.get("id")), f"{name}[{number}]", str(each.get("type"))
                is_type = name == "data" and re.fullmatch("[a-z_]{1,30}", declared)
                yield path, f"{FIELD} {declared}" if is_type else "object", name, place
                if name == "data" and "value" in each:
                    value, type_, where = each["value"], _type(each["value"]), (path, f"{place}.value")
                    yield f"{path}.value", (narrowest(value)[0] or EMPTY) if type_ == "text" else type_, *where
                    if declared in CHOSEN_TYPES and type_ == "text":
                        yield f"{path}.value", f"{CHOICE} {fingerprint(value)[:12]}", *where


def _type(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return EMPTY
    named = {bool: "flag", str: "text", list: "list", dict: "object"}
    return next((name for kind, name in named.items() if isinstance(value, kind)), "number")


def _member(name: str) -> str:
    """Return the name of a member, or `*` where it is no word: then what names it may be a value, such as a person."""
    return name if _WORD.fullmatch(name) else "*"


def _given(name: str) -> str:
    """Return a name that people gave a field or a label, or `*` where it looks personal, is long, or does not print."""
    if len(name) > _MOST_NAME or not name.isprintable() or _LOOKS_PERSONAL.search(name):
        return "*"
    return name if _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def field_path(name: str, id_: Any) -> str:
    """Return the path of the elements of a list that have an id."""
    return f"{name}[{_given(str(id_) if isinstance(id_, str | int) else '')}]"


def relied_on(words: TemplateWords, members: Iterable[ShapeMemberRow]) -> set[str]:
    """Return the paths from which titles, facets, the retention and payments of a template are read, with what they are
    members of.
    """
    ends_by = field_of(words.retention) if words.retention else None
    fields = [name_in(each) for each in words.found_by if each.startswith("field:")] + ([ends_by] if ends_by else [])
    paths = {field_path("data", each) for each in fields}
    paths = {f"{each}.value" for each in paths | {each.path for each in members if each.type == f"{FIELD} payment"}}
    paths |= {f"sessions[].labels.{_given(name_in(each))}" for each in words.found_by if each.startswith("label:")}
    paths |= _OF_PAYMENTS | ({"sessions[].recipient.name"} if PERSON in words.title else set())
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


def drifts(members: Sequence[ShapeMemberRow], window: Sequence[Shape]) -> dict[int, Drift]:
    """Return how the shape of a template has changed within its newest archives, by the number of the member.

    Each member is compared among the archives that have its parent: what is new in an object that is new, or comes now
    and then, is no finding of its own.

    Args:
        members: those of the template, with their findings so far.
        window: the newest archives, the newest first.
    """
    if len(window) <= LEARNED:
        return {}
    always, oldest_at = reduce(and_, (each.bits for each in window)), window[-1].made_at
    by_path = defaultdict[str, list[ShapeMemberRow]](list)
    for each in sorted(members, key=lambda each: (each.first_at, each.number)):
        by_path[each.path].append(each)
    masks = {"": -1} | {path: _mask(its) for path, its in by_path.items()}
    found = dict[int, Drift | None]()
    for path, (first, *others) in by_path.items():
        if first.first_at > oldest_at or not masks[path] & always:
            around = [each for each in window if each.bits & masks.get(first.parent, 0)]
            found[first.number] = _came_or_went(first, masks[path], around)
        for each in others:
            if each.first_at > oldest_at and (code := _other_type(each, by_path[path], window)):
                found[each.number] = Drift(code, each.first_at, each.reference, each.place)
    return {number: drift for number, drift in found.items() if drift}


def _mask(members: Iterable[ShapeMemberRow]) -> int:
    return sum(1 << each.number for each in members)


def _came_or_went(first: ShapeMemberRow, mask: int, around: Sequence[Shape]) -> Drift | None:
    gone = next((number for number, each in enumerate(around) if each.bits & mask), len(around))
    before = around[gone:]
    had = sum(each.bits & mask != 0 for each in before)
    if gone >= GONE and len(before) >= LEARNED and had >= USUAL * len(before):
        absent = around[gone - GONE]  # the finding is as old: it is no part of what people have seen before
        return Drift(DriftCode.VANISHED, absent.made_at, absent.reference, first.path)
    if first.code == DriftCode.VANISHED and first.since and gone >= min(GONE, len(around)):
        return Drift(DriftCode.VANISHED, first.since, first.reference, first.place)
    if had and sum(each.made_at < first.first_at for each in around) >= LEARNED:
        return Drift(DriftCode.APPEARED, first.first_at, first.reference, first.place)
    return None


def _other_type(new: ShapeMemberRow, its: Iterable[ShapeMemberRow], window: Sequence[Shape]) -> DriftCode | None:
    """Return what a type that a known member has for the first time means, if enough archives had other types of its
    kind.
    """
    of_kind = [each for each in its if _kind(each) == _kind(new)]
    known = [each for each in of_kind if each.first_at < new.first_at and each.type != EMPTY]
    mask = _mask(known)
    learned_from = sum(bool(each.bits & mask) and each.made_at < new.first_at for each in window)
    if new.type == EMPTY or learned_from < LEARNED or any(new.type in _TAKEN.get(each.type, ()) for each in known):
        return None
    return DriftCode.CHOICE_ADDED if _kind(new) == CHOICE else DriftCode.RETYPED


def _kind(member: ShapeMemberRow) -> str:
    return member.type.partition(" ")[0] if " " in member.type else ""


def changes_of(members: Iterable[ShapeMemberRow]) -> list[DriftView]:
    """Return how the shape of a template has changed, newest first. What changed at once is of one version of the
    shape; the first version was learned.
    """
    dated = sorted(((each.since, each) for each in members if each.since), key=lambda each: each[0], reverse=True)
    versions = {since: number for number, since in enumerate(sorted({since for since, _ in dated}), 2)}
    return [
        DriftView.model_validate(
            each.model_dump() | {"version": versions[since], "type": CHOICE if _kind(each) == CHOICE else each.type}
        )
        for since, each in dated
    ]
