"""Reads the newest archives that match facets and terms, without sorting a large set of matches.

The list of one facet, the *driver*, is walked in order, and each archive is tested by the others. The shortest list is
the driver. Where all lists are long, the newest part of the driver, a *window*, is walked first. If it holds too few
matches, the index of texts is asked for the rest: SQLite's answers in order too, and Postgres plans by its statistics.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, and_, any_, bindparam, column, func, select, table
from sqlmodel import Session

from domain.search import PERSONAL_FROM_HERE, Term, first_id_after, first_id_at, fts_query, like_pattern, trigrams_of
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.completeness.processes import MissingProcessRow
from models.search import FacetValueRow, Kind, SearchEntryRow, SearchFacetRow

_ENTRY = table_of(SearchEntryRow)
_FACET = table_of(SearchFacetRow)
_ARCHIVE = table_of(ArchiveRow)
_VALUE = table_of(FacetValueRow)
_MISSING = table_of(MissingProcessRow)
TEXT = table("search_text", column("rowid"), column("text"), column("search_text"))
WINDOW, WINDOW_OF_TEXTS = 20_000, 4_000
_FEW = 100
"""A list of a hundredth of the window is short enough: no other list is counted."""
_FEW_TRIGRAMS, _NEWEST, _SPARSE = 3, 200, 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What archives must match: every facet, every term, and every condition on the row of the archive.

    `references`, or a query of them, are those of which it has one; None stands for any. `before` is the id at which
    the page begins; it is left out itself. `outside` are ids that are left out too.
    """

    facets: tuple[int, ...] = ()
    terms: tuple[Term, ...] = ()
    conditions: tuple[ColumnElement[bool], ...] = ()
    references: tuple[str, ...] | Select[Any] | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None
    before: int | None = None
    outside: tuple[int, ...] = ()


def newest(session: Session, wanted: Wanted, most: int, window: int | None = None) -> list[int]:
    """Return the ids of the entries that match, newest first, `most` at most."""
    wanted = replace(wanted, outside=_outside(session, wanted))
    window = window or (WINDOW_OF_TEXTS if wanted.terms else WINDOW)
    if wanted.references is not None or not wanted.facets:
        return _run(session, _by_text(session, wanted, most))
    if len(wanted.facets) == 1 and not (wanted.terms or wanted.conditions):
        return _run(session, _by_facet(session, wanted, wanted.facets[0], most))
    driver, shared = _driver(session, wanted, window)
    wanted = replace(wanted, before=shared + 1)
    found = _run(session, _by_facet(session, wanted, driver.facet, most, least=driver.oldest))
    if driver.count < window or len(found) == most:
        return found
    rest = most - len(found)
    if wanted.terms:
        return found + _run(session, _by_text(session, wanted, rest, below=driver.oldest))
    return found + _run(session, _by_facet(session, wanted, driver.facet, rest, below=driver.oldest))


def of_any(session: Session, facets: Sequence[int], before: int | None, most: int) -> list[int]:
    """Return the ids of the entries that have any of some facets, newest first, those before an id."""
    its = _FACET.c.entry_id
    found = select(its).where(_FACET.c.facet.in_(facets), *([] if before is None else [its < before]))
    return _run(session, found.distinct().order_by(its.desc()).limit(most))


def references(session: Session, ids: Sequence[int]) -> list[str]:
    """Return the references of entries."""
    return list(
        session.connection().execute(select(_ENTRY.c.reference).where(_among(session, _ENTRY.c.id, ids))).scalars()
    )


def matching(session: Session, facets: Sequence[int], terms: Sequence[Term]) -> list[ColumnElement[bool]]:
    """Return conditions on `ArchiveRow`: it has each facet, and its text has all terms. For counts and lists of all."""
    its = _ARCHIVE.c.reference
    found = select(_ENTRY.c.reference)
    conditions: list[ColumnElement[bool]] = [
        its.in_(found.join(_FACET, _FACET.c.entry_id == _ENTRY.c.id).where(_FACET.c.facet == each)) for each in facets
    ]
    if terms and is_sqlite(session):
        by_text = select(TEXT.c.rowid).where(may_match(session, terms), *text_tests(session, terms))
        conditions.append(its.in_(found.where(_ENTRY.c.id.in_(by_text))))
    elif terms:
        conditions.append(its.in_(found.where(*text_tests(session, terms))))
    return conditions


@dataclass(frozen=True, slots=True)
class Counted:
    """A facet among some archives: how many have it, and the newest of these, by the id of its entry."""

    kind: str
    facet: int
    archives: int
    newest: int


def counted(session: Session, ids: Sequence[int], kinds: Iterable[Kind]) -> list[Counted]:
    """Return the facets of some kinds that some archives have."""
    its = _FACET.c
    found = select(its.kind, its.facet, func.count(), func.max(its.entry_id)).where(
        _among(session, its.entry_id, ids), its.kind.in_(list(kinds))
    )
    rows = session.connection().execute(found.group_by(its.kind, its.facet))
    return [Counted(*each) for each in rows]


def counted_values(session: Session, ids: Sequence[int]) -> list[tuple[str, str, str, int, int]]:
    """Return the values of labels and fields that are facets of templates: kind, name, value, the facet of the
    archives' template, 0 without one, and how many archives.
    """
    its, value, template = _FACET.c, _VALUE.c, _FACET.alias()
    of_template = and_(template.c.entry_id == its.entry_id, template.c.kind == Kind.TEMPLATE)
    found = (
        select(value.kind, value.name, value.value, func.coalesce(template.c.facet, 0), func.count())
        .join_from(_FACET, _VALUE, its.facet == value.facet)
        .join(template, of_template, isouter=True)
        .where(_among(session, its.entry_id, ids), its.kind.in_([Kind.LABEL, Kind.FIELD]))
        .group_by(value.facet, template.c.facet)
    )
    rows = session.connection().execute(found)
    return [(kind, name, value, template, archives) for kind, name, value, template, archives in rows]


def titles(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return the titles of entries that have one, as JSON."""
    found = select(_ENTRY.c.id, _ENTRY.c.title).where(_among(session, _ENTRY.c.id, ids), _ENTRY.c.title.is_not(None))
    return dict(map(tuple, session.connection().execute(found)))


def deadlines(session: Session, most: int) -> dict[int, datetime]:
    """Return when Cellosign deletes what is missing of archives, by the ids of their entries: the nearest, at most."""
    its = _MISSING.c
    found = select(_ENTRY.c.id, its.deadline_at).join_from(_MISSING, _ENTRY, _ENTRY.c.reference == its.reference)
    nearest = found.where(its.closed_at.is_(None)).order_by(its.deadline_at).limit(most)
    return dict(map(tuple, reversed(session.connection().execute(nearest).all())))


def _among(session: Session, its: Any, ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that an id is one of many, sent as one value: 10,000 values take 30 ms to compile."""
    of_postgres: ColumnElement[bool] = its == any_(bindparam(None, list(ids), type_=ARRAY(BigInteger)))
    of_sqlite: ColumnElement[bool] = its.in_(
        select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value)
    )
    return of_sqlite if is_sqlite(session) else of_postgres


def _run(session: Session, statement: Any) -> list[int]:
    return list(session.connection().execute(statement).scalars())


@dataclass(frozen=True, slots=True)
class _Listed:
    """The newest part of the list of a facet, a window at most: its length, its oldest and its newest archive."""

    facet: int
    count: int
    oldest: int
    newest: int


def _driver(session: Session, wanted: Wanted, window: int) -> tuple[_Listed, int]:
    """Return the list that is walked, and the newest id that all lists may share. An empty list is walked too: else a
    clerk could tell by the time whether an archive that they do not see has a value.

    A short list is better than a long one. Of two long lists, the one whose window reaches further back is sparser.
    """
    lists: list[_Listed] = []
    for each in wanted.facets:
        its = _FACET.c.entry_id
        listed = select(its).where(_FACET.c.facet == each, *_bounds(wanted, its)).order_by(its.desc()).limit(window)
        first = listed.subquery().c.entry_id
        row = session.connection().execute(select(func.count(), func.min(first), func.max(first))).one()
        lists.append(_Listed(each, row[0], row[1] or 0, row[2] or 0))
        if row[0] * _FEW < window:
            break
    return min(lists, key=lambda each: (each.count, each.oldest)), min(each.newest for each in lists)


def _by_facet(
    session: Session, wanted: Wanted, driver: int, most: int, *, least: int | None = None, below: int | None = None
) -> Any:
    its = _FACET.c.entry_id
    walked = select(its).where(_FACET.c.facet == driver, *_bounds(wanted, its, least, below))
    others = [_has_facet(its, each) for each in wanted.facets if each != driver]
    if wanted.terms:
        others.append(_has_terms(session, its, wanted.terms))
    return walked.where(*others, *_archive_tests(wanted, its)).order_by(its.desc()).limit(most)


def _by_text(session: Session, wanted: Wanted, most: int, *, below: int | None = None) -> Any:
    """Return the query of entries with all terms, or of all entries, in order."""
    tests: list[ColumnElement[bool]] = []
    if wanted.terms and is_sqlite(session) and wanted.references is None:
        its = TEXT.c.rowid
        found = select(its).where(may_match(session, wanted.terms))
        # SQLite tests subqueries in their order and other conditions before them. A text costs more than a facet.
        tests.append(_has_terms(session, its, wanted.terms))
    else:
        its = _ENTRY.c.id
        found = select(its).where(*text_tests(session, wanted.terms, _ENTRY.c.text))
        found = found if wanted.references is None else found.where(_ENTRY.c.reference.in_(wanted.references))
    tests = [*(_has_facet(its, each) for each in wanted.facets), *tests, *_archive_tests(wanted, its)]
    return found.where(*_bounds(wanted, its, None, below), *tests).order_by(its.desc()).limit(most)


def _has_terms(session: Session, its: Any, terms: Sequence[Term]) -> ColumnElement[bool]:
    entry = _ENTRY.alias()
    text = select(1).where(entry.c.id == its, *text_tests(session, terms, entry.c.text))
    return text.correlate(its.table).exists()


def _has_facet(its: Any, facet: int) -> ColumnElement[bool]:
    other = _FACET.alias()
    return select(1).where(other.c.facet == facet, other.c.entry_id == its).correlate(its.table).exists()


def _bounds(wanted: Wanted, its: Any, least: int | None = None, below: int | None = None) -> list[ColumnElement[bool]]:
    """Return the limits of ids. Those of the times are exact to the millisecond; `outside` has the rest."""
    limits: list[ColumnElement[bool]] = [its.not_in(wanted.outside)] if wanted.outside else []
    limits += [its < each for each in (wanted.before, below) if each is not None]
    limits += [its >= least] if least is not None else []
    limits += [its >= first_id_at(wanted.received_after)] if wanted.received_after else []
    limits += [its < first_id_after(wanted.received_before)] if wanted.received_before else []
    return limits


def _archive_tests(wanted: Wanted, its: Any) -> list[ColumnElement[bool]]:
    return [_archive_has(its, *wanted.conditions)] if wanted.conditions else []


def _outside(session: Session, wanted: Wanted) -> tuple[int, ...]:
    """Return the ids within the limits that were not received after and before the wanted times: those of the same
    millisecond. They are looked up by themselves: tested in the query, Postgres would read the times of all archives.
    """
    received_at = _ARCHIVE.c.received_at
    found = select(_ENTRY.c.id).join_from(_ENTRY, _ARCHIVE, _ARCHIVE.c.reference == _ENTRY.c.reference)
    outside = []
    if after := wanted.received_after:
        outside += _run(session, found.where(*_millisecond(after), received_at <= after))
    if before := wanted.received_before:
        outside += _run(session, found.where(*_millisecond(before), received_at >= before))
    return tuple(outside)


def _millisecond(moment: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _ENTRY.c.id >= first_id_at(moment), _ENTRY.c.id < first_id_after(moment)


def _archive_has(its: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    entry = _ENTRY.alias()
    joined = select(1).select_from(entry.join(_ARCHIVE, _ARCHIVE.c.reference == entry.c.reference))
    return joined.where(entry.c.id == its, *conditions).correlate(its.table).exists()


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def text_tests(session: Session, terms: Sequence[Term], text: Any = None) -> list[ColumnElement[bool]]:
    """Return the conditions that a text contains each term. On SQLite, `instr` is faster than LIKE.

    Public text comes first, so a term stands in it exactly if the first place of the term is before its end.
    """
    place = func.instr if is_sqlite(session) else func.strpos
    if is_sqlite(session):
        text = TEXT.c.text if text is None else text
        tests = [place(text, each.pattern) > 0 for each in terms]
    else:
        text = _ENTRY.c.text if text is None else text
        tests = [text.like(like_pattern(each), escape="\\") for each in terms]
    end = place(text, PERSONAL_FROM_HERE)
    return tests + [place(text, each.pattern) < end for each in terms if each.in_public]


def is_current(version: int) -> ColumnElement[bool]:
    """Return the condition on `ArchiveRow` that its entry was made by the present words and settings."""
    its = _ENTRY.c.reference == _ARCHIVE.c.reference, _ENTRY.c.version == version
    return select(1).where(*its).correlate(_ARCHIVE).exists()


def may_match(session: Session, terms: Sequence[Term]) -> ColumnElement[bool]:
    """Return the condition on SQLite's index that a text may have all terms."""
    return _matches(_sparse(session, trigrams_of(terms)))


def _matches(trigrams: Iterable[str]) -> ColumnElement[bool]:
    return TEXT.c.search_text.op("MATCH")(fts_query(trigrams))


def _sparse(session: Session, trigrams: Sequence[str]) -> Sequence[str]:
    """Return the trigrams that few texts have. One that nearly all texts have takes longest to read and excludes least.

    The 200th newest text of a trigram says how sparse it is: it is the older, the fewer texts have it.
    """
    if len(trigrams) <= _FEW_TRIGRAMS:
        return trigrams
    newest = session.connection().execute(select(func.max(_ENTRY.c.id))).scalar() or 0
    reaches = {each: newest - (_oldest(session, each) or 0) for each in trigrams}
    return [each for each in trigrams if reaches[each] * _SPARSE >= max(reaches.values())]


def _oldest(session: Session, trigram: str) -> int | None:
    """Return the 200th newest text with a trigram, None if it has fewer."""
    its = TEXT.c.rowid
    found = select(its).where(_matches([trigram])).order_by(its.desc()).limit(1).offset(_NEWEST - 1)
    oldest: int | None = session.connection().execute(found).scalar()
    return oldest
