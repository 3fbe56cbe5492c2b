"""Lets archives that need attention, and those that two sources have sent, be found by a facet, as they stand now."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# The facets are digests of `domain/search/facets.py`. A program that knew them, and worked before this migration, may
# have written some of them already.
_SOURCES_DIFFER = sa.text("""
    INSERT INTO search_facet (entry_id, kind, facet)
    SELECT id, 'sources', 1793682069250931537 FROM search_entry WHERE reference IN (
        SELECT delivery.reference FROM delivery JOIN archive ON archive.reference = delivery.reference
        WHERE delivery.source <> archive.source
    )
    ON CONFLICT DO NOTHING
""")
_NEED_ATTENTION = sa.text("""
    INSERT INTO search_facet (entry_id, kind, facet)
    SELECT id, 'attention', 6730297767502990248 FROM search_entry WHERE reference IN (
        SELECT reference FROM archive WHERE state = 'failed'
        UNION SELECT reference FROM warning
        UNION SELECT reference FROM discrepancy WHERE state = 'open'
        UNION SELECT reference FROM refused WHERE released_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM delivery
            WHERE delivery.reference = refused.reference AND delivery.received_at >= refused.received_at
        )
    ) OR id IN (SELECT entry_id FROM search_facet WHERE kind = 'sources')
    ON CONFLICT DO NOTHING
""")


def upgrade() -> None:
    op.execute(_SOURCES_DIFFER)
    op.execute(_NEED_ATTENTION)


def downgrade() -> None:
    op.execute("DELETE FROM search_facet WHERE kind IN ('attention', 'sources')")
