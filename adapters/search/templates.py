"""What people say about templates, held in memory since every entry is made by it; and the newest archives of one."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import select
from sqlmodel import Session

from adapters.database.transactions import reading, upsert
from adapters.search.pages import Wanted, newest
from adapters.settings.settings import settings
from domain.search import Definitions, definitions_of, facet
from models.columns import table_of
from models.search import Kind, SearchEntryRow
from models.templates import Template, TemplateRow, TemplateWords, key_of

_HELD_FOR_S = 5.0
_OWN = "templates"
"""Under which name a transaction has what it has read itself."""
_SAMPLE = 200
"""How many archives of a template its facts are learned from, the newest."""
_ENTRY = table_of(SearchEntryRow)
_TEMPLATE = table_of(TemplateRow)
NOTHING_SAID = TemplateWords()


@dataclass(frozen=True, slots=True)
class Held:
    """What people say about templates, by their ids, and what follows from it for entries."""

    words: Mapping[str, TemplateWords] = MappingProxyType({})
    definitions: Definitions = ()
    location: str = ""
    until_s: float = 0.0

    def of(self, template_id: str | None) -> TemplateWords:
        """Return what people say about a template."""
        return NOTHING_SAID if template_id is None else self.words.get(template_id, NOTHING_SAID)


_held = Held()


def held(session: Session) -> Held:
    """Return what people say about templates, as it was at most 5 s ago; as `read` returned it in this transaction."""
    own: Held | None = session.info.get(_OWN)
    if own:
        return own
    known = _held  # another thread may forget it between two looks
    if known.location == settings().database_location and time.monotonic() < known.until_s:
        return known
    return _hold(_read(session))


def read(session: Session) -> Held:
    """Read what people say about templates for a transaction that changes it. Others see it once it is committed."""
    found = session.info[_OWN] = _read(session)
    return found


def _read(session: Session) -> Held:
    asked = select(_TEMPLATE.c.id, _TEMPLATE.c.words)
    words = {id_: TemplateWords.model_validate(each) for id_, each in session.connection().execute(asked)}
    return Held(words, definitions_of(words), settings().database_location, time.monotonic() + _HELD_FOR_S)


def every() -> dict[str, Template]:
    """Return what people say about all templates, by id."""
    with reading() as session:
        rows = session.connection().execute(select(_TEMPLATE)).mappings()
        return {each["id"]: Template.model_validate(dict(each)) for each in rows}


def forget() -> None:
    """Let the next question ask the database, since this process has changed the answer."""
    _hold(Held())


def put(session: Session, template: Template) -> None:
    """Write what people say about a template in place of what they said before."""
    row = TemplateRow(key=key_of(template.id), **template.model_dump(mode="json") | {"changed_at": template.changed_at})
    its = row.model_dump()
    put = upsert(session, TemplateRow).values(**its)
    session.connection().execute(put.on_conflict_do_update(index_elements=["key"], set_=its))


def newest_of(session: Session, template_id: str, scope: tuple[int, ...] = (), most: int = _SAMPLE) -> list[str]:
    """Return the references of the newest archives of a template that have all facets of a scope, 200 by default."""
    ids = newest(session, Wanted((facet(Kind.TEMPLATE, template_id), *scope)), most)
    found = select(_ENTRY.c.reference).where(_ENTRY.c.id.in_(ids)).order_by(_ENTRY.c.id.desc())
    return list(session.connection().execute(found).scalars())


def _hold(found: Held) -> Held:
    global _held  # noqa: PLW0603 -- one cache per process
    _held = found
    return found
