"""Lists archives for people: filters, newest first, page by page; counts and sorts the newest matches."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import case
from sqlmodel import Session, SQLModel, col, func, select

from adapters.database.listing import id_cursor, id_of_cursor
from adapters.database.transactions import read_all, reading
from adapters.search import entries, pages
from adapters.search.attention import OF_DELIVERIES
from adapters.search.pages import Counted, Wanted, newest
from adapters.search.templates import held
from adapters.tables import conditions, holds
from adapters.tables.runs import refused
from domain.matches import Match, matches
from domain.payments.amounts import exponent_of
from domain.personal import part_of
from domain.search import facet, is_public, placed_texts, terms_of
from models.access import Caller
from models.archive.archive import ArchiveRow, FormFieldRow, WarningRow
from models.archive.content import FileRow
from models.columns import table_of
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.payments import Standing
from models.search import Kind, SearchEntryRow
from models.templates import Names, PartWords
from models.titles import TitleView
from models.views.archives import archives as views
from services import derived
from services.access.scope import facets_of_scope, findings_seen, source_of
from services.templates import called, titled
from services.views.archive_conditions import filters_of
from services.views.masks import personal_of

MOST_COUNTED = 10_000
"""The newest matches that are counted or sorted."""
_MOST_VALUES, _MOST_CHOICES = 8, 200
_CHOSEN = (Kind.TEMPLATE, Kind.SOURCE)
_MOST_ROWS_SEARCHED = 100
_PLAIN = (Kind.TEMPLATE, Kind.STATE, Kind.STANDING, Kind.SOURCE)
_STANDINGS = {facet(Kind.STANDING, each): each.value for each in Standing}
_NOT_CLOSED = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED


def page(query: views.ArchiveQuery, caller: Caller) -> views.ArchivePage:
    """Return archives, newest first, or in the order of a `ListQuery`: of two that sort alike, the newest is first.

    Raises Refused if the cursor is invalid, a label or a field has no `=`, or archives are not found by it.
    """
    after, wanted = None if query.cursor is None else id_of_cursor(query.cursor), _wanted(query, caller)
    not_indexed = 0 if caller.is_scoped else derived.lacking() or 0
    with reading() as session:
        if isinstance(query, views.ListQuery) and query.sort is not views.Sort.ARRIVAL:
            ids = _sorted(session, newest(session, wanted, MOST_COUNTED), query.sort, after, facets_of_scope(caller))
        else:
            ids = newest(session, replace(wanted, before=after), query.limit + 1)
        rows = session.exec(_summaries(ids[: query.limit], caller)).all()
        wrong = conditions.of_archives_within(session, [row[0].reference for row in rows])
        on_hold = holds.held(session, [row[0].reference for row in rows])
    names = {each: called(each, caller) for each in {row[0].template_id for row in rows}}
    items = {
        number: views.ArchiveSummary(
            **archive.model_dump(),
            title=titled(title, archive.template_id, names[archive.template_id], caller),
            cause=views.CauseView.of(archive),
            conditions=wrong.get(archive.reference, []),
            held=archive.reference in on_hold,
            files=files,
            warnings=warnings,
            discrepancies=standing,
        )
        for archive, files, warnings, standing, title, number in rows
    }
    later = id_cursor(ids[query.limit - 1]) if len(ids) > query.limit else None
    return views.ArchivePage(
        items=[items[each] for each in ids if each in items],
        next=later,
        not_indexed=not_indexed,
        set_aside=_set_aside(caller, query.limit) if after is None else [],
    )


def _set_aside(caller: Caller, most: int) -> list[views.SetAside]:
    """Return what the source of a clerk sent of processes of others, and others of its own. No content is in it."""
    if (source := source_of(caller)) is None:
        return []
    found = {  # the first of alike deliveries
        (each.reference, each.source): views.SetAside(**(asdict(each) | dict(each.values)))
        for each in refused.set_aside(source, most)
    }
    return [*found.values()]


def titles(references: Iterable[str | None], caller: Caller) -> dict[str, TitleView]:
    """Return the titles of archives by reference. References that no archive has are left out.

    Raises Transient if the database does not answer.
    """
    its, entry = ArchiveRow, SearchEntryRow
    found = select(its.reference, its.template_id, col(entry.title)).outerjoin(
        entry, col(entry.reference) == its.reference
    )
    rows = read_all(found.where(col(its.reference).in_({each for each in references if each})))
    names = {each: called(each, caller) for each in {row[1] for row in rows}}
    return {reference: titled(title, template, names[template], caller) for reference, template, title in rows}


def facets(query: views.ArchiveFilter, caller: Caller) -> views.FacetCounts:
    """Return how many of the newest matches have each template, value that people chose, state, standing and source.

    Raises:
        Refused: as `page`.
        Transient: the database does not answer.
    """
    with reading() as session:
        ids = newest(session, _wanted(query, caller), MOST_COUNTED + 1)
        found = pages.counted(session, ids[:MOST_COUNTED], _PLAIN)
        values = _values(session, found)
        its = {values[each.facet] for each in found if each.kind == Kind.TEMPLATE and each.facet in values}
        templates = held(session)
        words = {id_: each for id_, each in templates.words.items() if id_ in its}
        # A filter is `KEY=VALUE`.
        chosen = {part for each in words.values() for part in each.facets if "=" not in part}
        named = Counter[tuple[str, str, str]]()
        for kind, name, value, template, archives in (
            pages.counted_values(session, ids[:MOST_COUNTED]) if chosen else ()
        ):
            # Values of what was a facet stay, titles may show them, and what is public here may be personal there.
            part = f"{kind}:{name}"
            if part in chosen and (not caller.is_masked or templates.of(values.get(template)).is_public(part)):
                named[kind, name, value] += archives
    counts = defaultdict[tuple[str, str], list[tuple[int, str, str]]](list)
    for each in found:
        if known := values.get(each.facet):
            counts[each.kind, ""].append((-each.archives, known, known))
    for (kind, name, value), archives in named.items():
        counts[kind, name].append((-archives, value, f"{name}={value}"))
    parts = {part: its for each in words.values() for part, its in each.parts.items()}
    order = ((Kind.TEMPLATE, ""), *sorted(each for each in counts if each[1]), *((each, "") for each in _PLAIN[1:]))
    groups = [
        views.FacetGroup(filter=kind, name=name, names=part.name, values=[
            views.FacetValue(value=value, names=names, sent=sent, archives=-less)
            for less, value, sent in sorted(counts[kind, name])[:_MOST_VALUES]
            for names in [called(value, caller) if kind == Kind.TEMPLATE else part.values.get(value, Names())]
        ])
        for kind, name in order if (kind, name) in counts
        for part in [parts.get(f"{kind}:{name}", PartWords())]
    ]  # fmt: skip
    return views.FacetCounts(groups=groups, counted=min(len(ids), MOST_COUNTED), is_all=len(ids) <= MOST_COUNTED)


def choices(caller: Caller) -> dict[str, list[str]]:
    """Return the templates and sources of the newest 10,000 archives that a caller sees, the most frequent first, by
    their filters. Raises Transient if the database does not answer.
    """
    with reading() as session:
        found = pages.counted(session, newest(session, Wanted(facets_of_scope(caller)), MOST_COUNTED), _CHOSEN)
        values = _values(session, found)
    found.sort(key=lambda each: -each.archives)
    of = {
        kind: [values[each.facet] for each in found if each.kind == kind and each.facet in values] for kind in _CHOSEN
    }
    return {kind: its[:_MOST_CHOICES] for kind, its in of.items()}


def arrived(query: views.ArchiveFilter, caller: Caller, since: datetime, most: int) -> int:
    """Return how many archives that match have arrived after a time, `most` at most. Raises as `page`."""
    after = max(since, query.received_after or since)
    with reading() as session:
        return len(newest(session, _wanted(query.model_copy(update={"received_after": after}), caller), most))


def matched(q: str | None, archives: Sequence[views.ArchiveSummary], caller: Caller) -> Mapping[str, Sequence[Match]]:
    """Return where a search stands in each of some archives, by reference: in the first 100 rows of each table, and for
    viewers in no personal value.
    """
    if not archives or not (terms := terms_of(q or "")):
        return {}
    with reading() as session:
        rows = entries.first_rows(session, [each.reference for each in archives], _MOST_ROWS_SEARCHED)
        templates = held(session)
    found = dict[str, Sequence[Match]]()
    for each in archives:
        words = templates.of(each.template_id)
        placed = placed_texts(each, rows[each.reference], entries.searchable_of(each, templates), words)
        found[each.reference] = matches(terms, (it for it in placed if not caller.is_masked or is_public(it, words)))
    return found


def field_names(query: views.ArchiveFilter, caller: Caller, archives: int, most: int) -> list[str]:
    """Return the ids of the form fields of the newest archives that match, in their order, `most` at most."""
    with reading() as session:
        ids = newest(session, _wanted(query, caller), archives)
        its = col(FormFieldRow.id)
        found = select(its).join(SearchEntryRow, col(SearchEntryRow.reference) == FormFieldRow.reference)
        named = found.where(col(SearchEntryRow.id).in_(ids), its.is_not(None)).group_by(its)
        return [each or "" for each in session.exec(named.order_by(func.min(FormFieldRow.position), its).limit(most))]


def field_values(references: Sequence[str], caller: Caller) -> dict[str, dict[str, list[Any]]]:
    """Return the values of the form fields of archives, by reference and by id. A field may stand more than once."""
    personal = personal_of(references) if caller.is_masked else {}
    values: dict[str, dict[str, list[Any]]] = {each: {} for each in references}
    its = FormFieldRow
    found = select(its.reference, its.id, its.value, its.type).where(col(its.reference).in_(references))
    for reference, name, value, type_ in read_all(found.order_by(its.reference, col(its.position))):
        shown = personal[reference].shown(part_of(name), value, type_) if personal else value
        values[reference].setdefault(name or "", []).append(shown)
    return values


def _wanted(query: views.ArchiveFilter, caller: Caller) -> Wanted:
    filters = filters_of(query, caller)
    between = query.received_after, query.received_before
    return Wanted(filters.facets, filters.terms, filters.conditions, filters.references, *between)


def _sorted(
    session: Session, ids: Sequence[int], by: views.Sort, after: int | None, scope: tuple[int, ...] = ()
) -> list[int]:
    """Return entries in an order, those behind an entry: it may have left the newest since the page that it ends.

    Nothing is behind an entry outside of the scope, since its place would tell its amount.
    """
    if scope and after is not None and not {*scope} & {each.facet for each in pages.counted(session, [after], Kind)}:
        return []
    newest_first = sorted({*ids, *([] if after is None else [after])}, reverse=True)
    if by is views.Sort.DEADLINE:
        deadlines = pages.deadlines(session, MOST_COUNTED)
        ordered = sorted(newest_first, key=lambda each: deadlines.get(each, datetime.max.replace(tzinfo=UTC)))
    else:
        titles = pages.titles(session, newest_first)
        ordered = sorted(newest_first, key=lambda each: -_amount_of(titles.get(each)))
    return ordered if after is None else ordered[ordered.index(after) + 1 :]


def _amount_of(title: str | None) -> float:
    """Return the amount of the payment that a title names, in units of its currency; -1 if it names none."""
    paid = orjson.loads(title or "{}").get("payment") or {}
    if (amount_minor := paid.get("amount_minor")) is None:
        return -1
    amount: float = amount_minor / 10 ** (exponent_of(paid.get("currency")) or 0)
    return amount


def _values(session: Session, found: Sequence[Counted]) -> dict[int, str]:
    """Return the values of facets, by the newest archive that has each."""
    newest_of = {each.newest for each in found if each.facet not in _STANDINGS}
    asked = select(ArchiveRow).join(SearchEntryRow, col(SearchEntryRow.reference) == ArchiveRow.reference)
    values = dict(_STANDINGS)
    for row in session.exec(asked.where(col(SearchEntryRow.id).in_(newest_of))):
        of_each = {Kind.TEMPLATE: row.template_id, Kind.SOURCE: row.source, Kind.STATE: row.state}
        values |= {facet(kind, value): value for kind, value in of_each.items() if value}
    return values


def _summaries(ids: Sequence[int], caller: Caller) -> Any:
    """Select archives with the numbers of their files, warnings and discrepancies that are not closed; and titles."""
    warnings = sum((case((each, 1), else_=0) for each in OF_DELIVERIES.values()), _count(WarningRow))
    entry_id = col(SearchEntryRow.id)
    discrepancies = _count(DiscrepancyRow, _NOT_CLOSED, *findings_seen(caller))
    counted: tuple[Any, ...] = (_count(FileRow), warnings, discrepancies)
    columns: tuple[Any, ...] = (ArchiveRow, *counted, col(SearchEntryRow.title), entry_id)
    joined = select(*columns).join(SearchEntryRow, col(SearchEntryRow.reference) == col(ArchiveRow.reference))
    return joined.where(entry_id.in_(ids))


def _count(table: type[SQLModel], *conditions: Any) -> Any:
    columns = table_of(table).c
    counted = select(func.count()).select_from(table).where(columns.reference == ArchiveRow.reference, *conditions)
    return counted.correlate(ArchiveRow).scalar_subquery()
