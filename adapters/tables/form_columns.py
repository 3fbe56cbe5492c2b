"""Keeps the columns of form tables: in the database, and noted for the store, since their names are given for good."""

from collections.abc import Callable, Sequence

from sqlalchemy import text
from sqlmodel import Session, col, select

from adapters.database.noted import note_rows
from adapters.database.transactions import read_all, reading, upsert, writing
from models.tables import FormColumnRow

Decide = Callable[[Sequence[FormColumnRow]], list[FormColumnRow]]
"""Returns the new and the changed columns of a table, from those that it has."""


def settle(table: str, decide: Decide) -> Sequence[FormColumnRow]:
    """Return the columns of a table, in order, after what is decided of them. Raises Transient as `writing` does."""
    there = kept(table)
    if not decide(there):
        return there
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":  # else two programs could give one name twice
            session.execute(text("LOCK TABLE form_column IN SHARE ROW EXCLUSIVE MODE"))
        rows = [each.model_dump() for each in decide(_columns(session, table))]
        put = upsert(session, FormColumnRow)
        its = {each: put.excluded[each] for each in ("type", "is_personal")}
        wider = put.on_conflict_do_update(index_elements=["table_name", "key"], set_=its)
        if rows:
            session.connection().execute(wider, rows)
        note_rows(session, FormColumnRow, rows)
        return _columns(session, table)


def kept(table: str) -> Sequence[FormColumnRow]:
    """Return the columns of a table, in order."""
    with reading() as session:
        return _columns(session, table)


def templates() -> Sequence[str]:
    """Return the templates that have ever had columns."""
    return read_all(select(FormColumnRow.template_id).distinct())


def _columns(session: Session, table: str) -> Sequence[FormColumnRow]:
    its = select(FormColumnRow).where(FormColumnRow.table_name == table)
    return session.exec(its.order_by(col(FormColumnRow.number), col(FormColumnRow.name))).all()
