"""Loads what a payload says into the database."""

from adapters import archives, receipts
from domain.versions import Age, supersedes
from flows.material import Material
from models.finding import DiscrepancyRow
from models.receipt import VersionRow


def load(material: Material) -> None:
    """Put an archived receipt on record: as a version, with its rows if it is the current one, or as a delivery of one.

    Done again, it changes nothing.
    """
    archive, request = material.archive, material.request
    received_at = receipts.get(request.receipt_id).received_at
    if not request.is_version:
        archives.repeat(archive.reference, request.receipt_id, request.version, archive.event_at or received_at)
        return
    version = VersionRow(
        receipt_id=request.receipt_id,
        reference=archive.reference,
        version=request.version,
        event_at=archive.event_at,
        received_at=received_at,
        skeleton=material.skeleton,
    )
    described = {"template_id": archive.template_id, "process_number": archive.process_number}
    rows = {table: rows for table, rows in material.rows.items() if table is not DiscrepancyRow}
    archives.load(version, described, rows, lambda candidate, current: supersedes(_age(candidate), _age(current)))


def _age(version: VersionRow) -> Age:
    return Age(version.event_at, version.received_at, version.receipt_id)
