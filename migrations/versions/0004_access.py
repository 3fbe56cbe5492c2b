"""Adds the access log, and which of its rows are still to be sent elsewhere."""

from alembic import op

revision = "0004_access"
down_revision = "0003_withdrawn"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    json, moment = ("JSON", "DATETIME") if is_sqlite else ("JSONB", "TIMESTAMP WITH TIME ZONE")
    op.execute(
        f"CREATE TABLE access (chain VARCHAR(16) NOT NULL, number BIGINT NOT NULL, at {moment} NOT NULL, "
        "person VARCHAR(255) NOT NULL, role VARCHAR(16) NOT NULL, action VARCHAR(32) NOT NULL, "
        "reference VARCHAR(255), outcome VARCHAR(16) NOT NULL, address VARCHAR(64) NOT NULL, "
        f"detail {json} NOT NULL, digest VARCHAR(64) NOT NULL, PRIMARY KEY (chain, number))"
    )
    op.execute("CREATE INDEX ix_access_at ON access (at)")
    op.execute("CREATE INDEX ix_access_person ON access (person, at)")
    op.execute("CREATE INDEX ix_access_action ON access (action, at)")
    op.execute("CREATE INDEX ix_access_reference ON access (reference, at) WHERE reference IS NOT NULL")
    op.execute(
        "CREATE TABLE unsent_access (chain VARCHAR(16) NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (chain, number))"
    )
