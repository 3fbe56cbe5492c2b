"""The flow `verify-archives`: the store still holds what was written into it, or people are told."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact

from adapters import bucket, downstream
from adapters.settings import settings
from domain.notification import store_damaged, store_unverified
from flows.results import RESULTS
from flows.threads import in_thread
from flows.verifying import drawn, missing, stored_objects, verify_beside, verify_objects
from models.errors import Conflict, Transient
from models.fixity import Fixity, StoredObject

_MOST_SHOWN = 100


@flow(name="verify-archives", result_storage=RESULTS, persist_result=False)
async def verify_archives(share: float = 1.0) -> None:
    """Verify a share of the archives, drawn by chance; fail, and tell the endpoints, when one is not as it was written,
    or when the check itself breaks.

    Raises:
        Refused: the share is none.
        Conflict: the store is damaged; `cellar verify` tells the same at the command line.
        Transient: store or database does not answer.
    """
    log = get_run_logger()
    try:
        fixity = await in_thread(_verify, share)
    except Exception:
        await _tell(None)
        raise
    log.info("%d archives, %d files, %d bytes were read", fixity.objects, fixity.files, fixity.size_bytes)
    for finding in fixity.findings[:_MOST_SHOWN]:
        log.warning("%s: %s: expected %s, found %s", finding.fault, finding.key, finding.expected, finding.found)
    if fixity.is_sound:
        return
    shown = [{"file": each.key, "fault": each.fault} for each in fixity.findings[:_MOST_SHOWN]]
    await acreate_table_artifact(shown, key="store-damaged", description=f"{len(fixity.findings)} findings in all")
    await _tell(len(fixity.findings))
    raise Conflict(f"{len(fixity.findings)} findings in the store; see the log of the run, and `cellar verify`")


async def _tell(findings: int | None) -> None:
    message_id = f"msg_{uuid4().hex}"
    told = (raise_alarm(endpoint, message_id, findings) for endpoint in settings().notify_urls)
    await asyncio.gather(*told, return_exceptions=True)  # their task runs tell; the flow fails for its own reason


@task(name="raise-alarm", retries=4, retry_delay_seconds=[2, 4, 8, 16])
async def raise_alarm(endpoint: str, message_id: str, findings: int | None) -> None:
    """Tell an endpoint that the store is damaged, or, without a number of findings, that nobody knows."""
    now = datetime.now(UTC)
    body = store_unverified(now) if findings is None else store_damaged(findings, now)
    status_code = await downstream.post(endpoint, message_id, body, now)
    if not 200 <= status_code < 300:
        raise Transient(f"message {message_id} is not confirmed: the endpoint answered {status_code}")


def _verify(share: float) -> Fixity:
    seen: set[str] = set()

    def listed() -> Iterator[StoredObject]:
        for each in stored_objects():
            seen.add(each.key)
            yield each

    with bucket.patient():
        fixity = verify_objects(drawn(listed(), share, time.time_ns()))
        return fixity + missing(seen) + verify_beside()
