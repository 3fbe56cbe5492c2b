"""Writes tables as Parquet, CSV and workbooks, piece by piece: Arrow batches in, bytes out."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.lists.list_files import line_of_csv, plain_cell
from domain.tables.values import MOST_DIGITS, SCALE, plain_text
from models.errors import Refused
from models.tables import Column, ColumnType

Batches: TypeAlias = Iterable[pa.RecordBatch]
_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.DECIMAL: pa.decimal128(MOST_DIGITS, SCALE),
    ColumnType.DATE: pa.date32(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.LOCATION: pa.float64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TIME: pa.timestamp("us", tz="UTC"),
}
_CELLS_PER_GROUP = 1_000_000
_MOST_ROWS, _MOST_TEXT = 1_048_576, 32_767
_EXACT_DIGITS = 15
"""A spreadsheet keeps so many digits of a number. Longer ones are text."""
_UNPRINTABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)], "\ufffd")
_MIDNIGHT, _FIRST_DAY = datetime(1899, 12, 30), date(1900, 3, 1)  # noqa: DTZ001 -- cells have no zone
"""Spreadsheets count days from the first, and count one too many before the second."""
_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default '
    'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
    'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main'
    '+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.'
    'openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    'Type="{office}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Table" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/styles.xml": '<styleSheet xmlns="{main}"><numFmts><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/><numFmt '
    'numFmtId="165" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts><fonts><font/></fonts><fills><fill><patternFill/>'
    '</fill></fills><borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/><xf numFmtId="164" '
    'applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/></cellXfs><cellStyles><cellStyle name="Normal" '
    'xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_NAMES = {
    "main": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "office": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
}


class _Sink(io.RawIOBase):
    """A file that is handed on piece by piece."""

    def __init__(self) -> None:
        self._written = list[bytes]()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._written.append(bytes(data))
        return len(self._written[-1])

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def schema_of(columns: Iterable[Column], meaning: str = "") -> pa.Schema:
    """Return the Arrow schema of columns, with what each means; with what a row means if that is given."""
    fields = [pa.field(each.name, _ARROW.get(each.type, pa.string()), metadata=_about(each)) for each in columns]
    return pa.schema(fields, {"description": meaning} if meaning else None)


def _about(column: Column) -> dict[str, str]:
    meaning = " · ".join(dict.fromkeys(filter(None, (column.description, column.names.he))))
    return {"description": meaning} | ({"personal": "true"} if column.is_personal else {})


def batch_of(schema: pa.Schema, values: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Return values, column by column, as an Arrow batch."""
    arrays = [pa.array(its, field.type) for its, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _parquet(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink, held, rows = _Sink(), list[pa.RecordBatch](), 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for each in batches:
            held.append(each)
            rows += each.num_rows
            if rows * len(schema) >= _CELLS_PER_GROUP:
                writer.write_table(pa.Table.from_batches(held, schema))
                held, rows = [], 0
                yield sink.taken()
        writer.write_table(pa.Table.from_batches(held, schema))
    yield sink.taken()


def _csv(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    yield ("\N{BYTE ORDER MARK}" + line_of_csv(schema.names)).encode()  # else Excel misreads Hebrew
    for each in batches:
        yield "".join(line_of_csv(map(_plain, row)) for row in _rows(each)).encode(errors="replace")


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(each.to_pylist() for each in batch.columns), strict=True)


def _plain(value: Any) -> Any:
    """Return a value as a file of text has it: flags in small letters, decimals without zeros at their end."""
    if isinstance(value, bool):
        return str(value).lower()
    return Decimal(plain_text(value)) if isinstance(value, Decimal) else value


def _xlsx(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, part in _PARTS.items():
            book.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{part.format(**_NAMES)}')
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{_NAMES["main"]}"><sheetData>{_xml(schema.names)}'.encode())
            rows = 1
            for each in batches:
                if (rows := rows + each.num_rows) > _MOST_ROWS:
                    most = f"a workbook has at most {_MOST_ROWS:,} rows; export the table as .parquet or .csv"
                    raise Refused("NOT_SUPPORTED", most)
                sheet.write("".join(map(_xml, _rows(each))).encode())
                yield sink.taken()
            sheet.write(b"</sheetData></worksheet>")
    yield sink.taken()


def _xml(row: Iterable[Any]) -> str:
    return f"<row>{''.join(map(_xml_cell, row))}</row>"


def _xml_cell(value: Any) -> str:
    """Return a cell of a sheet. A text is never a formula; a text that is too long for a cell ends with an ellipsis."""
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{value:d}</v></c>'
        case datetime() if value.date() >= _FIRST_DAY:
            value = value.astimezone(UTC).replace(tzinfo=None)
            return f'<c s="2"><v>{(value - _MIDNIGHT) / timedelta(days=1)!r}</v></c>'
        case date() if not isinstance(value, datetime) and value >= _FIRST_DAY:
            return f'<c s="1"><v>{(value - _MIDNIGHT.date()).days}</v></c>'
        case int() | float() | Decimal() if len(str(abs(value := _plain(value)))) <= _EXACT_DIGITS:
            return f"<c><v>{value}</v></c>"
    text = plain_cell(value.translate(_UNPRINTABLE)) if isinstance(value, str) else str(value)
    if len(text) > _MOST_TEXT:
        text = f"{text[: _MOST_TEXT - 1]}…"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


_WRITERS = {"parquet": _parquet, "csv": _csv, "xlsx": _xlsx}


def written(ending: str, columns: Iterable[Column], batches: Batches) -> Iterator[bytes]:
    """Return the pieces of a file with a table: `parquet`, `csv` or `xlsx`.

    Raises Refused if the table has too many rows for a workbook. Also after some pieces.
    """
    return _WRITERS[ending](schema_of(columns), batches)
