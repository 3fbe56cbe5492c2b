"""The body of each type of event."""

from collections.abc import Mapping

from models.messages.archive_bodies import (
    ArchiveAttention,
    ArchiveChanged,
    ArchiveCompleted,
    ArchiveFailed,
    ProcessMissing,
)
from models.messages.body import Body
from models.messages.event import EventType
from models.messages.report_bodies import (
    DeliveryRefused,
    DocumentsJudgedWorse,
    EndpointTest,
    PaymentsDiscrepancies,
    ReceiverRefusing,
    StoreDamaged,
    StoreUnverified,
)

BODIES: Mapping[EventType, type[Body]] = {
    EventType.ARCHIVE_COMPLETED: ArchiveCompleted,
    EventType.ARCHIVE_CHANGED: ArchiveChanged,
    EventType.ARCHIVE_ATTENTION: ArchiveAttention,
    EventType.ARCHIVE_FAILED: ArchiveFailed,
    EventType.PROCESS_MISSING: ProcessMissing,
    EventType.PAYMENTS_DISCREPANCIES: PaymentsDiscrepancies,
    EventType.DELIVERY_REFUSED: DeliveryRefused,
    EventType.DOCUMENTS_JUDGED_WORSE: DocumentsJudgedWorse,
    EventType.STORE_DAMAGED: StoreDamaged,
    EventType.STORE_UNVERIFIED: StoreUnverified,
    EventType.RECEIVER_REFUSING: ReceiverRefusing,
    EventType.ENDPOINT_TEST: EndpointTest,
}
