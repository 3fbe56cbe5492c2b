"""The last uses of secrets, tokens and public links, in the database."""

from collections.abc import Iterable, Mapping

from sqlmodel import col, func, select

from adapters.database.transactions import pages, read_among, upsert, writing
from models.people import LastUseRow

_ROWS_AT_ONCE = 1000


def add(rows: Iterable[LastUseRow]) -> None:
    """Add new uses to the counts in the database, in one transaction.

    Raises Transient if the database does not answer. None is added.
    """
    with writing() as session:
        for page in pages([each.model_dump() for each in rows], _ROWS_AT_ONCE):
            new = upsert(session, LastUseRow).values(page)
            later = func.max if session.get_bind().dialect.name == "sqlite" else func.greatest
            changed = {
                "at": later(col(LastUseRow.at), new.excluded.at),
                "times": col(LastUseRow.times) + new.excluded.times,
            }
            session.execute(new.on_conflict_do_update(index_elements=["kind", "name"], set_=changed))


def of(kind: str, names: Iterable[str]) -> Mapping[str, LastUseRow]:
    """Return the uses of those of the names that were ever used, by name: when last, and how often."""
    asked = select(LastUseRow).where(LastUseRow.kind == kind)
    return {row.name: row for row in read_among(col(LastUseRow.name), names, asked)}
