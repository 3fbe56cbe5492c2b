"""The flow `verify-archives`: checks the store against its digests, and notifies people of damage."""

import time
from datetime import UTC, datetime
from typing import Annotated

from prefect import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from adapters.files import bucket
from adapters.platform.cancellation import in_thread
from adapters.tables.archives import archives
from domain.messages.bodies import report
from flows.endpoints import notify_endpoints, report_findings
from flows.execution.tasks import counted, name_run, of_cellar
from models.errors import Conflict
from models.messages.bodies import Unverified
from models.messages.notification import EventType
from models.store.fixity import NOTHING, Fixity
from services.custody.remembering import Memory, remember_check
from services.custody.verifying import absent_store


@of_cellar("verify-archives", "verify archives")
async def verify_archives(share: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0) -> None:
    """Verify a random share of the archives. Fail, and notify the endpoints, if damage is found or the check breaks.

    Prefect refuses a share out of bounds when a run is created, before it starts: a typing error notifies nobody.

    Raises Conflict if the store is damaged; `cellar verify` reports the same at the command line.
    """
    log = get_run_logger()
    try:
        fixity = await in_thread(_verify, share)
    except Exception:  # whatever breaks the check, people hear of it; it is raised again
        await in_thread(remember_check, is_broken=True)
        await notify_endpoints(report(EventType.STORE_UNVERIFIED, flow_run.id, datetime.now(UTC), Unverified()))
        raise
    await in_thread(remember_check, is_broken=False)
    log.info("%d archives, %d files, %d bytes were read", fixity.objects, fixity.files, fixity.size_bytes)
    findings = [f"found {counted(len(fixity.findings), 'fault')}"] if fixity.findings else []
    await name_run([f"verified {counted(fixity.objects, 'archive')}", *findings])
    await report_findings(fixity.gravest_first, is_sound=fixity.is_sound)
    if not fixity.is_sound:
        raise Conflict(
            f"{len(fixity.findings)} findings in the store; `cellar verify` names them, and the artifact of this run"
        )


def _verify(share: float) -> Fixity:
    memory = Memory()
    with bucket.patient():
        if absent := absent_store():
            memory.end_of_store(absent)
            return NOTHING if archives.is_empty() else absent
        return memory.check_store(share, time.time_ns())[0]
