"""Opens tables for data teams: one definition of their columns, and one reader of batches, for each way out.

What is personal is hidden here, by the role of the caller, and a caller with a scope gets rows of its archives alone.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ColumnElement, or_, select
from sqlmodel import col

from adapters.database import table_rows
from adapters.database.table_rows import Where
from adapters.database.transactions import pages, reading
from adapters.search.pages import matching
from adapters.search.templates import newest_of
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import form_columns
from domain.access import read_treatments
from domain.tables.catalogue import ENTRY, LEAD, SOURCES, UNFIT, columns_of
from domain.tables.columns import FieldId, Fields, Values, columns_of_form, entries, filled, see, settled, shown_columns
from domain.tables.columns import described as described_columns
from domain.tables.columns import shown_values as values_as_shown
from domain.tables.names import form_table
from domain.tables.values import Seen
from models.access import Caller
from models.archive.archive import ArchiveRow
from models.errors import Refused
from models.messages.notification import EventRow, EventType
from models.tables import NO_NAMES, Column, ColumnType, Described, FormColumnRow, Treatment
from models.templates import Names
from services.access.scope import facets_of_scope, findings_seen, messages_seen
from services.templates import called, chosen_parts, name_of, words_of

if TYPE_CHECKING:
    import pyarrow as pa

UNFIT_VALUES, DICTIONARY = "unfit_values", "dictionary"
_NO_TEMPLATE = "no archive has this template; `cellar templates list` names the templates"
_MOST_LISTED = 500
_ARCHIVES_AT_ONCE = 1000
_MOST_COUNTED = 1000
"""In how many rows of a table, the last by its key, values are counted; of a form table, the newest."""
References: TypeAlias = Collection[str] | None
"""The archives whose rows are read, with an empty text for rows of no archive; None: all rows."""


@dataclass(frozen=True, slots=True)
class ListedTable:
    """A table in a list. `template_id` and `called` are those of a form table's template."""

    name: str
    template_id: str | None = None
    called: Names = NO_NAMES


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table with its columns, as a caller gets them, and its rows in batches, which can be read once."""

    name: str
    columns: tuple[Column, ...]
    batches: "Iterator[pa.RecordBatch]"


@dataclass(frozen=True, slots=True)
class OpenForm:
    """The form table of a template, whose columns are settled, as a caller gets it."""

    template_id: str
    caller: Caller
    fields: Sequence[FormColumnRow]

    @property
    def meaning(self) -> str:
        its, name = f"a row for each archive of {self.template_id}", name_of(self.template_id, self.caller)
        return " · ".join(dict.fromkeys(filter(None, (its, name.en, name.he)))) if name.is_public else its

    @property
    def columns(self) -> tuple[Column, ...]:
        return shown_columns(self._whole, _treatment(self.caller))

    @property
    def _whole(self) -> tuple[Column, ...]:
        return (*LEAD, *columns_of_form(self.fields, words_of(self.template_id)))

    def read(self, references: References) -> "Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]":
        """Yield batches of rows, each with the rows that `unfit_values` has of the same archives."""
        columns, how = self._whole, _treatment(self.caller)
        for values, unfit in _form(self.template_id, self.fields, self.caller, references):
            yield _batch(columns, values, how), _batch(UNFIT, unfit, how)


def listed(caller: Caller) -> list[ListedTable]:
    """Return the tables that a caller may have: the catalogue, then those of 500 templates at most."""
    fixed = [name for name in SOURCES if _is_for(caller, name)]
    ids = template_ids(caller)[:_MOST_LISTED]
    forms = [ListedTable(form_table(each), each, called(each, caller)) for each in ids]
    return [*map(ListedTable, (*fixed, UNFIT_VALUES, DICTIONARY)), *forms]


def opened(name: str | None, template_id: str | None, caller: Caller, references: References = None) -> OpenTable:
    """Open a table of the catalogue, of the archives of a template if that is given; or without a name, the form table
    of the template, whose columns are settled first by all archives that are read.

    Raises:
        Refused: there is no such table for the caller, or no such template.
        Transient: database or store does not answer.
    """
    if name == UNFIT_VALUES:
        forms = (form(each, caller, references) for each in ([template_id] if template_id else template_ids(caller)))
        return OpenTable(name, UNFIT, (unfit for each in forms for _, unfit in each.read(references)))
    if name == DICTIONARY:
        return dictionary(caller, [template_id] if template_id else template_ids(caller))
    if name is not None:
        return _table(name, *_of_catalogue(name, template_id, caller, references), caller)
    if template_id is None:
        raise Refused("BAD_PARAMETER", "expected the name of a table or a template")
    its = form(template_id, caller, references)
    if not its.fields and template_id not in template_ids(caller):
        raise Refused("UNKNOWN_TEMPLATE", _NO_TEMPLATE, status=404)
    return OpenTable(form_table(template_id), its.columns, (batch for batch, _ in its.read(references)))


def dictionary(caller: Caller, ids: Collection[str]) -> OpenTable:
    """Open the table that describes the columns of all tables, of those of templates only these."""
    fixed = [name for name in SOURCES if _is_for(caller, name)]
    tables = [*((each, None) for each in (*fixed, UNFIT_VALUES, DICTIONARY)), *((None, each) for each in ids)]

    def values() -> Iterator[Values]:
        for name, template_id in tables:
            with suppress(Refused):  # no archive has the template any longer
                its = described(name, template_id, caller)
                yield entries(name or form_table(template_id or ""), its, settings().zone.key)

    return _table(DICTIONARY, ENTRY, values(), caller)


def described(name: str | None, template_id: str | None, caller: Caller) -> list[Described]:
    """Return the columns of a table as a caller gets them, with the share of its last rows that have a value, and since
    and until when these arrived.

    No rows of `dictionary` and `unfit_values` are counted. The columns of a form table are those that were settled, and
    what the newest archives would add: as long as nobody has exported it, all of it may become different.

    Raises as `opened` does.
    """
    if name in (UNFIT_VALUES, DICTIONARY):
        return [Described(each) for each in (UNFIT if name == UNFIT_VALUES else ENTRY)]
    if name is not None:
        its = _of_catalogue(name, None, caller, None, from_end=_MOST_COUNTED)
    else:
        its = _newest(template_id or "", caller)
    return described_columns(*its, _treatment(caller), _MOST_COUNTED)


def _newest(template_id: str, caller: Caller) -> tuple[Sequence[Column], Iterator[Values]]:
    """Return the columns of a form table, and the values of the newest archives. What these add is not kept."""
    with reading() as session:
        references = newest_of(session, template_id, facets_of_scope(caller), _MOST_COUNTED)
    if not references:
        raise Refused("UNKNOWN_TEMPLATE", _NO_TEMPLATE, status=404)
    kept, _, decide = _decision(template_id, caller, references)
    there = {each.key for each in kept}
    rows = [*kept, *(each for each in decide(kept) if each.key not in there)]
    columns = (*LEAD, *columns_of_form(rows, words_of(template_id)))
    return columns, (values for values, _ in _form(template_id, rows, caller, references))


def form(template_id: str, caller: Caller, references: References = None) -> OpenForm:
    """Open the form table of a template, after settling its columns by what all its archives have.

    Of some archives, those are read alone. Fields whose columns these would change are read in all archives, which may
    find that few values of all do not fit.

    For a caller with a scope, the columns follow from its archives alone, and are not kept: columns that others have
    filled would tell of these.
    """
    kept, seen, decide = _decision(template_id, caller, references)
    if references is not None:
        keys = {each.key for each in kept}
        if changed := {each.element for each in decide(kept) if each.key in keys}:
            seen |= _seen(template_id, caller, None, _full(kept), changed)
    fields = decide([]) if caller.is_scoped else form_columns.settle(form_table(template_id), decide)
    return OpenForm(template_id, caller, fields)


def _decision(
    template_id: str, caller: Caller, references: References
) -> tuple[Sequence[FormColumnRow], dict[FieldId, Seen], form_columns.Decide]:
    """Return the columns of a template's table so far, what archives have in their fields, and what follows of it."""
    kept = [] if caller.is_scoped else form_columns.kept(form_table(template_id))
    seen = _seen(template_id, caller, references, _full(kept))
    return kept, seen, partial(settled, template_id, seen=seen, words=words_of(template_id))


def _full(kept: Sequence[FormColumnRow]) -> set[FieldId]:
    """Return the fields that nothing widens, and nothing makes more personal."""
    return {(each.element, each.occurrence) for each in kept if each.type == ColumnType.TEXT and each.is_personal}


def _seen(
    template_id: str,
    caller: Caller,
    references: References,
    full: Collection[FieldId],
    elements: Collection[str | None] | None = None,
) -> dict[FieldId, Seen]:
    """Return what the archives of a template have in their fields, or in some of these."""
    seen, where, chosen = dict[FieldId, Seen](), _scope(caller), chosen_parts(template_id)
    for own in _own(table_rows.ARCHIVE.reference, references):
        for page in table_rows.forms(template_id, own, where, elements):
            see(seen, (fields for _, fields in page), full, chosen)
    return seen


def template_ids(caller: Caller) -> list[str]:
    """Return the templates of the archives that a caller sees."""
    its = col(ArchiveRow.template_id)
    with reading() as session:
        asked = select(its).where(its.is_not(None), *matching(session, facets_of_scope(caller), ())).distinct()
        return [each for each in session.connection().execute(asked.order_by(its)).scalars() if each]


def _is_for(caller: Caller, name: str) -> bool:
    return SOURCES[name].is_of_archives or not caller.is_scoped


def _scope(caller: Caller) -> list[ColumnElement[bool]]:
    """Return the conditions on the archives of rows that a caller sees."""
    with reading() as session:
        found = matching(session, facets_of_scope(caller), ())
    its = select(col(ArchiveRow.reference)).where(*found)
    return [table_rows.ARCHIVE.reference.in_(its)] if found else []


def _own(reference: Any, references: References) -> Iterator[Where]:
    """Yield the conditions by which the rows of some archives are read, part by part; none for all rows."""
    if references is None:
        yield ()
    for page in pages(references or (), _ARCHIVES_AT_ONCE):
        its = reference.in_(page)
        yield (or_(its, reference.is_(None)) if "" in page else its,)


def _of_catalogue(
    name: str, template_id: str | None, caller: Caller, references: References, *, from_end: int = 0
) -> tuple[Sequence[Column], Iterator[Values]]:
    source, where = SOURCES.get(name), _scope(caller)
    if source is None or not _is_for(caller, name) or (template_id and not source.is_of_archives):
        known = ", ".join((*SOURCES, UNFIT_VALUES, DICTIONARY))
        raise Refused("BAD_PARAMETER", f"expected one of {known}", status=404)
    if template_id:
        where = [*where, table_rows.ARCHIVE.template_id == template_id]
    own = dict[str, Sequence[ColumnElement[bool]]]()
    if caller.is_scoped:
        no_attention = (col(EventRow.type) != EventType.ARCHIVE_ATTENTION,)
        own = {"discrepancies": findings_seen(caller), "messages": messages_seen(caller), "events": no_attention}
    # The codes of a payment's discrepancies name duplicates, whose other archive may be one of others.
    hidden = "payments.discrepancies" if caller.is_scoped else ""
    columns, lead = [each for each in columns_of(name) if f"{name}.{each.name}" != hidden], len(LEAD) - 1
    no_archive: list[Where] = [()] if references is None or "" in references else []
    parts = _own(source.of.c.reference, references) if source.is_of_archives else no_archive
    names, seen = [each.name for each in columns], own.get(name, ())
    read = partial(table_rows.rows, source, names, where=where, from_end=from_end)
    found = (page for its in parts for page in read((*seen, *its)))
    transposed = (list(zip(*page, strict=True)) for page in found if page)
    values = ([*_lead(its[:lead]), *its[lead : lead + len(columns)]] for its in transposed)
    return (*LEAD, *columns), values


def _lead(values: Sequence[Sequence[Any]]) -> Values:
    """Return the values of the first columns. `values` are those of all but the last of these."""
    return [*values, [each and settings().dossier_url(each) for each in values[0]]]


def _form(
    template_id: str, rows: Sequence[FormColumnRow], caller: Caller, references: References
) -> Iterator[tuple[Values, Values]]:
    """Yield the values of a form table, and those of its unfit values."""
    where, parts = _scope(caller), _own(table_rows.ARCHIVE.reference, references)
    for page in (page for own in parts for page in table_rows.forms(template_id, own, where)):
        archives: list[Fields] = [fields for _, fields in page]
        lead = _lead(list(zip(*(each for each, _ in page), strict=True)))
        values, unfit = filled(rows, archives)
        lost = [(*(its[at] for its in lead), template_id, column, place) for at, column, place in unfit]
        yield [*lead, *values], [[row[number] for row in lost] for number in range(len(UNFIT))]


def _table(name: str, columns: Sequence[Column], values: Iterator[Values], caller: Caller) -> OpenTable:
    how = _treatment(caller)
    return OpenTable(name, shown_columns(columns, how), (_batch(columns, each, how) for each in values))


def _treatment(caller: Caller) -> Treatment:
    return read_treatments(settings().tables_personal).get(caller.role, Treatment.WHOLE)


def _batch(columns: Sequence[Column], values: Values, how: Treatment) -> "pa.RecordBatch":
    from adapters.lists.table_files import batch_of, schema_of  # noqa: PLC0415 -- pyarrow is slow to import

    shown = values_as_shown(columns, values, how, lambda text: seals.fingerprint(f"table:{text}"))
    return batch_of(schema_of(shown_columns(columns, how)), shown)
