"""What a task works with: an archive as read from the store."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adapters import store
from adapters.settings import settings
from domain.json_text import parse
from domain.reading import read_archive
from domain.reconciliation import reconcile
from domain.rows import Rows, discrepancy_rows, rows_of
from flows.persisting import stored_contents
from flows.threads import checkpoint
from models.archive import Archive
from models.content import StoredContent
from models.finding import Discrepancy


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that follows from a receipt's skeleton and its stored contents."""

    receipt_id: str
    skeleton: bytes
    stored: list[StoredContent]
    archive: Archive
    discrepancies: list[Discrepancy]
    rows: Rows
    """Of every table: what the payload says and the discrepancies."""


def read_material(reference: str, receipt_id: str) -> Material:
    """Read back what `persist-files` left and derive the rest. Small: no file's content is read.

    Raises:
        FileNotFoundError: it left nothing.
        Transient: the store does not answer.
    """
    skeleton = store.read_bytes(store.skeleton_key(reference, receipt_id))
    stored = stored_contents(reference, receipt_id)
    unit = settings().amount_unit
    archive = read_archive(parse(skeleton), stored, ZoneInfo(settings().timezone))
    checkpoint()
    found = reconcile(archive.payments, archive.fields, archive.sessions, unit)
    rows = {**rows_of(archive, unit), **discrepancy_rows(reference, found)}
    return Material(receipt_id, skeleton, stored, archive, found, rows)
