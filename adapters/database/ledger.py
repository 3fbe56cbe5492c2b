"""Reads the ledger for data teams, in batches, into a Parquet file."""

from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Date, Integer, select

from adapters.database.transactions import reading
from models.columns import Moment
from models.payments import LEDGER

_ROWS_PER_BATCH = 20_000
_TYPES = {BigInteger: pa.int64(), Integer: pa.int32(), Date: pa.date32(), Moment: pa.timestamp("us", tz="UTC")}
SCHEMA = pa.schema(
    [pa.field(each.name, _TYPES.get(type(each.type), pa.string()), nullable=each.nullable) for each in LEDGER.columns]
)


def write_payments(file: BinaryIO, template_id: str | None, on_written: Callable[[int], None]) -> None:
    """Write the ledger as one Parquet table, in the order of references. Memory stays flat.

    Args:
        file: The target.
        template_id: If given, only payments of archives of this template are written.
        on_written: Gets the number of rows of each batch.
    """
    wanted = select(*LEDGER.columns).order_by(LEDGER.c.reference, LEDGER.c.position)
    if template_id is not None:
        wanted = wanted.where(LEDGER.c.template_id == template_id)
    with reading() as session, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        found = session.connection().execution_options(yield_per=_ROWS_PER_BATCH).execute(wanted)
        for rows in found.mappings().partitions():
            writer.write_batch(pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=SCHEMA))
            on_written(len(rows))
