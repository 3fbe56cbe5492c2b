"""Adds the later judgements on a signed document, and the trust roots of the last of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("signed_document", sa.Column("roots", sa.String(length=64), nullable=True))
    op.add_column("signed_document", sa.Column("judgements", _JSON, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("signed_document", "judgements")
    op.drop_column("signed_document", "roots")
