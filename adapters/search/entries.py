"""Writes the entries of archives, in the transactions that write what the entries follow from.

Statements are made once and run without the ORM, since each archive takes several. `write` makes many entries at once,
by a few queries for all of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy
import sqlmodel
from sqlalchemy import ColumnElement, bindparam, case, delete, func, select, update
from sqlmodel import Session, SQLModel, col

from adapters.database.pipeline import UNREAD
from adapters.database.transactions import streamed, upsert
from adapters.search.attention import NEEDS_ATTENTION, OF_DELIVERIES
from adapters.search.templates import Held, held
from adapters.settings.settings import settings
from domain import search
from domain.archive.rows import Rows
from domain.person import person_facets
from domain.retention import due, field_of
from domain.titles import title_of, title_payment
from models.archive.archive import ArchiveRow, FormFieldRow, WarningRow
from models.archive.content import SignedDocumentRow
from models.archive.session import SessionRow
from models.columns import table_of
from models.discrepancies import DiscrepancyRow, DiscrepancyState
from models.payments import PaymentRow
from models.runs.receipt import VersionRow
from models.search import FacetValueRow, Kind, Searchable, SearchEntryRow, SearchFacetRow
from models.sources import SourceTerms
from models.store.condition import ConditionRow, Subject
from models.titles import Title
from models.views.archives.archives import ArchiveSummary

_ENTRY = table_of(SearchEntryRow)
_FACET = table_of(SearchFacetRow)
_VERSION = table_of(VersionRow)
_SKELETONS_AT_ONCE = 4
_ID = select(_ENTRY.c.id).where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
_LOCKED = _ID.with_for_update()
_KNOWN = (
    select(_ENTRY.c.id, _FACET.c.kind, _FACET.c.facet)
    .join_from(_ENTRY, _FACET, _FACET.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
)
_NEEDS_ATTENTION = (str(Kind.ATTENTION), search.facet(Kind.ATTENTION, True))
_IS_LISTED = sqlalchemy.exists().where(
    _ENTRY.c.reference == col(ArchiveRow.reference),
    _FACET.c.entry_id == _ENTRY.c.id,
    sqlalchemy.tuple_(_FACET.c.kind, _FACET.c.facet) == _NEEDS_ATTENTION,
)
_ASKED = sqlalchemy.select(NEEDS_ATTENTION, *OF_DELIVERIES.values(), _IS_LISTED).where(
    col(ArchiveRow.reference) == bindparam("its_reference", type_=sqlalchemy.String())
)
_ASKED_OF_MANY = sqlalchemy.select(col(ArchiveRow.reference), NEEDS_ATTENTION, *OF_DELIVERIES.values())
_LOCK_OF_ADDING = 0x5EA7C4  # the first of two numbers of an advisory lock; any that no other code uses
_ADDING = sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock, hashtext(:reference))").execution_options(**UNREAD)
_REMOVED = delete(_FACET).where(
    _FACET.c.entry_id == bindparam("its_entry"),
    _FACET.c.kind == bindparam("its_kind"),
    _FACET.c.facet == bindparam("its_facet"),
)
_IS_CURRENT = _ENTRY.c.version == bindparam("its_version", type_=sqlalchemy.BigInteger())
_TEXT = (
    update(_ENTRY)
    .where(
        _ENTRY.c.id == bindparam("its_entry"),
        (_ENTRY.c.text != bindparam("new_text"))
        | _ENTRY.c.title.is_distinct_from(bindparam("new_title", type_=sqlalchemy.String()))
        | ~_IS_CURRENT,
    )
    .values(
        text=bindparam("new_text"), title=bindparam("new_title"), version=case((_IS_CURRENT, _ENTRY.c.version), else_=0)
    )
)
"""An entry of another version gets none: some of its facets are still as that version made them."""
_REWRITTEN = (
    update(_ENTRY)
    .where(_ENTRY.c.id == bindparam("its_entry"))
    .values(text=bindparam("new_text"), title=bindparam("new_title"), version=bindparam("its_version"))
)
_TITLE = select(_ENTRY.c.title).where(_ENTRY.c.reference == bindparam("its_reference", type_=sqlalchemy.String()))
_Texts = Mapping[str, tuple[str, str]]
"""The text and the title of each entry, by the reference of its archive."""


def searchable() -> Searchable:
    """Return which labels and form fields all archives are found by, and the zone of days, as the settings say."""
    made = settings()
    return Searchable(frozenset(made.search_labels), frozenset(made.search_fields), made.zone.key)


def version(session: Session) -> int:
    """Return the version of the entries that this program makes."""
    return _version(held(session))


def _version(templates: Held) -> int:
    return search.version_of(searchable(), templates.definitions)


def add(session: Session, archive: ArchiveRow) -> None:
    """Add the entry of an archive that has none, with what is known before it is loaded."""
    templates = held(session)
    texts = {archive.reference: _texts(archive, None, templates, None)}
    numbers = _add(session, [archive], texts, _version(templates))
    _replace(session, numbers[archive.reference], set(), search.archive_facets(archive))


def is_found_by(session: Session, kind: Kind, name: str) -> bool:
    """Return whether archives, be it of one template alone, are found by a label or a field."""
    wanted = searchable().with_parts(part for each in held(session).words.values() for part in each.found_by)
    return search.is_searchable(name, wanted.labels if kind is Kind.LABEL else wanted.fields)


def searchable_of(archive: ArchiveRow | ArchiveSummary, templates: Held) -> Searchable:
    """Return which labels and form fields an archive is found by."""
    return searchable().with_parts(templates.of(archive.template_id).found_by)


def _texts(archive: ArchiveRow, rows: Rows | None, templates: Held, booked: Rows | None) -> tuple[str, str]:
    """Return the text and the title of an entry. `booked` are the rows with the payments that a title names."""
    words = templates.of(archive.template_id)
    title = title_of(archive.template_id, booked, words, archive.process_number).model_dump_json(exclude_defaults=True)
    return search.text_of(archive, rows, searchable_of(archive, templates), words), title


def _add(session: Session, archives: Iterable[ArchiveRow], texts: _Texts, version: int) -> dict[str, int]:
    """Add entries, and return their ids. Of two archives of the same moment, one gets the id, the other the next."""
    numbers: dict[str, int] = {}
    left = {each.reference: search.ids_for(each.reference, each.received_at) for each in archives}
    statement = upsert(session, SearchEntryRow).on_conflict_do_nothing(index_elements=["id"])
    while left:
        rows = [
            {"id": next(ids), "reference": reference, "version": version}
            | dict(zip(("text", "title"), texts[reference], strict=True))
            for reference, ids in left.items()
        ]
        added = session.connection().execute(statement.returning(_ENTRY.c.reference, _ENTRY.c.id), rows)
        numbers |= {each.reference: each.id for each in added}
        left = {reference: ids for reference, ids in left.items() if reference not in numbers}
    return numbers


def set_archive(session: Session, archive: ArchiveRow) -> None:
    """Make the facets of an archive those of its row."""
    set_facets(session, archive.reference, search.archive_facets(archive))


def set_payload(session: Session, archive: ArchiveRow, rows: Rows, terms: SourceTerms) -> None:
    """Make text, title, facets and retention of an archive those of the rows of its current version.

    Args:
        terms: those of the source of the archive.
    """
    number, known = _known(session, archive.reference)
    if number is None:
        return
    templates = held(session)
    _set_due(archive, rows, templates, terms)
    text, title = _texts(archive, rows, templates, rows)
    made = {"new_text": text, "new_title": title, "its_version": _version(templates)}
    session.connection().execute(_TEXT, {"its_entry": number, **made})
    facets = search.payload_facets(rows, searchable_of(archive, templates))
    _set(session, archive.reference, number, known, {**search.archive_facets(archive), **facets})
    _add_values(session, search.facet_values(rows, templates.of(archive.template_id).facets))


def add_person(session: Session, reference: str, facets: Iterable[int]) -> None:
    """Let an archive be found by whoever one more version of it names: a person may stand in an older one alone."""
    if (number := entry_id(session, reference)) is not None:
        _change(session, set(), _listed(number, {Kind.PERSON: frozenset(facets)}))


def _set_due(archive: ArchiveRow, rows: Rows | None, templates: Held, terms: SourceTerms) -> None:
    """Say what is due of an archive, and when, by the rule of its template, else that of its source.

    A process ends with its newest submission, and before it arrives. Nothing is due before the archive is loaded.
    """
    rule, rows = templates.of(archive.template_id).retention or terms.retention, rows or {}
    values = [each["value"] for each in search.rows_of(rows, FormFieldRow) if each["id"] == field_of(rule)]
    submitted = [each["submitted_at"] for each in search.rows_of(rows, SessionRow) if each["submitted_at"]]
    ended_at = min(max(submitted, default=archive.received_at), archive.received_at)
    found = due(rule, values, ended_at, ZoneInfo(terms.timezone)) if rows else None
    archive.due_action, archive.due_at = (found.action, found.at) if found else (None, None)


def set_payments(session: Session, reference: str, payments: Sequence[Mapping[str, Any]]) -> None:
    """Make the facets of an archive those of the standings of its payments, and let its title name one of these."""
    set_facets(session, reference, search.facets_of(Kind.STANDING, (each["standing"] for each in payments)))
    found = session.connection().execute(_TITLE, {"its_reference": reference}).scalar()
    title = Title.model_validate_json(found or "{}")
    if title.payment:
        changed = title.model_copy(update={"payment": title_payment(payments)}).model_dump_json(exclude_defaults=True)
        its = _ENTRY.c.reference == reference, _ENTRY.c.title != changed
        session.connection().execute(update(_ENTRY).where(*its).values(title=changed))


def _add_values(session: Session, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Add the values that lists show for facets, in order, so that two transactions cannot deadlock."""
    if values:
        added = upsert(session, FacetValueRow).on_conflict_do_nothing()
        session.connection().execute(added, [values[each] for each in sorted(values)])


def set_discrepancies(session: Session, references: Iterable[str]) -> None:
    """Make the facets of archives those of their discrepancies that are not closed."""
    for reference in sorted(references):
        its = (col(DiscrepancyRow.reference) == reference, col(DiscrepancyRow.state) != DiscrepancyState.CLOSED)
        codes = session.connection().execute(select(col(DiscrepancyRow.code)).where(*its).distinct()).scalars()
        set_facets(session, reference, search.facets_of(Kind.DISCREPANCY, codes))


def set_facets(session: Session, reference: str, facets: search.Facets) -> None:
    """Make the facets of an archive, of the kinds that are named, exactly these. What is right stays untouched.

    An archive without an entry is skipped: it gets its entry with all facets.
    """
    number, known = _known(session, reference)
    if number is not None:
        _set(session, reference, number, known, facets)


def set_attention(session: Session, reference: str) -> None:
    """Let an archive be found by whether a person should look at it now. Called when a cause has come or gone.

    An archive that needs nobody, and did not before, is done with: whoever adds a cause meanwhile calls this too. Else
    the entry is locked first, since the causes are in several tables, and others may write these at the same time.
    """
    session.flush()
    connection, its = session.connection(), {"its_reference": reference}
    if not any(connection.execute(_ASKED, its).first() or ()):
        return
    connection.execute(_LOCKED, its)
    number, known = _known(session, reference)
    if number is not None:
        found = connection.execute(_ASKED, its).first() or (False,)
        _replace(session, number, known, _attention_facets(found))


def _attention_facets(found: Sequence[bool]) -> search.Facets:
    warnings = [code for code, is_warned in zip(OF_DELIVERIES, found[1:], strict=False) if is_warned]
    return search.attention_facets(bool(found[0]), warnings)


def await_adding(session: Session, reference: str) -> None:
    """Wait for the transaction that adds the entry of an archive, or let that transaction wait for this one.

    Otherwise a first delivery and a refused delivery that are registered at once would not see each other. A row that
    is not committed cannot be locked. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(_ADDING, {"lock": _LOCK_OF_ADDING, "reference": reference})


def move(session: Session, reference: str, received_at: datetime) -> None:
    """Give an archive the place in the list of the time at which it was received, if that has changed. Its text, which
    has that day, is made again.
    """
    number = entry_id(session, reference)
    if number is None or search.first_id_at(received_at) <= number < search.first_id_after(received_at):
        return
    place = next(each for each in search.ids_for(reference, received_at) if not _is_taken(session, each))
    session.connection().execute(update(_ENTRY).where(_ENTRY.c.id == number).values(id=place, version=0))
    session.connection().execute(update(_FACET).where(_FACET.c.entry_id == number).values(entry_id=place))


def entry_id(session: Session, reference: str) -> int | None:
    """Return the id of the entry of an archive, None if it has none yet."""
    found: int | None = session.connection().execute(_ID, {"its_reference": reference}).scalar_one_or_none()
    return found


def _known(session: Session, reference: str) -> tuple[int | None, set[tuple[str, int]]]:
    """Return the id of an entry, None if there is none, and its facets."""
    rows = session.connection().execute(_KNOWN, {"its_reference": reference}).all()
    return (rows[0][0] if rows else None), {(kind, each) for _, kind, each in rows if kind is not None}


def _set(session: Session, reference: str, number: int, known: set[tuple[str, int]], facets: search.Facets) -> None:
    _replace(session, number, known, facets)
    if _NEEDS_ATTENTION in known or search.may_need_attention(facets):
        set_attention(session, reference)


def _replace(session: Session, number: int, known: set[tuple[str, int]], facets: search.Facets) -> None:
    replaced = {(number, kind, each) for kind, each in known if kind in facets}
    _change(session, replaced, _listed(number, facets))


def _listed(number: int, facets: search.Facets) -> set[tuple[int, str, int]]:
    return {(number, str(kind), each) for kind, its in facets.items() for each in its}


def _change(session: Session, known: set[tuple[int, str, int]], wanted: set[tuple[int, str, int]]) -> None:
    removed = [dict(zip(("its_entry", "its_kind", "its_facet"), each, strict=True)) for each in sorted(known - wanted)]
    added = [dict(zip(("entry_id", "kind", "facet"), each, strict=True)) for each in sorted(wanted - known)]
    if removed:
        session.connection().execute(_REMOVED, removed, execution_options=UNREAD)
    if added:
        session.connection().execute(upsert(session, SearchFacetRow).on_conflict_do_nothing(), added)


def _is_taken(session: Session, number: int) -> bool:
    counted = select(func.count()).select_from(_ENTRY).where(_ENTRY.c.id == number)
    return bool(session.connection().execute(counted).scalar_one())


def outdate(session: Session, source: str) -> None:
    """Let the entries of a source be made again, since its terms have changed."""
    theirs = sqlmodel.select(ArchiveRow.reference).where(ArchiveRow.source == source)
    session.connection().execute(update(_ENTRY).where(_ENTRY.c.reference.in_(theirs)).values(version=0))


def lacking(session: Session) -> int:
    """Return how many archives have no entry of the present version."""
    entries = select(func.count()).select_from(_ENTRY).where(_ENTRY.c.version == version(session))
    archives = select(func.count()).select_from(ArchiveRow)
    counted = select(archives.scalar_subquery() - entries.scalar_subquery())
    found: int = session.connection().execute(counted).scalar_one()
    return found


def others(session: Session, most: int) -> list[str]:
    """Return archives whose entries have another version, as programs of before an upgrade write them after it."""
    its, own = _ENTRY.c.version, version(session)
    found = select(_ENTRY.c.reference).where((its < own) | (its > own)).limit(most)
    return list(session.connection().execute(found).scalars())


def lacking_of(session: Session, references: Sequence[str]) -> list[str]:
    """Return those of some archives that have no entry of the present version."""
    its = _ENTRY.c.reference.in_(references), _ENTRY.c.version == version(session)
    current = select(_ENTRY.c.reference).where(*its)
    return sorted({*references}.difference(session.connection().execute(current).scalars()))


def write(
    session: Session,
    references: Sequence[str],
    payments: Mapping[str, Sequence[Mapping[str, Any]]],
    terms_of: Callable[[str], SourceTerms],
) -> None:
    """Make entries and retention of archives exactly those that follow from their rows. The caller has locked the
    archives.

    Args:
        payments: those of the archives, as `payments_by_standing` returns them.
        terms_of: returns the terms of a source.
    """
    archives = session.exec(sqlmodel.select(ArchiveRow).where(col(ArchiveRow.reference).in_(references))).all()
    templates = held(session)  # asked once: entries have the version of what they were made by
    by_field = any(field_of(terms_of(each.source).retention) for each in archives)
    tables = _read_tables(templates) | ({FormFieldRow} if by_field else set())
    rows = _read_rows(session, references, tables)
    loaded = {each.reference: rows[each.reference] if each.current_receipt_id else None for each in archives}
    booked: dict[str, Rows | None] = {
        each: None if its is None else {**its, PaymentRow: list(payments.get(each, ()))} for each, its in loaded.items()
    }
    for each in archives:
        _set_due(each, loaded[each.reference], templates, terms_of(each.source))
    texts = {
        each.reference: _texts(each, loaded[each.reference], templates, booked[each.reference]) for each in archives
    }
    numbers = _write_texts(session, archives, texts, _version(templates))
    # Read before what they follow from: a facet that another transaction adds in between is kept.
    known = session.connection().execute(select(_FACET).where(_FACET.c.entry_id.in_(numbers.values()))).all()
    is_open = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED
    discrepancies = _values(session, DiscrepancyRow.reference, references, DiscrepancyRow.code, is_open)
    is_archive = col(ConditionRow.kind) == Subject.ARCHIVE
    conditions = _values(session, ConditionRow.subject, references, ConditionRow.code, is_archive)
    asked = _ASKED_OF_MANY.where(col(ArchiveRow.reference).in_(references))
    needed = {reference: found for reference, *found in session.connection().execute(asked)}
    people = defaultdict[str, frozenset[int]](frozenset)
    for version in skeletons(session, references):
        people[version.reference] |= person_facets(version.skeleton)
    facets, values = set[tuple[int, str, int]](), dict[int, Any]()
    for each in archives:
        found = booked[each.reference] or {}
        values |= search.facet_values(found, templates.of(each.template_id).facets)
        its: search.Facets = {
            **search.archive_facets(each),
            **search.payload_facets(found, searchable_of(each, templates)),
            **search.facets_of(Kind.DISCREPANCY, discrepancies[each.reference]),
            **search.facets_of(Kind.CONDITION, conditions[each.reference]),
            **_attention_facets(needed[each.reference]),
            Kind.PERSON: people[each.reference],
        }
        facets |= _listed(numbers[each.reference], its)
    _change(session, {tuple(each) for each in known}, facets)
    _add_values(session, values)


def written(session: Session, references: Iterable[str]) -> set[tuple[Any, ...]]:
    """Return what `write` has written of archives: each row after its reference and the name of its table. Archives
    whose entries have another version are left out: these are made again anyway.
    """
    its, values = table_of(ArchiveRow).c, table_of(FacetValueRow)
    is_its = its.reference.in_(references), func.coalesce(_ENTRY.c.version, version(session)) == version(session)
    asked = select(its.reference).join(_ENTRY, _ENTRY.c.reference == its.reference, isouter=True).where(*is_its)
    faceted = asked.join(_FACET, _FACET.c.entry_id == _ENTRY.c.id)
    made = {
        ArchiveRow.__tablename__: asked.add_columns(its.due_action, its.due_at),
        _ENTRY.name: asked.add_columns(_ENTRY.c.id, _ENTRY.c.text, _ENTRY.c.title),
        _FACET.name: faceted.add_columns(_FACET.c.kind, _FACET.c.facet),
        values.name: faceted.join(values, values.c.facet == _FACET.c.facet).add_columns(*values.c),
    }
    rows = ((name, row) for name, each in made.items() for row in session.connection().execute(each))
    return {(row[0], name, *row[1:]) for name, row in rows}


def is_other_value(written: Sequence[Any]) -> bool:
    """Return whether a row of what is `written` is a value that has another facet. `write` leaves it."""
    _, table, *row = written
    return bool(table == FacetValueRow.__tablename__ and search.named_facet(*row[1:]) != row[0])


def _write_texts(session: Session, archives: Iterable[ArchiveRow], texts: _Texts, version: int) -> dict[str, int]:
    """Make texts, titles and versions of entries the given ones, lock the entries, and return their ids."""
    names = (_ENTRY.c.reference, _ENTRY.c.id, _ENTRY.c.text, _ENTRY.c.title)
    asked = select(*names).where(_ENTRY.c.reference.in_(texts))
    known = session.connection().execute(asked.order_by(_ENTRY.c.reference).with_for_update()).all()
    changed = [
        {"its_entry": number, "new_text": texts[reference][0], "new_title": texts[reference][1], "its_version": version}
        for reference, number, *before in known
        if tuple(before) != texts[reference]
    ]
    if changed:
        session.connection().execute(_REWRITTEN, changed)
    numbers = {reference: number for reference, number, *_ in known}
    others = _ENTRY.c.id.in_(numbers.values()), _ENTRY.c.version != version
    session.connection().execute(update(_ENTRY).where(*others).values(version=version))
    return numbers | _add(session, (each for each in archives if each.reference not in numbers), texts, version)


def first_rows(session: Session, references: Iterable[str], most: int) -> dict[str, dict[type[SQLModel], list[Any]]]:
    """Return the rows of archives that texts are made from, `most` of a table at most."""
    return _read_rows(session, references, _read_tables(held(session)) - {SignedDocumentRow, WarningRow}, most)


def _read_tables(templates: Held) -> set[type[SQLModel]]:
    has_fields = searchable().fields or templates.definitions
    return search.COLUMNS.keys() - (set() if has_fields else {FormFieldRow})


def _read_rows(
    session: Session, references: Iterable[str], tables: Iterable[type[SQLModel]], most: int = 0
) -> dict[str, dict[type[SQLModel], list[Any]]]:
    """Return the rows of archives that entries are made from. Of a table, the first rows of an archive."""
    found: dict[str, dict[type[SQLModel], list[Any]]] = {each: {} for each in references}
    for table in tables:
        its = table_of(table)
        asked = select(its.c.reference, *(its.c[name] for name in search.COLUMNS[table])).where(
            its.c.reference.in_(found)
        )
        first = [its.c.position < most] if most else []
        rows = streamed(session, asked.where(*first).order_by(*its.primary_key))
        for reference, these in groupby(rows, key=lambda row: row[0]):
            found[reference][table] = [each._mapping for each in islice(these, most or search.MOST_ROWS)]
    return found


def skeletons(session: Session, references: Iterable[str]) -> Iterator[Any]:
    """Yield the versions of archives, newest first, with their skeletons: a few at a time, since each may have 16 MiB.

    Each has `reference`, `version`, `receipt_id` and `skeleton`.
    """
    its = _VERSION.c
    asked = select(its.reference, its.version, its.receipt_id, its.skeleton).where(its.reference.in_(references))
    newest_first = asked.order_by(its.reference, its.version.desc())
    return iter(session.connection().execute(newest_first, execution_options={"yield_per": _SKELETONS_AT_ONCE}))


def _values(
    session: Session, subject: Any, references: Iterable[str], value: Any, condition: ColumnElement[bool]
) -> defaultdict[str, list[Any]]:
    """Return the values of a column, by the archive that they are about."""
    found = defaultdict(list)
    asked = select(subject, value).where(subject.in_(references), condition)
    for reference, each in session.connection().execute(asked):
        found[reference].append(each)
    return found
