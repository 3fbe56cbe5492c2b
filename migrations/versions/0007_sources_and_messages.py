"""Adds sources, session events, missing processes, endpoints and events, and what a message says of its attempts."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.ledger import create_views, drop_views

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_OF_A_SOURCE = ("archive", "receipt", "delivery", "refused")
_MESSAGE: list[sa.ColumnClause[Any]] = [
    sa.column(each) for each in ("message_id", "endpoint", "endpoint_name", "state", "attempts")
]
_TIMES_OF_MESSAGE: list[sa.ColumnClause[Any]] = [
    sa.column(each, sa.DateTime(timezone=True)) for each in ("next_attempt_at", "expires_at")
]
_INDEXED = {
    "archive": ("source",),
    "notification": ("endpoint_name", "event_id", "next_attempt_at"),
    "session_event": ("reference", "process_number", "transaction_number", "received_at", "decide_at"),
    "missing_process": ("source", "reference", "process_number", "transaction_number"),
    "event": ("reference", "receipt_id", "at"),
}


def _of_messages() -> list[sa.Column[Any]]:
    return [
        sa.Column("endpoint_name", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("event_id", sa.String(length=64), nullable=True),
        sa.Column("skipped_why", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _of_attempts() -> list[sa.Column[Any]]:
    return [
        sa.Column("trigger", sa.String(length=16), nullable=False, server_default="automatic"),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
    ]


def upgrade() -> None:
    drop_views()  # SQLite alters no table that a view reads
    for table in _OF_A_SOURCE:
        op.add_column(table, sa.Column("source", sa.String(length=64), nullable=False, server_default="default"))
    for column in _of_messages():
        op.add_column("notification", column)
    for column in _of_attempts():
        op.add_column("notification_attempt", column)
    _create_session_events()
    _create_missing_processes()
    _create_endpoints()
    _create_events()
    _complete_messages()
    for table, columns in _INDEXED.items():
        with op.batch_alter_table(table) as batch_op:
            for name in columns:
                batch_op.create_index(f"ix_{table}_{name}", [name], unique=False)
    create_views(with_source=True)


def _complete_messages() -> None:
    """Name the endpoints of the messages that are there, count their attempts, and make those that are pending due."""
    connection = op.get_bind()
    message, attempt = (
        sa.table("notification", *_MESSAGE, *_TIMES_OF_MESSAGE),
        sa.table("notification_attempt", sa.column("message_id")),
    )
    theirs = sa.select(sa.func.count()).select_from(attempt).where(attempt.c.message_id == message.c.message_id)
    connection.execute(sa.update(message).values(attempts=theirs.scalar_subquery()))
    for (url,) in connection.execute(sa.select(message.c.endpoint).distinct()).all():
        name = f"settings-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
        connection.execute(sa.update(message).where(message.c.endpoint == url).values(endpoint_name=name))
    now = datetime.now(UTC)
    due = {"next_attempt_at": now, "expires_at": now + timedelta(hours=75)}
    connection.execute(sa.update(message).where(message.c.state == "pending").values(**due))


def _create_session_events() -> None:
    op.create_table(
        "session_event",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("process_number", sa.BigInteger(), nullable=True),
        sa.Column("transaction_number", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch", sa.String(length=80), nullable=False, server_default=""),
        sa.Column("decide_at", sa.DateTime(timezone=True), nullable=True, server_default="1970-01-01 00:00:00"),
        sa.Column("is_answered", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("event_id"),
    )


def _create_missing_processes() -> None:
    op.create_table(
        "missing_process",
        sa.Column("missing_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("process_number", sa.BigInteger(), nullable=True),
        sa.Column("transaction_number", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alerted_h", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_why", sa.String(length=16), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("missing_id"),
    )
    op.create_index("ix_missing_process_open", "missing_process", ["closed_at", "deadline_at"], unique=False)


def _create_endpoints() -> None:
    op.create_table(
        "endpoint",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("is_declared", sa.Boolean(), nullable=False),
        sa.Column("signature", sa.String(length=16), nullable=False),
        sa.Column("keys", _JSON, nullable=False),
        sa.Column("headers", sa.String(), nullable=True),
        sa.Column("events", _JSON, nullable=False),
        sa.Column("sources", _JSON, nullable=False),
        sa.Column("templates", _JSON, nullable=False),
        sa.Column("labels", _JSON, nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("rate_per_s", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=True),
        sa.Column("actions", _JSON, nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.String(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_messages", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pace_per_s", sa.Float(), nullable=True),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_events() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("template_id", sa.String(), nullable=True),
        sa.Column("labels", _JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )


def downgrade() -> None:
    drop_views()
    for table in ("event", "endpoint", "missing_process", "session_event"):
        op.drop_table(table)
    for name in _INDEXED["notification"]:
        op.drop_index(f"ix_notification_{name}", "notification")
    op.drop_index("ix_archive_source", "archive")
    for column in _of_attempts():
        op.drop_column("notification_attempt", column.name)
    for column in _of_messages():
        op.drop_column("notification", column.name)
    for table in _OF_A_SOURCE:
        op.drop_column(table, "source")
    create_views()
