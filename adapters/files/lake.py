"""Tables of the lake: Delta tables in a folder or bucket, whose commits also say how far a publisher has come.

Each commit of ours has the number of the version that it makes. Where the last version has none, another program wrote
it, or an erasure was not ended: then nobody knows what the table has, and it has no position. Of two publishers, the
second to commit fails. Our errors repeat no text of `deltalake`'s errors, which may show the rows that were written.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pyarrow as pa

from adapters.files import bucket
from adapters.settings.settings import settings
from models.errors import CellarError, Conflict, Transient, WrongUse

try:
    from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
except ModuleNotFoundError:
    needed = "run the image that is built with `--target cellar-lake`, or pip install 'cellosign-cellar[lake]'"
    raise WrongUse(f"CELLAR_LAKE_URL needs deltalake, which is not installed: {needed}") from None

_OURS = "cellar"
_FILE_BYTES = 32 << 20
_CELLS_PER_GROUP = 500_000
_TIDIED_EACH, _READABLE_HOURS = 20, 24
_UNLOGGED = {"delta.logRetentionDuration": "interval 0 seconds"}
"""Commits that are removed before a checkpoint: they have values, for queries, and references of erased archives."""


class LakeTable:
    """A table of the lake, as it was when it was opened and is after each call. `where` is SQL of any database."""

    def __init__(self, name: str) -> None:
        """Open a table, or what will be one.

        Raises:
            Conflict: what lies there cannot be read.
            Transient: the place does not answer.
        """
        self.name, self.place = name, f"{settings().lake_location}/{name}"
        self._options = _options(self.place)
        self._table: DeltaTable | None = None
        with self._errors(), suppress(TableNotFoundError):
            self._table = DeltaTable(self.place, storage_options=self._options)
        self._opened_at = self.version

    @property
    def version(self) -> int:
        """The version of the table, -1 before there is any."""
        return self._table.version() if self._table else -1

    def position(self, of: str) -> int | None:
        """Return how far `of` has come here; None if nobody knows what the table has."""
        if self._table is None or self._table.transaction_version(_OURS) != self.version:
            return None
        return self._table.transaction_version(of)

    def takes(self, schema: pa.Schema) -> bool:
        """Return whether the table has no other columns than a schema: it may lack some."""
        wanted = {each.name: each for each in Schema.from_arrow(schema).fields}
        return self._table is not None and all(wanted.get(each.name) == each for each in self._table.schema().fields)

    def read(self, columns: list[str], where: str | None) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, or of those that `where` finds. Raises as `put` does."""
        if self._table is not None:
            with self._errors():
                yield from pa.RecordBatchReader.from_stream(self._table.scan(columns=columns, predicate=where))

    def put(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        where: str | None,
        position: tuple[str, int] | None,
        *,
        is_sound: bool,
    ) -> int:
        """Replace the rows that `where` finds, or the whole table, in one commit, with the position where it leads.

        Return how many rows are new.

        Args:
            is_sound: False if the files that it replaces must go before anybody trusts the table.

        Raises:
            Conflict: files of the table are missing, or another program has given it what we do not write.
            Transient: the place does not answer, or another publisher was faster.
        """
        rows, failed = list[int](), list[Exception]()
        new = pa.RecordBatchReader.from_batches(schema, _passed(batches, rows, failed))
        moved = [Transaction(*position)] if position else []
        try:
            with self._errors():
                write_deltalake(
                    self._table or self.place,
                    new,
                    mode="overwrite",
                    schema_mode="merge" if where else "overwrite",
                    predicate=where,
                    storage_options=self._options,
                    target_file_size=_FILE_BYTES,
                    writer_properties=_written(len(schema)),
                    commit_properties=self._commit(moved, is_sound=is_sound),
                )
                self._table = self._table or DeltaTable(self.place, storage_options=self._options)
        except CellarError:
            if failed:
                raise failed[0] from None
            raise
        return sum(rows)

    def tidy(self, *, wholly: bool) -> None:
        """Join small files, and remove what no version of the last day has; or nothing but the last version has, if
        `wholly`, also from the log. A table that is sound, and reached no multiple of 20 commits, is left.

        Raises as `put` does.
        """
        if self._table is None or not (wholly or self.version // _TIDIED_EACH > self._opened_at // _TIDIED_EACH):
            return
        table, made = self._table, partial(self._commit, [], is_sound=not wholly)
        how, hours = _written(len(table.schema().fields)), 0 if wholly else _READABLE_HOURS
        compact = partial(table.optimize.compact, target_size=_FILE_BYTES, max_concurrent_tasks=1)
        vacuum = partial(table.vacuum, dry_run=False, enforce_retention_duration=False, full=True)
        with self._errors():
            compact(writer_properties=how, commit_properties=made())
            vacuum(hours, commit_properties=made())
            table.alter.set_table_properties(_UNLOGGED, commit_properties=made())
            table.create_checkpoint()
            table.cleanup_metadata()
            table.alter.set_table_properties(_UNLOGGED, commit_properties=self._commit([], is_sound=True))

    def _commit(self, moved: list[Transaction], *, is_sound: bool) -> CommitProperties:
        made = Transaction(_OURS, self.version + 1 if is_sound else -1)
        return CommitProperties(max_commit_retries=0, app_transactions=[*moved, made])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TableNotFoundError:
            raise
        except CommitFailedError:
            raise Transient(f"another program wrote the table {self.name} of the lake at the same time") from None
        except (DeltaError, OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) or "Error performing" in str(error):  # of a request to a bucket
                raise Transient(f"the lake does not answer for its table {self.name}") from None
            remedy = "remove its folder, and it is written anew"
            raise Conflict(f"the table {self.name} of the lake cannot be read or written: {remedy}") from None


def _options(url: str) -> dict[str, str] | None:
    if not url.startswith("s3://"):
        return None
    endpoint = bucket.client().meta.endpoint_url
    retries = {"max_retries": "3", "retry_timeout": "60s", "connect_timeout": "10s"}
    here = {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
    return bucket.for_other_programs() | here | retries


def _written(columns: int) -> WriterProperties:
    """Return how files are written. A group of rows is held in memory."""
    return WriterProperties(compression="ZSTD", max_row_group_size=max(1, _CELLS_PER_GROUP // columns))


def _passed(batches: Iterable[pa.RecordBatch], rows: list[int], failed: list[Exception]) -> Iterator[pa.RecordBatch]:
    """Yield batches, and note their rows, and the error that ends them, which Arrow would replace."""
    try:
        for each in batches:
            rows.append(each.num_rows)
            yield each
    except Exception as error:  # it is raised again, here and by the caller
        failed.append(error)
        raise
