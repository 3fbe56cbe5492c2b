"""The flow `anchor-archives`: compares the store each day with the newest anchor of the witness, and makes the next.

It compares first: anchors that were rewritten in the store keep the next anchor from being made.
"""

from datetime import UTC, datetime

from prefect import get_run_logger
from prefect.artifacts import acreate_markdown_artifact

from adapters.files import bucket
from adapters.platform.cancellation import in_thread
from flows.endpoints import report_findings
from flows.execution.tasks import counted, name_run, of_cellar, optional_summary
from models.errors import Conflict, Transient
from services.anchors.anchors import Held
from services.anchors.making import Made, make
from services.custody.comparing import compare
from services.health.probes import found_root


@of_cellar("anchor-archives", "anchor archives")
async def anchor_archives(whole: bool = False) -> None:
    """Compare the store with the newest anchor, and notify the endpoints of what is found. Make the next anchor, of the
    changed archives or of the whole store. Fail if anything was found, or the anchor lacks anything.

    Raises:
        Conflict: the store is not as anchored, the anchor lacks damaged objects, or anchors were removed or rewritten.
        Transient: the store or the database does not answer, or the anchor lacks a time stamp or the witness. The next
            run brings them what they lack.
    """
    log = get_run_logger()
    with bucket.patient():
        compared = await in_thread(_compared)
    log.info("compared with anchor %s: %d covered, %d not", compared.number, compared.covered, compared.uncovered)
    await report_findings(compared.findings)
    with bucket.patient():
        made = await in_thread(make, datetime.now(UTC), whole=whole)
    statement = made.anchor.statement
    log.info("anchor %d with %d leaves has the root %s", statement.number, statement.leaves, made.anchor.root)
    await name_run([f"anchored {counted(statement.leaves, 'object')} as anchor {statement.number}"])
    with optional_summary():
        await acreate_markdown_artifact(key="anchor", markdown=_page(made), description="The anchor that this run made")
    if compared.findings:
        raise Conflict(f"{len(compared.findings)} findings: the store is not as anchored; see the artifact of this run")
    if lacks := list(filter(None, [compared.failure, *made.lacks])):
        raise Transient("; ".join(lacks))
    if made.damaged:
        raise Conflict(f"{len(made.damaged)} damaged objects are not in the anchor; see `cellar verify`")


def _page(made: Made) -> str:
    statement = made.anchor.statement
    return (
        f"# Anchor {statement.number}\n\n"
        f"Of {statement.at:%Y-%m-%d %H:%M:%S} UTC, over {statement.leaves:,} objects that are new or have changed.\n\n"
        f"Root, to be kept elsewhere: `{made.anchor.root}`\n\n"
        f"Fingerprint of the key that signed it (SHA-256): `{made.fingerprint}`\n\n"
        f"Not in it, because they are damaged: {len(made.damaged)}\n"
    )


def _compared() -> Held:
    found_root()  # else an empty folder in place of the store would be compared, and anchored
    return compare(datetime.now(UTC))
