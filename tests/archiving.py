"""Archives taken to their end in this process, by the functions that the flow calls: no Prefect is needed."""

from datetime import UTC, datetime

from adapters import archives, receipts
from adapters.inbox import Intake
from adapters.settings import settings
from domain.rows import discrepancy_rows, rows_of
from domain.versions import Age, supersedes
from flows.completion import complete
from flows.material import read_material
from flows.persisting import persist
from models.receipt import VersionRow


def archived(reference: str, body: bytes, received_at: datetime | None = None) -> str:
    """An archive of the installation, received, registered and taken to its end; returns the receipt id."""
    intake = Intake(settings().inbox_dir)
    intake.write(body)
    sending = intake.accept(reference, received_at or datetime.now(UTC), {"content-type": "application/json"})
    receipts.register(sending)
    persist(reference, sending.receipt_id)
    material = read_material(reference, sending.receipt_id)
    archive = material.archive
    version = VersionRow(
        receipt_id=sending.receipt_id,
        reference=reference,
        version=0,
        event_at=archive.event_at,
        received_at=sending.received_at,
        skeleton=material.skeleton,
    )
    described = {"template_id": archive.template_id, "process_number": archive.process_number}
    archives.load(version, described, rows_of(archive, settings().amount_unit), _supersedes)
    archives.replace_rows(reference, sending.receipt_id, discrepancy_rows(reference, material.discrepancies))
    complete(material)
    return sending.receipt_id


def _supersedes(candidate: VersionRow, current: VersionRow) -> bool:
    ages = [Age(each.event_at, each.received_at, each.receipt_id) for each in (candidate, current)]
    return supersedes(*ages)
