"""Writes tables as Parquet and CSV, piece by piece: Arrow batches in, bytes out."""

import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.lists.list_files import line_of_csv
from domain.tables.values import MOST_DIGITS, SCALE, plain_text
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


_WRITERS = {"parquet": _parquet, "csv": _csv}


def written(ending: str, columns: Iterable[Column], batches: Batches) -> Iterator[bytes]:
    """Return the pieces of a file with a table: `parquet` or `csv`."""
    return _WRITERS[ending](schema_of(columns), batches)
