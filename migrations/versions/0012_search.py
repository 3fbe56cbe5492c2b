"""Adds what archives are found by: entries with a text, facets, and on SQLite an index of the text's trigrams."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TRIGGERS = {
    "search_entry_added": "INSERT ON search_entry BEGIN {add}; END",
    "search_entry_removed": "DELETE ON search_entry BEGIN {remove}; END",
    "search_entry_changed": "UPDATE OF id, text ON search_entry BEGIN {remove}; {add}; END",
}
_ADD = "INSERT INTO search_text (rowid, text) VALUES (new.id, new.text)"
_REMOVE = "INSERT INTO search_text (search_text, rowid, text) VALUES ('delete', old.id, old.text)"


def upgrade() -> None:
    id_type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "search_entry",
        sa.Column("id", id_type, autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_table(
        "search_facet",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("facet", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "kind", "facet"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_search_facet_facet", "search_facet", ["facet", "entry_id"], unique=False)
    op.create_table(
        "search_progress",
        sa.Column("searchable", sa.String(length=64), nullable=False),
        sa.Column("last", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("searchable"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _index_text()


def _index_text() -> None:
    """Make the index of trigrams. It keeps no positions: a found text is compared with the whole term anyway."""
    op.execute(
        "CREATE VIRTUAL TABLE search_text USING fts5(text, content='search_entry', content_rowid='id', "
        "tokenize='trigram', detail='none', columnsize=0)"
    )
    for name, body in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} AFTER {body.format(add=_ADD, remove=_REMOVE)}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in _TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE search_text")
    for name in ("search_progress", "search_facet", "search_entry"):
        op.drop_table(name)
