"""Keeps tables current elsewhere, in each place that the settings name: only the rows of archives that changed are read
and replaced.

The table of archives moves last, and says how far the whole place is. So what was killed is done again, and changes
nothing where it was done. Which archives the place has, and in the tables of which templates, that table knows: a new
archive is added to it before any other table, its row goes after those of all others, and it has the template by which
the others were written, whatever another version has brought meanwhile.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, TypeAlias

import pyarrow as pa

from adapters.database.transactions import pages
from adapters.lists.table_files import schema_of
from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import changes, form_columns
from adapters.tables.archives import archives
from domain.access import read_treatments
from domain.tables.catalogue import ENTRY, SOURCES, UNFIT
from domain.tables.meanings import row_of
from domain.tables.names import form_table, quoted
from models.access import Action, Caller, Role
from models.errors import CellarError, Conflict
from models.tables import Treatment
from services.access.log import record
from services.tables import DICTIONARY, UNFIT_VALUES, References, dictionary, form, opened, template_ids

if TYPE_CHECKING:
    from adapters.database.share import ShareTable
    from adapters.files.lake import LakeTable

    _Table: TypeAlias = LakeTable | ShareTable
    _Place: TypeAlias = type[LakeTable] | type[ShareTable]

_PUBLISHER = Caller("publish-tables", Role.DATA)
_MOST_CHANGED, _ARCHIVES_PER_COMMIT = 200_000, 10_000
"""With more archives, all tables are written anew, which takes as long."""
_FORM = 2
"""Grows when what is personal is decided in another way, so that all tables are written anew."""
_LAST, _ARCHIVE = "archives", "_archive"
_UNFIT = schema_of(UNFIT, row_of(UNFIT_VALUES))
_NOTHING = f"{_ARCHIVE} = ''"
"""Finds no row."""
_Write: TypeAlias = Callable[[str | None, References], int]
"""Replaces a part of a table, which is named as SQL and as its archives, and returns how many rows are new."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was written of a table, and where it lies: rows, of how many archives, None for all, its version since."""

    place: str
    table: str
    rows: int
    archives: int | None
    version: int


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is published: all that changed up to a position, or everything where `archives` is None.

    Archives that are `gone` count too. `new` ones are not in the place yet, None if nobody knows. `now` has the
    templates of those that have one, and `of_template` those that had or have it; after an erasure, all templates.
    `left` are the tables of templates that some do not have any longer.
    """

    place: "_Place"
    to: tuple[str, int]
    archives: frozenset[str] | None
    gone: frozenset[str]
    new: frozenset[str] | None
    now: Mapping[str, str]
    of_template: Mapping[str, set[str]]
    left: frozenset[str]
    is_erased: bool


def publish() -> list[Published]:
    """Write what changed since the last run into the tables of each place; return what was written.

    A place that fails keeps no other from being written.

    Raises:
        Conflict: a table cannot be read or written. In the lake, its folder must be removed.
        Locked: personal columns are keyed, and the key is away.
        Transient: the place does not answer, or another publisher was faster. A new run goes on.
        Unusable: the user of the database may make no schema for the share.
        WrongUse: the lake's library is not installed.
    """
    written, failed = list[Published](), list[CellarError]()
    for place in _places():
        try:
            written += _publish(place)
        except CellarError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return written


def _places() -> "Iterator[_Place]":
    if settings().share:
        from adapters.database.share import ShareTable  # noqa: PLC0415 -- needs the driver of Postgres

        yield ShareTable
    if settings().lake_location is not None:  # the last, since its library may be missing
        from adapters.files.lake import LakeTable  # noqa: PLC0415 -- takes 50 MB

        yield LakeTable


def _publish(place: "_Place") -> list[Published]:
    now, last, unfit = changes.horizon(), place(_LAST), place(UNFIT_VALUES)
    to = f"{now.epoch} {_manner()}", now.position
    is_known = last.takes(schema_of(opened(_LAST, None, _PUBLISHER, ()).columns)) and unfit.takes(_UNFIT)
    since = last.position(to[0]) if is_known and unfit.position(to[0]) is not None else None
    references, is_erased = (None, True) if since is None else changes.changed(since, now, _MOST_CHANGED)
    if references == set() and not is_erased:
        return []
    with suppress(Conflict):  # files are missing, which nobody needs who writes everything
        if references is not None:
            return _published(_changed(place, to, references, is_erased=is_erased))
    return _published(_everything(place, to))


def _manner() -> str:
    """Return a digest of what all tables follow from beside rows: with another one, they are written anew."""
    how = read_treatments(settings().tables_personal).get(_PUBLISHER.role, Treatment.WHOLE)
    key = seals.fingerprint("table:") if how is Treatment.KEYED else ""
    its = [_FORM, how, key, settings().dossier_url(""), settings().zone.key]
    return sha256(json.dumps(its).encode()).hexdigest()[:16]


def _everything(place: "_Place", to: tuple[str, int]) -> _Changed:
    templates = {*template_ids(_PUBLISHER), *form_columns.templates()}  # also what was killed before an erasure
    with suppress(Conflict):  # whatever lies there is replaced
        found = place(_LAST).read(["template_id"], None)
        templates |= {each for batch in found for each in batch.column(0).to_pylist() if each}
    return _Changed(
        place, to, None, frozenset(), None, {}, {each: set() for each in sorted(templates)}, frozenset(), True
    )


def _changed(place: "_Place", to: tuple[str, int], references: set[str], *, is_erased: bool) -> _Changed:
    of_template, there, left, touched = defaultdict[str, set[str]](set), set[str](), set[str](), {*references}
    now = dict(archives.templates_of(references))
    few = _of(references) if len(references) <= _ARCHIVES_PER_COMMIT and not is_erased else None
    for batch in place(_LAST).read([_ARCHIVE, "template_id"], few):
        names, templates = (each.to_pylist() for each in batch.columns)
        if is_erased:
            touched |= {*names} - archives.known(names)
        there |= touched.intersection(names)
        for name, template in zip(names, templates, strict=True):
            if template and (is_erased or name in touched):
                of_template[template] |= touched & {name}
                left |= {form_table(template)} if name in touched and now.get(name) != template else set()
    for name, template in now.items():
        of_template[template].add(name)
    gone, new = frozenset(touched - references), frozenset(references - there)
    for its in of_template.values():  # nobody knows any longer which templates an erased archive had during a run
        its.update(gone)
    return _Changed(place, to, frozenset(touched), gone, new, now, of_template, frozenset(left), is_erased)


def _published(changed: _Changed) -> list[Published]:
    count = None if changed.archives is None else len(changed.archives)
    record(_PUBLISHER, Action.EXPORT_TABLE, detail={"archives": count})
    rows = sum(_put_archives(changed, where, page) for where, page in _parts(changed.new))
    written = [
        *_forms(changed),
        _dictionary(changed),
        *(_of_catalogue(name, changed) for name in SOURCES if name != _LAST),
    ]
    last, schema = changed.place(_LAST), _schema(_LAST)
    if changed.new is None:
        written.append(_ended(last, schema, changed, None, rows))
    else:
        written.append(_replaced(last, schema, changed, changed.archives, partial(_archives_as_written, last, changed)))
    return [each for each in written if each]


def _put_archives(changed: _Changed, where: str | None, page: References) -> int:
    its = opened(_LAST, None, _PUBLISHER, page)
    return changed.place(_LAST).put(_schema(_LAST), its.batches, where, None, is_sound=where is not None)


def _archives_as_written(table: "_Table", changed: _Changed, _where: str | None, page: References) -> int:
    """Replace rows of archives by what the other tables have. What is erased since then stays for the next run."""
    its, there = list[pa.RecordBatch](), {*changed.gone.intersection(page or ())}
    for batch in opened(_LAST, None, _PUBLISHER, page).batches:
        names, at = batch[_ARCHIVE].to_pylist(), batch.schema.get_field_index("template_id")
        templates = map(changed.now.get, names, batch[at].to_pylist())
        its.append(batch.set_column(at, batch.schema.field(at), pa.array(templates, pa.string())))
        there.update(names)
    return table.put(_schema(_LAST), its, _of(there) if there else _NOTHING, None, is_sound=True)


def _schema(name: str) -> pa.Schema:
    return schema_of(opened(name, None, _PUBLISHER, ()).columns, row_of(name))


def _of_catalogue(name: str, changed: _Changed) -> Published | None:
    table, schema = changed.place(name), _schema(name)

    def write(where: str | None, page: References) -> int:
        its = opened(name, None, _PUBLISHER, page)
        return table.put(schema, its.batches, where, None, is_sound=where is not None)

    return _written(table, schema, changed, None if changed.archives is None else changed.archives | {""}, write)


def _forms(changed: _Changed) -> Iterator[Published | None]:
    """Write all form tables and, from the same reading, `unfit_values`, whose position moves after all of theirs."""
    unfit, rows = changed.place(UNFIT_VALUES), list[int]()
    if changed.archives is None:
        unfit.put(_UNFIT, (), None, None, is_sound=False)
    for template, its in changed.of_template.items():
        yield _form(template, changed, None if changed.archives is None else its, unfit, rows)
    yield _ended(unfit, _UNFIT, changed, changed.archives, sum(rows))


def _form(
    template_id: str, changed: _Changed, its: References, unfit: "_Table", unfit_rows: list[int]
) -> Published | None:
    table = changed.place(form_table(template_id))
    source = form(template_id, _PUBLISHER, None if table.position(changed.to[0]) is None else its)
    schema, of = schema_of(source.columns, source.meaning), f"template_id = {quoted(template_id)}"

    def write(where: str | None, page: References) -> int:
        with TemporaryFile() as file:  # 1,000,000 archives may have 10,000 unfit values in each column
            rows = table.put(schema, _parted(source.read(page), file), where, None, is_sound=where is not None)
            file.seek(0)
            also, is_sound = f"{of} AND ({where})" if where else of, changed.archives is not None
            unfit_rows.append(unfit.put(_UNFIT, pa.ipc.open_stream(file), also, None, is_sound=is_sound))
        return rows

    return _written(table, schema, changed, its, write)


def _parted(batches: Iterator[tuple[pa.RecordBatch, pa.RecordBatch]], file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield the first of each two batches, and write the second into a file."""
    with pa.ipc.new_stream(file, _UNFIT) as beside:
        for batch, other in batches:
            beside.write_batch(other)
            yield batch


def _dictionary(changed: _Changed) -> Published | None:
    """Replace what `dictionary` says of all tables but those of templates that no archive has changed."""
    table, schema = changed.place(DICTIONARY), schema_of(ENTRY, row_of(DICTIONARY))
    names = *SOURCES, UNFIT_VALUES, DICTIONARY, *map(form_table, changed.of_template)

    def write(where: str | None, _: References) -> int:
        its = dictionary(_PUBLISHER, changed.of_template if where else template_ids(_PUBLISHER))
        of = f"table_name IN ({', '.join(map(quoted, names))})" if where else None
        return table.put(schema, its.batches, of, None, is_sound=where is not None)

    return _written(table, schema, changed, None if changed.archives is None else {""}, write)


def _written(table: "_Table", schema: pa.Schema, changed: _Changed, its: References, write: _Write) -> Published | None:
    """Replace the rows of some archives in a table, or all where nobody knows what it has, or its columns changed."""
    position = table.position(changed.to[0])
    if its is not None and position == changed.to[1]:
        return None  # this was done before a kill
    if its is not None and position is not None and table.takes(schema):
        with suppress(Conflict):  # files are missing, which nobody needs who writes the whole table
            return _replaced(table, schema, changed, its, write)
    return _replaced(table, schema, changed, None, write)


def _replaced(
    table: "_Table", schema: pa.Schema, changed: _Changed, its: References, write: _Write
) -> Published | None:
    rows = 0
    for where, page in _parts(its):
        checkpoint()
        rows += write(where, page)
    return _ended(table, schema, changed, its, rows)


def _ended(table: "_Table", schema: pa.Schema, changed: _Changed, its: References, rows: int) -> Published | None:
    """Note where the table is now, after all its rows, and leave nothing of what it had before where that must go."""
    wholly = its is None or changed.is_erased or table.name in changed.left
    table.put(schema, (), _NOTHING, changed.to, is_sound=not wholly)
    table.tidy(wholly=wholly)
    count = None if its is None else len({*its} - {""})
    return None if count == 0 else Published(table.place, table.name, rows, count, table.version)


def _parts(references: References) -> Iterator[tuple[str | None, References]]:
    """Yield which rows of a table are replaced, as SQL and as their archives; None for all."""
    if references is None:
        yield None, None
    for page in pages(sorted(references or ()), _ARCHIVES_PER_COMMIT):
        yield _of(page), page


def _of(references: Iterable[str]) -> str:
    """Return which rows are of some archives, with an empty text for rows of no archive."""
    where = f"{_ARCHIVE} IN ({', '.join(map(quoted, sorted(references)))})"
    return f"{where} OR {_ARCHIVE} IS NULL" if "" in references else where
