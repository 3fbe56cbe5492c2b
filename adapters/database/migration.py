"""Migrates the metadata database to the newest schema. A module of its own, since Alembic is slow to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import migrations
from adapters.database.transactions import engine, translated
from adapters.platform.settings import settings


def migrate() -> None:
    """Apply the missing migrations, if any.

    Raises:
        Transient: the database does not answer.
    """
    location = settings().database_location
    if location.startswith("sqlite:///"):
        Path(location.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with translated(), engine().connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
