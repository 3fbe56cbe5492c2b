"""Reads the rows of tables for data teams in pages, each in a short transaction, so that memory stays flat.

A page is cut before anything is joined to it or left out of it: it follows the key, whatever the planner expects of a
condition. With the condition first, Postgres sorted all rows that were left for each page.
"""

import json
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Text, and_, asc, case, cast, desc, func, literal, or_, select, tuple_

from adapters.database.connections import engine
from adapters.database.transactions import json_text, reading
from models.archive.archive import ArchiveRow, FormFieldRow
from models.columns import table_of
from models.runs.receipt import ReceiptRow, VersionRow
from models.tables import TableSource

Where: TypeAlias = Sequence[ColumnElement[bool]]
Page: TypeAlias = list[tuple[tuple[Any, ...], list[Any]]]
_ARCHIVE, _RECEIPT, _VERSION = (table_of(each).alias() for each in (ArchiveRow, ReceiptRow, VersionRow))
_FIELD = table_of(FormFieldRow).c
_CELLS_AT_ONCE, _MOST_AT_ONCE, _SAMPLE = 100_000, 10_000, 200
ARCHIVE = _ARCHIVE.c
"""The archive of a row, for conditions. None of a table that is of no archives."""
_LEAD = (_VERSION.c.version, _RECEIPT.c.receipt_id, _RECEIPT.c.received_at)


def rows(
    source: TableSource, columns: Sequence[str], own: Where, where: Where, *, from_end: int = 0
) -> Iterator[list[Any]]:
    """Yield pages of rows of a table, in the order of its key.

    A row begins with reference, version, receipt and its arrival, null where there are none; then come the columns.

    Args:
        own: conditions on the rows themselves, which most rows meet, or which an index finds.
        where: conditions on their archives.
        from_end: how many rows a page has that goes from the end of the table to its beginning; 0: forward.
    """
    its, keys = source.of.c, [source.of.c[each] for each in source.key]
    along: Callable[[Any], Any] = desc if from_end else asc
    beyond = operator.lt if from_end else operator.gt
    named = dict.fromkeys((*columns, *source.key, *({"reference", "receipt_id"} & {*its.keys()})))
    page = select(*(its[each] for each in named)).where(*own).order_by(*map(along, keys))
    most, after = from_end or min(_MOST_AT_ONCE, _CELLS_AT_ONCE // (len(columns) + 4)), list[Any]()
    while True:
        cut = page.where(*after).limit(most).subquery()
        order, lead = [cut.c[each] for each in source.key], list[Any]([literal(None)] * 4)
        joined: FromClause = cut
        if source.is_of_archives:
            joined = cut.outerjoin(_ARCHIVE, ARCHIVE.reference == cut.c.reference)
            joined = _with_version(joined, cut.c.receipt_id if "receipt_id" in its else ARCHIVE.current_receipt_id)
            lead = [func.nullif(cut.c.reference, ""), *_LEAD]
        asked: Any = select(*lead, *(cut.c[each] for each in columns), *order, and_(literal(1) == 1, *where))
        found = _all(asked.select_from(joined).order_by(*map(along, order)))
        yield [each for each in found if each[-1]]
        if len(found) < most:
            return
        last = zip(found[-1][-1 - len(keys) : -1], keys, strict=True)
        after = [beyond(tuple_(*keys), tuple_(*(literal(value, key.type) for value, key in last)))]


def forms(template_id: str, own: Where, where: Where, elements: Collection[str | None] | None = None) -> Iterator[Page]:
    """Yield pages of the archives of a template that have a version, in the order of references: of each what `rows`
    begins with, and its fields as lists of position, id, declared type and value.

    The fields of an archive come as one text: fetching 40 rows takes three times as long. Conditions are as for `rows`.

    Args:
        elements: the ids of the fields that are wanted, None for all.
    """
    which = [] if elements is None else [or_(*(_FIELD.id.is_not_distinct_from(each) for each in elements))]
    sample = select(ARCHIVE.reference).where(ARCHIVE.template_id == template_id).limit(_SAMPLE)
    [(last_place,)] = _all(select(func.max(_FIELD.position)).where(_FIELD.reference.in_(sample)))
    is_wanted = and_(ARCHIVE.template_id == template_id, ARCHIVE.current_receipt_id.is_not(None), *where)
    its = select(ARCHIVE.reference, ARCHIVE.current_receipt_id, is_wanted.label("is_wanted")).where(*own)
    widest, last = (last_place or 0) + 1 if elements is None else len(elements), ""
    while True:
        most = max(1, min(_MOST_AT_ONCE, _CELLS_AT_ONCE // widest))
        cut = its.where(ARCHIVE.reference > last).order_by(ARCHIVE.reference).limit(most).subquery()
        asked = select(cut.c.reference, *_LEAD, case((cut.c.is_wanted, _fields(cut, which))), cut.c.is_wanted)
        found = _all(asked.select_from(_with_version(cut, cut.c.current_receipt_id)).order_by(cut.c.reference))
        page: Page = [(tuple(lead), json.loads(f"[{text or ''}]")) for *lead, text, is_its in found if is_its]
        if page:
            yield page
        if len(found) < most:
            return
        last, widest = found[-1][0], max([widest, *(len(fields) for _, fields in page)])


def _with_version(joined: FromClause, receipt_id: Any) -> FromClause:
    with_receipt = joined.outerjoin(_RECEIPT, _RECEIPT.c.receipt_id == receipt_id)
    return with_receipt.outerjoin(_VERSION, _VERSION.c.receipt_id == receipt_id)


def _all(asked: Any) -> Sequence[Any]:
    with reading() as session:
        return session.connection().execute(asked).all()


def _fields(archives: FromClause, which: Where) -> Any:
    """Return the fields of each archive as JSON, without the brackets around them."""
    value = json_text(_FIELD.value, engine().dialect.name)
    parts = (cast(_FIELD.position, Text), _json(_FIELD.id), _json(_FIELD.type), value)
    first, *others = (func.coalesce(each, "null", type_=Text) for each in parts)
    text = literal("[") + first
    for each in others:
        text = text + literal(",") + each
    its = func.aggregate_strings(text + literal("]"), ",")
    return select(its).where(_FIELD.reference == archives.c.reference, *which).correlate(archives).scalar_subquery()


def _json(column: Any) -> Any:
    if engine().dialect.name == "postgresql":
        return cast(func.to_json(column), Text)
    return func.json_quote(column, type_=Text)
