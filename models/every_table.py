"""Imports the rows of every table: each import registers its tables with SQLModel.

Migrations compare the database with them, and a move copies them.
"""

import models.access
import models.archive.archive
import models.archive.content
import models.changes
import models.completeness.processes
import models.discrepancies
import models.erasures
import models.messages.notification
import models.payments
import models.people
import models.runs.batch
import models.runs.receipt
import models.search
import models.settlements.settlement
import models.store.condition
import models.store.happened
import models.tables
import models.templates  # noqa: F401
