"""Adds templates that people named, the titles of archives, and the values of facets."""

from alembic import op

revision = "0002_templates"
down_revision = "0001_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    json, moment = ("JSON", "DATETIME") if is_sqlite else ("JSONB", "TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE search_entry ADD COLUMN title VARCHAR")
    op.execute(
        "CREATE TABLE facet_value (facet BIGINT NOT NULL PRIMARY KEY, kind VARCHAR(24) NOT NULL, "
        "name VARCHAR NOT NULL, value VARCHAR NOT NULL)"
    )
    op.execute(
        f"CREATE TABLE template (key VARCHAR(64) NOT NULL PRIMARY KEY, id VARCHAR NOT NULL, words {json} NOT NULL, "
        f"changed_at {moment} NOT NULL, changed_by VARCHAR NOT NULL)"
    )
