"""The migrations make the tables of the models, and refuse a database that another build has migrated."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel

import migrations
from adapters.database.connections import engine
from adapters.database.migration import migrate, revisions
from adapters.database.transactions import reading
from models.errors import Conflict
from models.search import TEXT_INDEX
from tests.conftest import Configure

FOLDER = Path(migrations.__file__).parent


def _is_of_a_model(name: str | None, *_: object) -> bool:
    """Leave out the index of texts, which SQLite makes of tables and Postgres of an extension that it may lack."""
    return name not in {*TEXT_INDEX, "ix_search_entry_text"}


@pytest.mark.usefixtures("installation")
def test_schema_is_that_of_the_models_also_after_migrating_again() -> None:
    migrate()

    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_of_a_model})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrations_are_one_line_and_each_is_named_like_its_file() -> None:
    known = list(ScriptDirectory(str(FOLDER)).walk_revisions())

    assert sorted(each.revision for each in known) == sorted(each.stem for each in FOLDER.glob("versions/0*.py"))
    assert max(len(each.revision) for each in known) <= 32  # the width of Alembic's column


def test_migrate_creates_the_folder_of_the_database(configure: Configure, tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/a/b/c.db")

    migrate()

    assert (tmp_path / "a" / "b" / "c.db").exists()


@pytest.mark.usefixtures("installation")
def test_database_of_another_build_is_refused_with_advice_and_stays_as_it_is() -> None:
    with engine().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))

    advice = "start that version again, or .* an empty database, then run `cellar migrate` and `cellar rebuild`"
    with pytest.raises(Conflict, match=f"revision 9999_later, which this version does not know: .* {advice}"):
        migrate()

    assert revisions().database == "9999_later"
    with reading() as session:
        assert session.scalar(text("SELECT count(*) FROM archive")) == 0
