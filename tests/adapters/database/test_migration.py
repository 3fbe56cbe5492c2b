"""The migrations make the tables of the models, and refuse a database that another build has migrated."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from adapters.database.migration import migrate, revisions
from adapters.database.transactions import engine, reading
from adapters.settings.settings import Settings
from models.errors import Conflict, Transient
from models.search.entry import TEXT_INDEX


def _is_of_a_model(name: str | None, *_: object) -> bool:
    """Leave out the index of texts, which SQLite makes of tables and Postgres of an extension that it may lack."""
    return name not in {*TEXT_INDEX, "ix_search_entry_text"}


@pytest.mark.usefixtures("installation")
def test_models_and_migrations_agree_also_after_migrating_again() -> None:
    migrate()

    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_of_a_model})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrate_creates_the_folder_of_the_database(configure: Callable[..., Settings], tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/a/b/c.db")

    migrate()

    assert (tmp_path / "a" / "b" / "c.db").exists()


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        (
            "0022",
            "revision 0022, of a version before 1.0.0; no migration leads from there; let CELLAR_DATABASE_URL",
        ),
        (
            "9999_later",
            "revision 9999_later, which this version does not know: .* start that version again, or",
        ),
    ],
)
@pytest.mark.usefixtures("installation")
def test_database_of_another_build_is_refused_with_advice_and_stays_as_it_is(revision: str, said: str) -> None:
    with engine().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

    with pytest.raises(Conflict, match=f"{said}.* an empty database, then run `cellar migrate` and `cellar rebuild`"):
        migrate()

    assert revisions().database == revision
    with reading() as session:
        assert session.scalar(text("SELECT count(*) FROM archive")) == 0


def test_unreachable_database_is_transient(configure: Callable[..., Settings]) -> None:
    configure(database_url="postgresql://u@127.0.0.1:1/cellar")

    with pytest.raises(Transient):
        migrate()
