"""Runs the migrations on the connection that `adapters.database.migration.migrate` passes."""

from alembic import context
from sqlmodel import SQLModel

# Each import registers its tables.
import models.archive.archive
import models.archive.signed_document
import models.completeness.missing_process
import models.completeness.session_event
import models.messages.endpoint
import models.messages.event
import models.messages.notification
import models.payments.discrepancy
import models.people.letter
import models.people.notice
import models.runs.bulk
import models.runs.receipt
import models.runs.refused
import models.runs.run
import models.runs.task_result
import models.runs.worker
import models.settlements.settlement  # noqa: F401

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
