"""Keeps the tables of the lake current: only the rows of archives that changed are read and replaced.

The table of archives is written last, and says how far the whole lake is. So what was killed is done again, and changes
nothing where it was done. Which archives and templates the lake has, that table knows: a new archive is added to it
before any other table, and its row goes after those of all others.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import pyarrow as pa

from adapters.database.transactions import pages
from adapters.files.lake import LakeTable, quoted
from adapters.lists.table_files import schema_of
from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import changes
from adapters.tables.archives import archives
from domain.access import read_treatments
from domain.tables.catalogue import SOURCES
from domain.tables.names import form_table
from models.access import Action, Caller, Role
from models.errors import Conflict, Refused
from models.tables import Treatment
from services.access.log import record
from services.tables import DICTIONARY, UNFIT_VALUES, OpenTable, References, dictionary, opened, template_ids

_PUBLISHER = Caller("publish-tables", Role.DATA)
_MOST_CHANGED, _ARCHIVES_PER_COMMIT = 200_000, 10_000
"""With more archives, all tables are written anew, which takes as long."""
_LAST, _ARCHIVE = "archives", "_archive"


@dataclass(frozen=True, slots=True)
class Published:
    """What was written of a table: rows, of how many archives, None for all, and its version since."""

    table: str
    rows: int
    archives: int | None
    version: int


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is published: all that changed up to a position, or everything where `archives` is None.

    Archives that are gone count too. `new` ones are not in the lake yet. `of_template` has those that had or have it;
    after an erasure, all templates. `left` are the tables of templates that some do not have any longer.
    """

    to: tuple[str, int]
    archives: frozenset[str] | None
    new: frozenset[str]
    of_template: Mapping[str, set[str]]
    left: frozenset[str]
    is_erased: bool


_Parts: TypeAlias = Iterator[tuple[str | None, OpenTable]]
"""Which rows of a table are replaced, None for all, and by what."""


def publish() -> list[Published]:
    """Write what changed since the last run into the tables of CELLAR_LAKE_URL, if it is set; return what was written.

    Raises:
        Conflict: a table of the lake cannot be read or written. Its folder must be removed.
        Locked: personal columns are keyed, and the key is away.
        Transient: the lake does not answer, or another publisher was faster. A new run goes on.
    """
    if settings().lake_location is None:
        return []
    place, last = changes.horizon(), LakeTable(_LAST)
    to = f"{place.epoch} {_manner()}", place.position
    since = last.position(to[0]) if last.takes(_schema(_LAST, None, ())) else None
    references, is_erased = (None, True) if since is None else changes.changed(since, place, _MOST_CHANGED)
    if references == set() and not is_erased:
        return []
    changed = None
    with suppress(Conflict):  # files are missing
        changed = None if references is None else _changed(to, last, references, is_erased)
    changed = changed or _everything(to, last)
    count = None if changed.archives is None else len(changed.archives)
    record(_PUBLISHER, Action.EXPORT_TABLE, detail={"archives": count})
    return _published(changed, last)


def _manner() -> str:
    """Return a digest of what all tables follow from beside rows: with another one, they are written anew."""
    how = read_treatments(settings().tables_personal).get(_PUBLISHER.role, Treatment.WHOLE)
    key = seals.fingerprint("table:") if how is Treatment.KEYED else ""
    return sha256(json.dumps([how, key, settings().dossier_url("")]).encode()).hexdigest()[:16]


def _everything(to: tuple[str, int], last: LakeTable) -> _Changed:
    templates = set(template_ids(_PUBLISHER))
    with suppress(Conflict):  # whatever lies there is replaced
        templates |= {each for batch in last.read(["template_id"]) for each in batch.column(0).to_pylist() if each}
    return _Changed(to, None, frozenset(), {each: set() for each in sorted(templates)}, frozenset(), is_erased=True)


def _changed(to: tuple[str, int], last: LakeTable, references: set[str], is_erased: bool) -> _Changed:
    of_template, there, left, touched = defaultdict[str, set[str]](set), set[str](), set[str](), {*references}
    now = dict(archives.templates_of(references))
    for batch in last.read([_ARCHIVE, "template_id"]):
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
    return _Changed(to, frozenset(touched), new, of_template, frozenset(left), is_erased)


def _published(changed: _Changed, last: LakeTable) -> list[Published]:
    for where, table in _parts(_LAST, None, changed.new):
        last.put(schema_of(table.columns), table.batches, where, None, is_sound=True)
    written = [_table(UNFIT_VALUES, None, changed, changed.archives)]
    for template, its in changed.of_template.items():
        written.append(_table(None, template, changed, None if changed.archives is None else its))
    written.append(_table(DICTIONARY, None, changed, changed.archives))
    of_archives = None if changed.archives is None else changed.archives | {""}
    for name in sorted(SOURCES, key=lambda name: name == _LAST):
        written.append(_table(name, None, changed, of_archives if SOURCES[name].is_of_archives else None))
    return [each for each in written if each]


def _table(name: str | None, template_id: str | None, changed: _Changed, references: References) -> Published | None:
    """Replace the rows of some archives in a table, or all where nobody knows what it has, or its columns changed."""
    lake = LakeTable(name or form_table(template_id or ""))
    position = lake.position(changed.to[0])
    if position == changed.to[1]:
        return None  # this was done before a kill
    if references is not None and position is not None and lake.takes(_schema(name, template_id, references)):
        with suppress(Conflict):  # files are missing, which nobody needs who writes the whole table
            made = {UNFIT_VALUES: _unfit, DICTIONARY: _dictionary}.get(name or "")
            parts = made(changed) if made else _parts(name, template_id, references)
            return _put(lake, parts, changed, len({*references} - {""}))
    return _put(lake, _parts(name, template_id, None), changed, None)


def _schema(name: str | None, template_id: str | None, references: References) -> pa.Schema:
    return schema_of(_opened(name, template_id, references).columns)


def _put(lake: LakeTable, parts: _Parts, changed: _Changed, count: int | None) -> Published | None:
    before, rows, wholly = lake.version, 0, count is None or changed.is_erased or lake.name in changed.left
    part = next(parts, None)
    while part is not None:
        checkpoint()
        (where, table), part = part, next(parts, None)
        to = None if part else changed.to
        rows += lake.put(schema_of(table.columns), table.batches, where, to, is_sound=not wholly)
    lake.tidy(before, wholly=wholly)
    return None if count == 0 else Published(lake.name, rows, count, lake.version)


def _parts(name: str | None, template_id: str | None, references: References) -> _Parts:
    if references is None:
        yield None, _opened(name, template_id, None)
    for page in pages(sorted(references or ()), _ARCHIVES_PER_COMMIT):
        found = ", ".join(quoted(each) for each in page if each) or "''"
        where = f"{_ARCHIVE} IN ({found})"
        yield f"{where} OR {_ARCHIVE} IS NULL" if "" in page else where, _opened(name, template_id, page)


def _unfit(changed: _Changed) -> _Parts:
    """Yield the parts of `unfit_values`: of the changed archives of each template, or of all where a type changed."""
    for template, its in changed.of_template.items():
        form, of = LakeTable(form_table(template)), f"template_id = {quoted(template)}"
        is_kept = form.position(changed.to[0]) is not None and form.takes(_schema(None, template, its))
        for where, table in _parts(UNFIT_VALUES, template, its if is_kept else None):
            yield f"{of} AND ({where})" if where else of, table


def _dictionary(changed: _Changed) -> _Parts:
    """Yield the part of `dictionary` with all tables but those of templates that no archive has changed."""
    tables = *SOURCES, UNFIT_VALUES, DICTIONARY, *map(form_table, changed.of_template)
    yield f"table_name IN ({', '.join(map(quoted, tables))})", dictionary(_PUBLISHER, changed.of_template)


def _opened(name: str | None, template_id: str | None, references: References) -> OpenTable:
    try:
        return opened(name, template_id, _PUBLISHER, references)
    except Refused:  # no archive has the template any longer
        return opened(name, template_id, _PUBLISHER, ())
