"""Alembic's environment. `adapters.database.migrate` hands the connection over."""

from alembic import context
from sqlmodel import SQLModel

import models.archive
import models.discrepancy
import models.notification
import models.receipt
import models.run
import models.settlement
import models.worker  # noqa: F401  # each import registers its tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
