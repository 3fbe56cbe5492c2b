"""The public links that were revoked, `links/RECEIPT.json` each in the store, so that a rebuild knows them."""

from adapters.files.store import store
from adapters.store.records import Records
from models.access import RevokedLink

RECORDS = Records("links", RevokedLink, "revoked link", lambda each: each.receipt_id)


def is_revoked(receipt_id: str) -> bool:
    """Return whether a link was revoked. The record's file alone says so: a damaged one opens nothing."""
    return store().size(RECORDS.key_of(receipt_id)) is not None
