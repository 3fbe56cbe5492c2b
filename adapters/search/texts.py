"""Tests texts for terms. SQLite's index of trigrams finds texts that may have them, and the texts themselves decide."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, column, func, select, table
from sqlmodel import Session, SQLModel

from domain.search.text import Term, fts_query, like_pattern, trigrams_of
from models.search.entry import SearchEntryRow

TEXT = table("search_text", column("rowid"), column("text"), column("search_text"))
_ENTRY = SQLModel.metadata.tables[str(SearchEntryRow.__tablename__)]
_FEW, _NEWEST, _SPARSE = 3, 200, 4


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def text_tests(session: Session, terms: Sequence[Term], text: Any = None) -> list[ColumnElement[bool]]:
    """Return the conditions that a text contains each term. On SQLite, `instr` is faster than LIKE."""
    if is_sqlite(session):
        text = TEXT.c.text if text is None else text
        return [func.instr(text, each.pattern) > 0 for each in terms]
    text = _ENTRY.c.text if text is None else text
    return [text.like(like_pattern(each), escape="\\") for each in terms]


def may_match(session: Session, terms: Sequence[Term]) -> ColumnElement[bool]:
    """Return the condition on SQLite's index that a text may have all terms."""
    return _matches(_sparse(session, trigrams_of(terms)))


def _matches(trigrams: Iterable[str]) -> ColumnElement[bool]:
    return TEXT.c.search_text.op("MATCH")(fts_query(trigrams))


def _sparse(session: Session, trigrams: Sequence[str]) -> Sequence[str]:
    """Return the trigrams that few texts have. One that nearly all texts have takes longest to read and excludes least.

    The 200th newest text of a trigram says how sparse it is: it is the older, the fewer texts have it.
    """
    if len(trigrams) <= _FEW:
        return trigrams
    newest = session.connection().execute(select(func.max(_ENTRY.c.id))).scalar() or 0
    reaches = {each: newest - (_oldest(session, each) or 0) for each in trigrams}
    return [each for each in trigrams if reaches[each] * _SPARSE >= max(reaches.values())]


def _oldest(session: Session, trigram: str) -> int | None:
    """Return the 200th newest text with a trigram, None if it has fewer."""
    its = TEXT.c.rowid
    found = select(its).where(_matches([trigram])).order_by(its.desc()).limit(1).offset(_NEWEST - 1)
    oldest: int | None = session.connection().execute(found).scalar()
    return oldest
