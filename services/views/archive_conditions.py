"""Turns the filters of archives into facets, terms and conditions. The page of a list and a bulk re-run share them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Select
from sqlmodel import col

from adapters.database.transactions import reading
from adapters.search import entries, pages
from adapters.search.attention import NEEDS_ATTENTION, OF_DELIVERIES
from adapters.search.entries import is_found_by
from adapters.search.templates import held
from adapters.tables.holds import IS_DUE, IS_HELD
from domain.search import Term, facet, named_facet, normalised, terms_of
from models.access import CELLAR, Caller
from models.archive.archive import ArchiveRow
from models.discrepancies import DUPLICATE_CODES
from models.errors import Refused
from models.said import Sentence
from models.search import Kind
from models.views.archives.archives import ArchiveFilter
from services.access.scope import facets_of_scope
from services.sources import check_filter

_COLUMNS = {
    Kind.PROCESS_NUMBER: ArchiveRow.process_number,
    Kind.TEMPLATE: ArchiveRow.template_id,
    Kind.SOURCE: ArchiveRow.source,
    Kind.STATE: ArchiveRow.state,
    Kind.CAUSE: ArchiveRow.cause_code,
}
_OF_PAYLOAD = (
    *(Kind.TRANSACTION_NUMBER, Kind.SESSION, Kind.CONDITION, Kind.DISCREPANCY, Kind.STANDING),
    *(Kind.VERDICT, Kind.FILENAME, Kind.SIGNER, Kind.WARNING),
)
_NORMALISED = (Kind.FILENAME, Kind.SIGNER)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a filter means. `of_archives` are facets that are columns of `archive` too, `of_payloads` all others.
    `conditions` are on `ArchiveRow`, for what no facet says.
    """

    of_archives: dict[Kind, Any]
    of_payloads: tuple[int, ...]
    references: tuple[str, ...] | Select[Any] | None
    terms: tuple[Term, ...]
    conditions: tuple[ColumnElement[bool], ...]

    @property
    def facets(self) -> tuple[int, ...]:
        return (*(facet(kind, value) for kind, value in self.of_archives.items()), *self.of_payloads)


def filters_of(query: ArchiveFilter, caller: Caller) -> Filters:
    """Return what a filter means for a caller, whose scope is one more facet.

    Raises:
        Refused: there is no such source; a label or a field has no `=`, or the settings do not let archives be found by
            it; `q` has no word; the caller sees the archives of one facet, and it is none, or does not suffice; a
            viewer filters by what is personal.
    """
    if caller.is_scoped:
        _check_follows_from_one(query)
    else:  # the refusal names sources
        check_filter(query.source)
    plain = {kind: getattr(query, kind) for kind in _COLUMNS if getattr(query, kind) is not None}
    of_payloads = [_facet(kind, value) for kind in _OF_PAYLOAD if (value := getattr(query, kind)) is not None]
    of_payloads += [_named(Kind.LABEL, each, caller) for each in query.label]
    of_payloads += [_named(Kind.FIELD, each, caller) for each in query.field]
    if query.attention:
        of_payloads.append(facet(Kind.ATTENTION, True))
    # Most archives need nobody, so that the newest of these are found at once without an index.
    conditions: tuple[ColumnElement[bool], ...] = (~NEEDS_ATTENTION,) if query.attention is False else ()
    if query.held is False:
        conditions += (~IS_HELD,)
    if caller.is_masked:
        conditions += _public(query)
    facets, terms = (*facets_of_scope(caller), *of_payloads), _terms(query.q or "", in_public=caller.is_masked)
    return Filters(plain, facets, _references(query), terms, conditions)


def conditions_of(query: ArchiveFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on `ArchiveRow` that a filter means, for counts and lists of all that match. They are for
    plans of batches: whoever may plan one sees all archives.

    Raises as `filters_of` does.
    """
    filters = filters_of(query, CELLAR)
    conditions = [col(_COLUMNS[kind]) == value for kind, value in filters.of_archives.items()]
    if filters.references is not None:
        conditions.append(col(ArchiveRow.reference).in_(filters.references))
    if query.received_after is not None:
        conditions.append(col(ArchiveRow.received_at) > query.received_after)
    if query.received_before is not None:
        conditions.append(col(ArchiveRow.received_at) < query.received_before)
    with reading() as session:
        found = pages.matching(session, filters.of_payloads, filters.terms)
    return [*conditions, *filters.conditions, *found]


def _check_follows_from_one(query: ArchiveFilter) -> None:
    """Check that a filter tells nothing of other archives: a duplicate is one of several, and needs attention."""
    wrong = ["attention"] if query.attention is not None else []
    wrong += ["discrepancy"] if query.discrepancy in DUPLICATE_CODES else []
    if wrong:
        raise Refused("BAD_PARAMETER", Sentence.filter_of_others(), where=", ".join(wrong))


def _references(query: ArchiveFilter) -> tuple[str, ...] | Select[Any] | None:
    """Return the references of which an archive must have one; None if any will do. Few archives are due or held: a
    query finds these by their indexes.
    """
    found = tuple(query.references) or None
    if query.reference is not None:
        found = (query.reference,) if query.reference in (query.references or [query.reference]) else ()
    which = [IS_DUE, col(ArchiveRow.due_action) == query.due] if query.due is not None else []
    which += [IS_HELD] if query.held else []
    if not which:
        return found
    its = col(ArchiveRow.reference)
    return sqlalchemy.select(its).where(*which, *([] if found is None else [its.in_(found)])).correlate(None)


def _facet(kind: Kind, value: Any) -> int:
    if kind is Kind.WARNING and value in OF_DELIVERIES:
        return facet(Kind.SOURCES, value)
    return facet(kind, normalised(value) if kind in _NORMALISED else value)


def _public(query: ArchiveFilter) -> tuple[ColumnElement[bool], ...]:
    """Return what archives must be for a viewer to find them by labels, fields and text: of templates whose labels and
    fields people called public, and with an entry that knows what they say now.
    """
    named = [f"{kind}:{sent.partition('=')[0]}" for kind in (Kind.LABEL, Kind.FIELD) for sent in getattr(query, kind)]
    with reading() as session:
        words, version = held(session).words, entries.version(session)
    shown = {part: [id_ for id_, each in words.items() if each.is_public(part)] for part in named}
    of_people = [each for each in _NORMALISED if getattr(query, each) is not None]
    if hidden := [*of_people, *(part for part in named if not shown[part])]:
        detail = "a viewer finds no archive by what is personal; ask whoever names the templates which fields are not"
        raise Refused("BAD_PARAMETER", detail, where=hidden[0].partition(":")[0])
    conditions = [col(ArchiveRow.template_id).in_(each) for each in shown.values()]
    return (*conditions, *([pages.is_current(version)] if query.q else []))


def _terms(q: str, *, in_public: bool) -> tuple[Term, ...]:
    """Return the terms of a search. A search without a word would find everything, also for a bulk re-run."""
    terms = terms_of(q, in_public=in_public)
    if q and not terms:
        raise Refused("BAD_PARAMETER", "expected a word; got only spaces or signs that do not count", where="q")
    return terms


def _named(kind: Kind, sent: str, caller: Caller) -> int:
    """Return the facet of a label or a field, from `KEY=VALUE`. The key of a label may not contain `=`."""
    key, equals, value = sent.partition("=")
    if not equals:
        expected = "KEY=VALUE" if kind is Kind.LABEL else "FIELD=VALUE"
        raise Refused("BAD_PARAMETER", f"expected {expected}", where=str(kind))
    with reading() as session:
        is_known = is_found_by(session, kind, key)
    if not is_known and not caller.is_scoped:  # archives of others may have made it a facet
        setting = f"CELLAR_SEARCH_{kind.upper()}S"
        detail = f"archives are not found by this {kind}: let it be a facet of their template, or add it to {setting}"
        raise Refused("BAD_PARAMETER", detail, where=str(kind), status=404)
    return named_facet(kind, key, value)
