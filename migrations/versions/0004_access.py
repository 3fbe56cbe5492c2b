"""Adds the access log, and which of its rows are still to be sent elsewhere.

Triggers keep its rows from being changed, and from being deleted within 24 months: also from a faulty program.
"""

from alembic import op

revision = "0004_access"
down_revision = "0003_withdrawn"
branch_labels = None
depends_on = None

_SQLITE = (
    "CREATE TRIGGER access_unchanged BEFORE UPDATE ON access BEGIN SELECT RAISE(ABORT, 'access is append-only'); END",
    "CREATE TRIGGER access_kept BEFORE DELETE ON access WHEN old.at > datetime('now', '-731 days') "
    "BEGIN SELECT RAISE(ABORT, 'access is kept for 24 months'); END",
)
_POSTGRES = (
    "CREATE FUNCTION access_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'DELETE' AND old.at <= now() - interval '731 days' THEN RETURN old; END IF; "
    "RAISE EXCEPTION 'access is append-only, and kept for 24 months'; END $$",
    "CREATE TRIGGER access_kept BEFORE UPDATE OR DELETE ON access FOR EACH ROW EXECUTE FUNCTION access_is_kept()",
    "CREATE TRIGGER access_whole BEFORE TRUNCATE ON access FOR EACH STATEMENT EXECUTE FUNCTION access_is_kept()",
)


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
        "CREATE TABLE unsent_access (chain VARCHAR(16) NOT NULL, number BIGINT NOT NULL, "
        f"at {moment} NOT NULL, PRIMARY KEY (chain, number))"
    )
    for statement in _SQLITE if is_sqlite else _POSTGRES:
        op.execute(statement)
