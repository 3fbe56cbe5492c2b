"""Runs the migrations on the connection that `adapters.database.migration.migrate` passes."""

from alembic import context
from sqlmodel import SQLModel

import models.every_table  # noqa: F401

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
