"""Adds the shapes of archives, and the members of templates. Workers look at archives that are there."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, LargeBinary, String, text

revision = "0014_shapes"
down_revision = "0013_changes"
branch_labels = None
depends_on = None

_IS_DUE = text("members IS NULL")


def upgrade() -> None:
    op.create_table(
        "shape",
        Column("reference", String(255), primary_key=True),
        Column("template", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
        Column("made_at", DateTime(timezone=True), nullable=False),
        Column("members", LargeBinary),
    )
    op.create_index("ix_shape_template", "shape", ["template", "made_at"])
    op.create_index("ix_shape_due", "shape", ["made_at"], sqlite_where=_IS_DUE, postgresql_where=_IS_DUE)
    op.create_table(
        "shape_member",
        Column("template", BigInteger, primary_key=True),
        Column("number", Integer, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("template_id", "path", "parent", "place")),
        Column("type", String(48), nullable=False),
        Column("reference", String(255), nullable=False),
        Column("first_at", DateTime(timezone=True), nullable=False),
        Column("code", String(16)),
        Column("since", DateTime(timezone=True)),
        *(Column(name, Boolean, nullable=False) for name in ("is_open", "is_relied")),
        Column("told", DateTime(timezone=True)),
    )
    op.execute(
        "INSERT INTO shape (reference, template, version, made_at) "
        "SELECT a.reference, 0, v.version, "
        "CASE WHEN v.is_from_future OR v.event_at IS NULL THEN v.received_at ELSE v.event_at END FROM archive a "
        "JOIN version v ON v.receipt_id = a.current_receipt_id"
    )
