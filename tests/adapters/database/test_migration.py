"""The migrations create exactly the tables of the models, and drop them again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

import migrations
from adapters.database.migration import migrate
from adapters.database.transactions import engine
from adapters.settings.settings import Settings
from models.errors import Conflict, Transient
from models.search.entry import TEXT_INDEX


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(migrations.__file__).parent))
    made.attributes["connection"] = connection
    return made


def tables() -> set[str]:
    with engine().connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version", *TEXT_INDEX}


def _is_of_a_model(name: str | None, *_: object) -> bool:
    """Leave out the index of texts, which SQLite makes of tables and Postgres of an extension that it may lack."""
    return name not in {*TEXT_INDEX, "ix_search_entry_text"}


@pytest.mark.usefixtures("installation")
def test_models_and_migrations_agree() -> None:
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_of_a_model})

        assert compare_metadata(context, SQLModel.metadata) == []


@pytest.mark.usefixtures("installation")
def test_migrate_creates_every_table_of_the_models() -> None:
    assert tables() == set(SQLModel.metadata.tables)


@pytest.mark.usefixtures("installation")
def test_migrating_again_changes_nothing() -> None:
    before = tables()

    migrate()

    assert tables() == before


@pytest.mark.usefixtures("installation")
def test_downgrade_to_base_and_migrate_restores_all_tables() -> None:
    with engine().connect() as connection:
        command.downgrade(config(connection), "base")
        connection.commit()
    assert tables() == set()

    migrate()

    assert tables() == set(SQLModel.metadata.tables)


def test_migration_history_has_one_head() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_migrate_creates_the_folder_of_the_database(configure: Callable[..., Settings], tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/a/b/c.db")

    migrate()

    assert (tmp_path / "a" / "b" / "c.db").exists()


@pytest.mark.usefixtures("installation")
def test_database_of_a_build_with_other_migrations_is_refused_and_says_what_to_do() -> None:
    with engine().connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()

    with pytest.raises(Conflict, match="run `cellar migrate` and `cellar rebuild`"):
        migrate()


def test_unreachable_database_is_transient(configure: Callable[..., Settings]) -> None:
    configure(database_url="postgresql://u@127.0.0.1:1/cellar")

    with pytest.raises(Transient):
        migrate()
