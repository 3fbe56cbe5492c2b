"""Keeps tables current elsewhere, in each place that the settings name: only the rows of archives that changed are read
and replaced.

The table of archives is written last, and says how far the whole place is. So what was killed is done again, and
changes nothing where it was done. Which archives and templates the place has, that table knows: a new archive is added
to it before any other table, and its row goes after those of all others.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Protocol, TypeAlias

import pyarrow as pa

from adapters.database.transactions import pages
from adapters.lists.table_files import schema_of
from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import changes
from adapters.tables.archives import archives
from domain.access import read_treatments
from domain.tables.catalogue import ENTRY, SOURCES, UNFIT
from domain.tables.meanings import row_of
from domain.tables.names import form_table
from models.access import Action, Caller, Role
from models.errors import CellarError, Conflict, Refused
from models.tables import Treatment
from services.access.log import record
from services.tables import DICTIONARY, UNFIT_VALUES, OpenForm, References, dictionary, form, opened, template_ids

_PUBLISHER = Caller("publish-tables", Role.DATA)
_MOST_CHANGED, _ARCHIVES_PER_COMMIT = 200_000, 10_000
"""With more archives, all tables are written anew, which takes as long."""
_LAST, _ARCHIVE = "archives", "_archive"
_UNFIT = schema_of(UNFIT, row_of(UNFIT_VALUES))
_NOTHING = f"{_ARCHIVE} IS NULL"
"""Finds no row of a table where each is of an archive."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was written of a table: rows, of how many archives, None for all, and its version since."""

    place: str
    table: str
    rows: int
    archives: int | None
    version: int


class Table(Protocol):
    """A table of a place, as it was when it was opened and is after each call. `LakeTable` says what its members do.

    `where` and `columns` are SQL that every place understands.
    """

    name: str

    @property
    def version(self) -> int: ...
    def position(self, of: str) -> int | None: ...
    def takes(self, schema: pa.Schema) -> bool: ...
    def read(self, columns: list[str], where: str | None) -> Iterator[pa.RecordBatch]: ...
    def put(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        where: str | None,
        position: tuple[str, int] | None,
        *,
        is_sound: bool,
    ) -> int: ...
    def tidy(self, before: int, *, wholly: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where tables are kept. `table` opens a table by its name."""

    name: str
    table: Callable[[str], Table]


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is published: all that changed up to a position, or everything where `archives` is None.

    Archives that are gone count too. `new` ones are not in the place yet. `of_template` has those that had or have it;
    after an erasure, all templates. `left` are the tables of templates that some do not have any longer.
    """

    place: _Place
    to: tuple[str, int]
    archives: frozenset[str] | None
    new: frozenset[str]
    of_template: Mapping[str, set[str]]
    left: frozenset[str]
    is_erased: bool


_Parts: TypeAlias = list[tuple[str | None, References]]
"""Which rows of a table are replaced, as SQL and as their archives; None for all."""
_PutUnfit: TypeAlias = Callable[[str | None, Iterable[pa.RecordBatch]], None]


class _Write(Protocol):
    """Replaces parts of a table and returns how many rows are new."""

    def __call__(self, parts: _Parts, /, *, wholly: bool) -> int: ...


def publish() -> list[Published]:
    """Write what changed since the last run into the tables of each place; return what was written.

    A place that fails keeps no other from being written.

    Raises:
        Conflict: a table cannot be read or written. In the lake, its folder must be removed.
        Locked: personal columns are keyed, and the key is away.
        Transient: the place does not answer, or another publisher was faster. A new run goes on.
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


def _places() -> Iterator[_Place]:
    """Yield the places of the settings. Their libraries are slow to import, and take up to 50 MB."""
    if settings().lake_location is not None:
        from adapters.files.lake import LakeTable  # noqa: PLC0415 -- likewise

        yield _Place("lake", LakeTable)
    if settings().share:
        from adapters.database.share import VIEWS, ShareTable  # noqa: PLC0415 -- likewise

        yield _Place(VIEWS, ShareTable)


def _publish(place: _Place) -> list[Published]:
    now, last, unfit = changes.horizon(), place.table(_LAST), place.table(UNFIT_VALUES)
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
    return sha256(json.dumps([how, key, settings().dossier_url("")]).encode()).hexdigest()[:16]


def _everything(place: _Place, to: tuple[str, int]) -> _Changed:
    templates = set(template_ids(_PUBLISHER))
    with suppress(Conflict):  # whatever lies there is replaced
        found = place.table(_LAST).read(["template_id"], None)
        templates |= {each for batch in found for each in batch.column(0).to_pylist() if each}
    return _Changed(place, to, None, frozenset(), {each: set() for each in sorted(templates)}, frozenset(), True)


def _changed(place: _Place, to: tuple[str, int], references: set[str], *, is_erased: bool) -> _Changed:
    of_template, there, left, touched = defaultdict[str, set[str]](set), set[str](), set[str](), {*references}
    now = dict(archives.templates_of(references))
    few = _of(references) if len(references) <= _ARCHIVES_PER_COMMIT and not is_erased else None
    for batch in place.table(_LAST).read([_ARCHIVE, "template_id"], few):
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
    new = frozenset(references - there)
    return _Changed(place, to, frozenset(touched), new, of_template, frozenset(left), is_erased)


def _published(changed: _Changed) -> list[Published]:
    count = None if changed.archives is None else len(changed.archives)
    record(_PUBLISHER, Action.EXPORT_TABLE, detail={"archives": count})
    for where, page in _parts(changed.new):
        its = opened(_LAST, None, _PUBLISHER, page)
        changed.place.table(_LAST).put(schema_of(its.columns), its.batches, where, None, is_sound=True)
    written = [*_forms(changed), _dictionary(changed)]
    for name in sorted(SOURCES, key=lambda name: name == _LAST):
        written.append(_of_catalogue(name, changed))
    return [each for each in written if each]


def _forms(changed: _Changed) -> list[Published | None]:
    """Write all form tables and, from the same reading, `unfit_values`, which has its position after all forms."""
    unfit, is_anew = changed.place.table(UNFIT_VALUES), changed.archives is None
    written, rows = list[Published | None](), list[int]()

    def write(_: _Parts, *, wholly: bool) -> int:
        if is_anew:
            unfit.put(_UNFIT, (), None, None, is_sound=False)
        for template, its in changed.of_template.items():
            of = f"template_id = {_quoted(template)}"

            def put_unfit(where: str | None, batches: Iterable[pa.RecordBatch], of: str = of) -> None:
                which = f"{of} AND ({where})" if where else of
                rows.append(unfit.put(_UNFIT, batches, which, None, is_sound=not is_anew))

            written.append(_form(template, changed, None if is_anew else its, put_unfit))
        unfit.put(_UNFIT, (), _NOTHING, changed.to, is_sound=not wholly)
        return sum(rows)

    return [_replaced(unfit, changed, changed.archives, write), *written]


def _form(template_id: str, changed: _Changed, its: References, put_unfit: _PutUnfit) -> Published | None:
    table = changed.place.table(form_table(template_id))
    position = table.position(changed.to[0])
    if position == changed.to[1] and its is not None:
        return None  # this was done before a kill
    form_ = _settled(template_id, its if position is not None else None)
    schema = schema_of(form_.columns, form_.meaning)

    def write(parts: _Parts, *, wholly: bool) -> int:
        rows = 0
        for where, page in parts:
            checkpoint()
            with TemporaryFile() as file:  # 1,000,000 archives may have 10,000 unfit values in each column
                rows += table.put(schema, _parted(form_.read(page), file), where, None, is_sound=where is not None)
                file.seek(0)
                put_unfit(where, pa.ipc.open_stream(file))
        table.put(schema, (), _NOTHING, changed.to, is_sound=not wholly)
        return rows

    return _written(table, schema, changed, its, write)


def _settled(template_id: str, references: References) -> OpenForm:
    try:
        return form(template_id, _PUBLISHER, references)
    except Refused:  # no archive has the template any longer
        return form(template_id, _PUBLISHER, ())


def _parted(batches: Iterator[tuple[pa.RecordBatch, pa.RecordBatch]], file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield the first of each two batches, and write the second into a file."""
    with pa.ipc.new_stream(file, _UNFIT) as beside:
        for batch, other in batches:
            beside.write_batch(other)
            yield batch


def _of_catalogue(name: str, changed: _Changed) -> Published | None:
    table, schema = changed.place.table(name), schema_of(opened(name, None, _PUBLISHER, ()).columns, row_of(name))
    if table.position(changed.to[0]) == changed.to[1]:
        return None  # this was done before a kill

    def write(parts: _Parts, *, wholly: bool) -> int:
        rows = 0
        for where, page in parts:
            checkpoint()
            to = changed.to if page is parts[-1][1] else None
            its = opened(name, None, _PUBLISHER, page).batches
            rows += table.put(schema, its, where, to, is_sound=not wholly if to else where is not None)
        return rows

    return _written(table, schema, changed, None if changed.archives is None else changed.archives | {""}, write)


def _dictionary(changed: _Changed) -> Published | None:
    """Replace what `dictionary` says of all tables but those of templates that no archive has changed."""
    table, schema = changed.place.table(DICTIONARY), schema_of(ENTRY, row_of(DICTIONARY))
    if table.position(changed.to[0]) == changed.to[1]:
        return None  # this was done before a kill

    def write(parts: _Parts, *, wholly: bool) -> int:
        is_anew, of_template = parts[0][0] is None, changed.of_template
        names = *SOURCES, UNFIT_VALUES, DICTIONARY, *map(form_table, of_template)
        where = None if is_anew else f"table_name IN ({', '.join(map(_quoted, names))})"
        its = dictionary(_PUBLISHER, template_ids(_PUBLISHER) if is_anew else of_template).batches
        return table.put(schema, its, where, changed.to, is_sound=not wholly)

    return _written(table, schema, changed, None if changed.archives is None else changed.archives | {""}, write)


def _written(table: Table, schema: pa.Schema, changed: _Changed, its: References, write: _Write) -> Published | None:
    """Replace the rows of some archives in a table, or all where nobody knows what it has, or its columns changed."""
    if its is not None and table.position(changed.to[0]) is not None and table.takes(schema):
        with suppress(Conflict):  # files are missing, which nobody needs who writes the whole table
            return _replaced(table, changed, its, write)
    return _replaced(table, changed, None, write)


def _replaced(table: Table, changed: _Changed, its: References, write: _Write) -> Published | None:
    before, parts = table.version, _parts(its)
    wholly = its is None or changed.is_erased or table.name in changed.left
    rows = write(parts, wholly=wholly) if parts else 0
    table.tidy(before, wholly=wholly)
    count = None if its is None else len({*its} - {""})
    return None if count == 0 else Published(changed.place.name, table.name, rows, count, table.version)


def _parts(references: References) -> _Parts:
    if references is None:
        return [(None, None)]
    return [(_of(page), page) for page in pages(sorted(references), _ARCHIVES_PER_COMMIT)]


def _of(references: Iterable[str]) -> str:
    """Return which rows are of some archives, with an empty text for rows of no archive."""
    where = f"{_ARCHIVE} IN ({', '.join(map(_quoted, sorted(references)))})"
    return f"{where} OR {_NOTHING}" if "" in references else where


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
