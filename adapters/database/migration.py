"""Migrates the metadata database to the newest schema. A module of its own, since Alembic is slow to import."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, make_url, text

import migrations
from adapters.database.connections import connected, engine
from adapters.database.outages import not_made
from adapters.database.text_index import make_text_index
from adapters.database.transactions import translated
from adapters.settings.database_urls import database_place
from adapters.settings.settings import settings
from migrations.schema import make_schema
from models.errors import Conflict

_RIGHTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {user}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user}",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {user}",
    "REVOKE UPDATE ON access FROM {user}",
)
"""Of the user of Postgres that runs cellar. Another owns the tables, so no program of cellar drops a trigger that keeps
the rows of the access log, whatever it is made to do.
"""


def migrate() -> None:
    """Make the schema of an empty database, or apply the migrations that another lacks.

    The user who owns the tables does it, and lets the user who runs use them.

    Raises:
        Conflict: the database is from another build, whose migrations this one does not have. It stays as it is.
        Unusable: the file of the database cannot be made.
    """
    location = settings().database_location
    if location.startswith("sqlite"):
        _make_file(Path(database_place(location)))
    owner = settings().migration_database_url
    database = connected(owner) if owner else engine()
    found = revisions(database)
    if not found.is_known:
        raise Conflict(f"{found.unknown}; {found.advice}")
    config = _config()
    with translated(), database.connect() as connection:
        config.attributes["connection"] = connection
        if found.database is None:
            make_schema(connection)
            command.stamp(config, "head")
        else:
            command.upgrade(config, "head")
        make_text_index(connection)
        if owner:
            let_run(connection, location)
        connection.commit()
    if owner:
        database.dispose()


def remove_database() -> None:
    """Remove all tables with their rows, as the user who owns them: a restore that was killed begins them anew."""
    location = settings().database_location
    if location.startswith("sqlite"):
        engine().dispose()
        for end in ("", "-wal", "-shm"):
            Path(f"{database_place(location)}{end}").unlink(missing_ok=True)
        return
    database = connected(settings().migration_database_url or location)
    with translated(), database.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for name in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {quote(name)} CASCADE"))
        connection.execute(text("DROP FUNCTION IF EXISTS access_is_kept() CASCADE"))
    database.dispose()


def _make_file(path: Path) -> None:
    """Make an empty database: a connection makes none, since it may have been opened in a wrong folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=True)
    except OSError as error:
        raise not_made(error) from error


@dataclass(frozen=True, slots=True)
class Revisions:
    """The schema revision of the database, None before the first migration, and the newest revision of this build."""

    database: str | None
    newest: str | None
    is_known: bool
    """Whether this build has the revision of the database, if it has any. A newer build makes revisions of its own."""

    @property
    def unknown(self) -> str:
        """What is wrong with a revision that this build does not have."""
        return (
            f"the database has revision {self.database}, which this version does not know: another version has "
            "migrated it, mostly a newer one"
        )

    @property
    def advice(self) -> str:
        """What to do about such a revision."""
        rebuild = "let CELLAR_DATABASE_URL name an empty database, then run `cellar migrate` and `cellar rebuild`"
        return f"start that version again, or restore the database of before its upgrade; without either, {rebuild}"


def revisions(of: Engine | None = None) -> Revisions:
    """Return which schema the database has, or another database, and which schema this build expects."""
    ours = ScriptDirectory.from_config(_config())
    with translated(), (of or engine()).connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    is_known = found is None or found in {each.revision for each in ours.walk_revisions()}
    return Revisions(found, ours.get_current_head(), is_known)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def let_run(connection: Connection, location: str) -> None:
    """Give the user of a URL of Postgres the rights to run, unless it is the user who migrates.

    Args:
        connection: that of the user who migrates.
    """
    user = make_url(location).username
    if user is None or user == connection.engine.url.username:
        return
    quote = connection.dialect.identifier_preparer.quote
    names = {"schema": quote(connection.dialect.default_schema_name or "public"), "user": quote(user)}
    for each in _RIGHTS:
        connection.execute(text(each.format(**names)))
