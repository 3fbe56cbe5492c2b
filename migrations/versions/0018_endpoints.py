"""Endpoints filter by event and source alone, and share the pace of the queue. The settings make rows like any other.

An endpoint that filtered by template or label, or asked for values of fields, is disabled: it would hear more than
before, or miss what it relies on. The endpoints of `CELLAR_NOTIFY_URLS` keep what they heard as a filter, and get their
keys with the first event.
"""

import json

from alembic import op
from sqlalchemy import text

revision = "0018_endpoints"
down_revision = "0017_shapes_gone"
branch_labels = None
depends_on = None

_WHY = (
    "it filtered by template or label, or asked for values of fields, which endpoints no longer do; enable it for all "
    "archives, or remove it"
)
_DISABLE = """
UPDATE endpoint SET disabled_at = coalesce(disabled_at, CURRENT_TIMESTAMP), disabled_why = :why, "values" = :values
WHERE removed_at IS NULL AND (
    CAST(templates AS TEXT) <> '[]' OR CAST(labels AS TEXT) <> '{}' OR CAST(fields AS TEXT) <> '[]')
"""
_NAME_EVENTS = "UPDATE endpoint SET created_by = 'settings', events = :events WHERE is_declared"
_EVENTS = (
    *("archive.completed", "archive.failed", "archive.erased", "process.missing", "payments.discrepancies"),
    *("delivery.refused", "documents.judged_worse", "store.damaged", "store.unverified"),
    "receiver.refusing",
)
_GONE = ("is_declared", "templates", "labels", "fields", "rate_per_s", "pace_per_s", "free_at", "outages")


def upgrade() -> None:
    values = json.dumps({"disabled_why": {"code": "filter_gone", "values": {}}})
    json_type = "JSONB" if op.get_bind().dialect.name == "postgresql" else "TEXT"
    disable = _DISABLE.replace(":values", f"CAST(:values AS {json_type})")
    op.get_bind().execute(text(disable), {"why": _WHY, "values": values})
    name_events = _NAME_EVENTS.replace(":events", f"CAST(:events AS {json_type})")
    op.get_bind().execute(text(name_events), {"events": json.dumps(_EVENTS)})
    op.drop_index("ix_attempt_endpoint", "notification_attempt")
    for table, columns in {"endpoint": _GONE, "event": ("labels",), "notification_attempt": ("endpoint_name",)}.items():
        for column in columns:
            op.drop_column(table, column)
