"""Keeps role, scope and address of each login. Whoever is signed in signs in again."""

from alembic import op

revision = "0005_logins"
down_revision = "0004_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    moment = "DATETIME" if is_sqlite else "TIMESTAMP WITH TIME ZONE"
    op.execute("DROP TABLE login")
    op.execute(
        "CREATE TABLE login (session VARCHAR(64) NOT NULL PRIMARY KEY, person VARCHAR(255) NOT NULL, "
        "role VARCHAR(16) NOT NULL, scope VARCHAR, signed_in_by VARCHAR(16) NOT NULL, address VARCHAR(64) NOT NULL, "
        f"token VARCHAR(64), began_at {moment} NOT NULL, seen_at {moment} NOT NULL, ends_at {moment} NOT NULL)"
    )
    op.execute("CREATE INDEX ix_login_person ON login (person)")
    op.execute("CREATE INDEX ix_login_ends_at ON login (ends_at)")
