"""A list with filters, page by page: what a person asked for, and the page of it.

Filters are fields of a form, made from the list's query model: a new filter there is a new field here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from adapters.settings.settings import settings
from domain.words.wording import N_
from models.errors import Refused
from models.views.parameters import Page, is_list, read_moment, type_of
from services.triage import KINDS, Trouble

Query = TypeVar("Query", bound=BaseModel)
Pairs = Sequence[tuple[str, str]]
_OF_PAGES = {"cursor", "limit"}


@dataclass(frozen=True, slots=True)
class FilterField:
    """A filter as a field of a form. `kind`: text, number, choice, answer (yes or no) or moment."""

    name: str
    kind: str
    values: tuple[str, ...]
    choices: tuple[str, ...]
    hint: str
    is_repeatable: bool
    is_wrong: bool
    is_decided: bool
    """Without a value, the list decides for its own choice, which the form shows."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Query]):
    """What a person asked for: the fields of the form, and the query, None if a filter is wrong."""

    query: Query | None
    fields: tuple[FilterField, ...]
    pairs: tuple[tuple[str, str], ...]
    """The filters that are set, without the page."""

    def url(
        self, path: str, cursor: str | None = None, beside: Pairs = (), without: tuple[str, str] | None = None
    ) -> str:
        """Return the address of a page of the list. `beside`: what the address says beside the filters, of which it
        leaves out `without`.
        """
        pairs = [*(each for each in self.pairs if each != without), *beside, *([("cursor", cursor)] if cursor else [])]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def field(self, name: str) -> FilterField:
        return next(each for each in self.fields if each.name == name)


def asked(model: type[Query], pairs: Pairs) -> Asked[Query]:
    """Read the filters of a form or a link. Fields that are left empty set no filter; unknown names are left out. Of a
    filter that takes one value, the last counts: a time has a field for the day and a field for words. A default is no
    filter.
    """
    known = model.model_fields
    filled = [(name, value) for name, value in pairs if name in known and value.strip()]
    last = dict(filled)
    given = [
        (name, value)
        for name, value in dict.fromkeys(filled)
        if is_list(known[name]) or (value == last[name] and value != known[name].default)
    ]
    wrong: set[str] = set()
    query = None
    try:
        query = model.model_validate(_values(known, given))
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
    kept = tuple(each for each in given if each[0] not in _OF_PAGES)
    fields = [_field(name, info, kept, wrong) for name, info in known.items() if name not in _OF_PAGES]
    return Asked(query, tuple(fields), kept)


def valid(found: Asked[Query]) -> Query:
    """Return the query of what a person asked for. Raises Refused if a filter is wrong."""
    if found.query is None:
        named = ", ".join(each.name for each in found.fields if each.is_wrong)
        raise Refused("BAD_PARAMETER", f"expected valid filters; search first, then act; wrong: {named}", where=named)
    return found.query


def _values(known: dict[str, FieldInfo], given: Pairs) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given:
        read = _with_zone(value) if type_of(known[name]) is AwareDatetime else value
        if is_list(known[name]):
            values.setdefault(name, []).append(read)
        else:
            values[name] = read
    return values


def _field(name: str, info: FieldInfo, given: Pairs, wrong: set[str]) -> FilterField:
    of = type_of(info)
    choices = tuple(each.value for each in of) if isinstance(of, type) and issubclass(of, Enum) else ()
    kind = "choice" if choices else {int: "number", bool: "answer", AwareDatetime: "moment"}.get(of, "text")
    values = tuple(value for key, value in given if key == name)
    default = info.default if isinstance(info.default, Enum) else None
    return FilterField(
        name=name,
        kind=kind,
        values=values or ((str(default.value),) if default else ()),
        choices=choices,
        hint=info.description or "",
        is_repeatable=is_list(info),
        is_wrong=name in wrong,
        is_decided=default is not None,
    )


def _with_zone(value: str) -> str:
    """Return a moment as the query takes it. A day, and a time without zone, are in the installation's zone."""
    try:
        return read_moment(value, settings().zone, datetime.now(UTC)).isoformat()
    except ValueError:
        return value


Found = TypeVar("Found", bound=Page[Any])


@dataclass(frozen=True, slots=True)
class Listed(Generic[Query, Found]):
    """A page of a list. `page` is None if a filter is wrong; then `wrong` says why, as far as that is known."""

    path: str
    asked: Asked[Query]
    page: Found | None
    wrong: str | None
    is_later: bool

    @property
    def next_url(self) -> str | None:
        return self.asked.url(self.path, self.page.next) if self.page and self.page.next else None

    @property
    def first_url(self) -> str | None:
        return self.asked.url(self.path) if self.is_later else None


def listed(request: Request, path: str, model: type[Query], read: Callable[[Query], Found]) -> Listed[Query, Found]:
    """Return the page of a list that a request asks for. A filter that is wrong is marked, and nothing is searched."""
    pairs = request.query_params.multi_items()
    found, is_later = asked(model, pairs), any(name == "cursor" for name, _ in pairs)
    if found.query is None:
        return Listed(path, found, None, "", is_later)
    try:
        return Listed(path, found, read(found.query), None, is_later)
    except Refused as refused:
        return Listed(path, found, None, refused.detail, is_later)


REASONS: Mapping[Trouble, tuple[str, ...]] = {
    Trouble.REFUSED: (N_("Not an archive"), N_("A test"), N_("Sent again since")),
    Trouble.DISCREPANCIES: (N_("Agreed with the customer"), N_("Corrected at the provider"), N_("A test")),
    Trouble.MISSING: (N_("A test"), N_("Will not be submitted"), N_("Archived elsewhere")),
    Trouble.MESSAGES: (N_("The receiver has it"), N_("No longer needed"), N_("A test")),
}
"""Reasons that people give most. Each is a button."""


@dataclass(frozen=True, slots=True)
class Group:
    """What is alike on a page, each with its mark. `number`: how many there are, None where filters leave some out."""

    key: str
    number: int | None
    items: list[tuple[str, Any]]


def grouped(trouble: Trouble, items: Iterable[Any], numbers: Mapping[str, int]) -> list[Group]:
    """Return the items of a page in groups of what is alike, in the order of their first items."""
    kind, found = KINDS[trouble], dict[str, list[tuple[str, Any]]]()
    for each in items:
        found.setdefault(getattr(each, kind.alike), []).append((kind.mark(each), each))
    return [Group(key, numbers.get(key, len(its)) if numbers else None, its) for key, its in found.items()]
