"""Reads the rows of tables for data teams in pages, each in a short transaction, so that memory stays flat."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Row, Select, Text, cast, func, literal, select, tuple_

from adapters.database.transactions import engine, reading
from models.archive.archive import ArchiveRow, FormFieldRow
from models.columns import table_of
from models.runs.receipt import ReceiptRow, VersionRow
from models.tables import TableSource

_ARCHIVE, _RECEIPT, _VERSION = (table_of(each).alias() for each in (ArchiveRow, ReceiptRow, VersionRow))
_FIELD = table_of(FormFieldRow).c
_CELLS_AT_ONCE, _MOST_AT_ONCE, _FIRST = 100_000, 10_000, 20
Where: TypeAlias = Sequence[ColumnElement[bool]]
Page: TypeAlias = list[tuple[tuple[Any, ...], list[Any]]]
ARCHIVE = _ARCHIVE.c
"""The archive of a row, for conditions. None of a table that is of no archives."""
_LEAD = (_VERSION.c.version, _RECEIPT.c.receipt_id, _RECEIPT.c.received_at)


def rows(
    source: TableSource, columns: Sequence[str], where: Sequence[ColumnElement[bool]]
) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of rows of a table, in the order of its key.

    A row begins with reference, version, receipt and its arrival, null where there are none, and ends with the key.
    """
    its = source.of.c
    keys = [its[each] for each in source.key]
    if source.is_of_archives:
        own = its.receipt_id if "receipt_id" in its else ARCHIVE.current_receipt_id
        joined: FromClause = source.of.outerjoin(_ARCHIVE, ARCHIVE.reference == its.reference)
        joined = joined.outerjoin(_RECEIPT, _RECEIPT.c.receipt_id == own)
        joined = joined.outerjoin(_VERSION, _VERSION.c.receipt_id == own)
        lead: Sequence[Any] = (func.nullif(its.reference, ""), *_LEAD)
    else:
        joined, lead = source.of, [literal(None)] * 4
    asked = select(*lead, *(its[each] for each in columns), *keys).select_from(joined).where(*where).order_by(*keys)
    most, last = min(_MOST_AT_ONCE, _CELLS_AT_ONCE // (len(columns) + 4)), None
    while True:
        page = _page(asked if last is None else asked.where(tuple_(*keys) > tuple_(*last)), most)
        if page:
            yield page
        if len(page) < most:
            return
        last = tuple(literal(value, key.type) for value, key in zip(page[-1][-len(keys) :], keys, strict=True))


def forms(template_id: str, where: Sequence[ColumnElement[bool]]) -> Iterator[Page]:
    """Yield pages of the archives of a template that have a version, in the order of references: of each what `rows`
    begins with, and its fields as lists of position, id, declared type and value.

    The fields of an archive come as one text: fetching 40 rows takes three times as long.
    """
    asked = select(ARCHIVE.reference, *_LEAD, _fields()).select_from(_ARCHIVE).where(*where)
    asked = asked.join(_RECEIPT, _RECEIPT.c.receipt_id == ARCHIVE.current_receipt_id)
    asked = asked.outerjoin(_VERSION, _VERSION.c.receipt_id == _RECEIPT.c.receipt_id)
    # The pages follow the references: by the index of templates, each page would sort all archives of the template.
    asked = asked.where(func.coalesce(ARCHIVE.template_id, "") == template_id).order_by(ARCHIVE.reference)
    most, last = _FIRST, ""
    while True:
        found = _page(asked.where(ARCHIVE.reference > last), most)
        page: Page = [(tuple(each[:-1]), json.loads(f"[{each[-1] or ''}]", parse_float=Decimal)) for each in found]
        if page:
            yield page
        if len(page) < most:
            return
        last = page[-1][0][0]
        cells = sum(len(fields) for _, fields in page) // most + 1
        most = max(1, min(_MOST_AT_ONCE, _CELLS_AT_ONCE // cells))


def _page(asked: Select[Any], most: int) -> Sequence[Row[Any]]:
    with reading() as session:
        return session.connection().execute(asked.limit(most)).all()


def _fields() -> Any:
    """Return the fields of an archive as JSON, without the brackets around them."""
    parts = (cast(_FIELD.position, Text), _json(_FIELD.id), _json(_FIELD.type), cast(_FIELD.value, Text))
    comma = literal(",")
    first, *others = (func.coalesce(each, "null", type_=Text) for each in parts)
    text = literal("[") + first
    for each in others:
        text = text + comma + each
    its = func.aggregate_strings(text + literal("]"), ",")
    return select(its).where(_FIELD.reference == ARCHIVE.reference).correlate(_ARCHIVE).scalar_subquery()


def _json(column: Any) -> Any:
    if engine().dialect.name == "postgresql":
        return cast(func.to_json(column), Text)
    return func.json_quote(column, type_=Text)
