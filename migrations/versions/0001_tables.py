"""Creates every table and the views of the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.ledger import create_views, drop_views

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TABLES = [
    "archive",
    "claim",
    "damaged_report",
    "delivery",
    "discrepancy",
    "discrepancy_event",
    "discrepancy_log",
    "file",
    "form_field",
    "integration",
    "invitation",
    "label",
    "lease",
    "notification",
    "notification_attempt",
    "payment",
    "payment_key",
    "receipt",
    "run",
    "session",
    "settlement_candidate",
    "settlement_entry",
    "settlement_report",
    "signature",
    "signed_document",
    "version",
    "warning",
    "worker",
]


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("template_id", sa.String(), nullable=True),
        sa.Column("process_number", sa.BigInteger(), nullable=True),
        sa.Column("current_receipt_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("reference"),
    )
    with op.batch_alter_table("archive") as batch_op:
        batch_op.create_index("ix_archive_process_number", ["process_number"], unique=False)
        batch_op.create_index("ix_archive_received_at", ["received_at"], unique=False)
        batch_op.create_index("ix_archive_state", ["state"], unique=False)
        batch_op.create_index("ix_archive_template_id", ["template_id"], unique=False, postgresql_using="hash")

    op.create_table(
        "claim",
        sa.Column("flow_run_id", sa.String(length=36), nullable=False),
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("flow_run_id"),
    )
    with op.batch_alter_table("claim") as batch_op:
        batch_op.create_index("ix_claim_worker_id", ["worker_id"], unique=False)

    op.create_table(
        "damaged_report",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.String(length=64), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("flow_run_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.create_index("ix_delivery_receipt_id", ["receipt_id"], unique=False)
        batch_op.create_index("ix_delivery_reference", ["reference"], unique=False)

    op.create_table(
        "discrepancy",
        sa.Column("discrepancy_id", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("discrepancy_id"),
    )
    with op.batch_alter_table("discrepancy") as batch_op:
        batch_op.create_index("ix_discrepancy_code", ["code"], unique=False)
        batch_op.create_index("ix_discrepancy_reference", ["reference"], unique=False)
        batch_op.create_index("ix_discrepancy_state", ["state"], unique=False)

    op.create_table(
        "discrepancy_event",
        sa.Column("discrepancy_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("discrepancy_id", "number"),
    )
    op.create_table(
        "discrepancy_log",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reference"),
    )
    op.create_table(
        "file",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("element_id", sa.String(), nullable=True),
        sa.Column("filename", sa.String(), nullable=True),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("looks_like", sa.String(), nullable=True),
        sa.Column("infection", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("file") as batch_op:
        batch_op.create_index("ix_file_sha256", ["sha256"], unique=False)

    op.create_table(
        "form_field",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("value", JSON, nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=True),
        sa.Column("page", sa.BigInteger(), nullable=True),
        sa.Column("top", sa.Float(), nullable=True),
        sa.Column("left", sa.Float(), nullable=True),
        sa.Column("width", sa.Float(), nullable=True),
        sa.Column("height", sa.Float(), nullable=True),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    op.create_table(
        "integration",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("session_position", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", JSON, nullable=False),
        sa.PrimaryKeyConstraint("reference", "session_position", "position"),
    )
    op.create_table(
        "invitation",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("session_position", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("reference", "session_position", "position"),
    )
    op.create_table(
        "label",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("session_position", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("reference", "session_position", "position"),
    )
    with op.batch_alter_table("label") as batch_op:
        batch_op.create_index("ix_label_value", ["value"], unique=False, postgresql_using="hash")

    op.create_table(
        "lease",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reference"),
    )
    op.create_table(
        "notification",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )
    with op.batch_alter_table("notification") as batch_op:
        batch_op.create_index("ix_notification_receipt_id", ["receipt_id"], unique=False)
        batch_op.create_index("ix_notification_reference", ["reference"], unique=False)

    op.create_table(
        "notification_attempt",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "attempt"),
    )
    op.create_table(
        "payment",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("card_mask", sa.String(), nullable=True),
        sa.Column("card_brand", sa.String(), nullable=True),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.Column("provider_reference", sa.String(), nullable=True),
        sa.Column("cguid_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("authorisation_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("instalments", sa.Integer(), nullable=True),
        sa.Column("first_minor", sa.BigInteger(), nullable=True),
        sa.Column("periodical_minor", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("payment") as batch_op:
        batch_op.create_index("ix_payment_authorisation_fingerprint", ["authorisation_fingerprint"], unique=False)
        batch_op.create_index("ix_payment_cguid_fingerprint", ["cguid_fingerprint"], unique=False)
        batch_op.create_index("ix_payment_paid_on", ["paid_on"], unique=False)
        batch_op.create_index("ix_payment_payment_id", ["payment_id"], unique=False)
        batch_op.create_index("ix_payment_transaction_id", ["transaction_id"], unique=False, postgresql_using="hash")

    op.create_table(
        "payment_key",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("cguid_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("authorisation_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("instalments", sa.Integer(), nullable=True),
        sa.Column("first_minor", sa.BigInteger(), nullable=True),
        sa.Column("periodical_minor", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("payment_key") as batch_op:
        batch_op.create_index("ix_payment_key_authorisation_fingerprint", ["authorisation_fingerprint"], unique=False)
        batch_op.create_index("ix_payment_key_cguid_fingerprint", ["cguid_fingerprint"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
    )
    with op.batch_alter_table("receipt") as batch_op:
        batch_op.create_index("ix_receipt_reference", ["reference"], unique=False)

    op.create_table(
        "run",
        sa.Column("flow_run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failed_task", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("flow_run_id", "attempt"),
    )
    with op.batch_alter_table("run") as batch_op:
        batch_op.create_index("ix_run_receipt_id", ["receipt_id"], unique=False)
        batch_op.create_index("ix_run_reference", ["reference"], unique=False)

    op.create_table(
        "session",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("process_id", sa.String(), nullable=True),
        sa.Column("process_number", sa.BigInteger(), nullable=True),
        sa.Column("transaction_number", sa.BigInteger(), nullable=True),
        sa.Column("template_id", sa.String(), nullable=True),
        sa.Column("recipient_id", sa.String(), nullable=True),
        sa.Column("recipient_name", sa.String(), nullable=True),
        sa.Column("recipient", JSON, nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("submission_details", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("session") as batch_op:
        batch_op.create_index("ix_session_id", ["id"], unique=False, postgresql_using="hash")
        batch_op.create_index("ix_session_process_number", ["process_number"], unique=False)
        batch_op.create_index("ix_session_transaction_number", ["transaction_number"], unique=False)

    op.create_table(
        "settlement_candidate",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("reference", "fingerprint"),
    )
    op.create_table(
        "settlement_entry",
        sa.Column("entry_id", sa.String(length=32), nullable=False),
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cguid_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("authorisation_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.Column("instalment", sa.Integer(), nullable=True),
        sa.Column("instalments", sa.Integer(), nullable=True),
        sa.Column("match", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    with op.batch_alter_table("settlement_entry") as batch_op:
        batch_op.create_index(
            "ix_settlement_entry_authorisation_fingerprint", ["authorisation_fingerprint"], unique=False
        )
        batch_op.create_index("ix_settlement_entry_cguid_fingerprint", ["cguid_fingerprint"], unique=False)
        batch_op.create_index("ix_settlement_entry_match", ["match"], unique=False)
        batch_op.create_index("ix_settlement_entry_payment_id", ["payment_id"], unique=False)
        batch_op.create_index("ix_settlement_entry_reference", ["reference"], unique=False)
        batch_op.create_index("ix_settlement_entry_report_id", ["report_id"], unique=False)
        batch_op.create_index("ix_settlement_entry_settled_on", ["settled_on"], unique=False)

    op.create_table(
        "settlement_report",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=True),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("is_judged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_table(
        "signature",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signer_id", sa.String(), nullable=True),
        sa.Column("signer_name", sa.String(), nullable=True),
        sa.Column("labels", JSON, nullable=False),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    op.create_table(
        "signed_document",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("verdict", JSON, nullable=False),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("signed_document") as batch_op:
        batch_op.create_index("ix_signed_document_outcome", ["outcome"], unique=False)

    op.create_table(
        "version",
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("skeleton", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
        sa.UniqueConstraint("reference", "version"),
    )
    with op.batch_alter_table("version") as batch_op:
        batch_op.create_index("ix_version_reference", ["reference"], unique=False)

    op.create_table(
        "warning",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("where", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("warning") as batch_op:
        batch_op.create_index("ix_warning_code", ["code"], unique=False)

    op.create_table(
        "worker",
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id"),
    )
    create_views()


def downgrade() -> None:
    drop_views()
    for table in _TABLES:
        op.drop_table(table)
