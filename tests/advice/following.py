"""Follows advice: runs the commands that its text names, as they stand, and does what a person is asked to do."""

from collections.abc import Callable
from datetime import UTC, datetime

from adapters.tables.runs import receipts
from domain.runs import cause_of
from models.access import CELLAR
from models.runs.batch import BatchKind
from models.runs.receipt import Cause
from models.views.archives.archives import ArchiveQuery
from models.views.parameters import PageQuery
from services.batches import batches
from services.receipts import latest_receipt_id
from services.views import archive_list
from tests.advice.named import commands_in, plain_commands_in
from tests.batches import driven
from tests.cli.conftest import Cellar, Ended
from tests.installations import finished

PROGRAMS = {"up", "api", "worker"}
"""Commands that run until they are stopped. `tests/end_to_end` starts each."""


def followed(cellar: Cellar, advice: str, **values: str) -> dict[str, Ended]:
    """Run each command that an advice names, and return how each ended. `values` stand for `NAME`, `REFERENCE`, ….

    A re-run or redelivery is planned by the command, and executed as a worker does.
    """
    ended = {}
    for command in commands_in(advice) or plain_commands_in(advice):
        words = [values.get(each, each) for each in command.split()]
        if words[0] in PROGRAMS or (words[0] == "restore" and "--drill" not in words):  # `test_damage` follows that
            continue
        if words[0] == "rerun":
            _rerun(cellar, words[1:] or [values["REFERENCE"]])
        else:
            ended[command] = cellar(*words)
            if "add --yes" in ended[command].errors:  # on a terminal it asks, and a person says yes
                ended[command] = cellar(*words, "--yes")
            assert ended[command].status in (0, 1), ended[command].errors
            if words[:2] == ["endpoints", "redeliver"]:
                driven(batches.page(PageQuery(), BatchKind.REDELIVER).items[0].id)
    return ended


def ran(reference: str, work: Callable[[str, str], object] = finished) -> Cause | None:
    """Run the latest receipt of a process as a worker does. Keep why that failed, and return it."""
    receipt_id = latest_receipt_id(reference)
    try:
        work(reference, receipt_id)
    except Exception as error:  # noqa: BLE001 -- whatever ends a run is kept, as in the flow
        cause = cause_of(error, None)
        receipts.set_failed(receipt_id, cause, datetime.now(UTC))
        return cause
    return None


def _rerun(cellar: Cellar, arguments: list[str]) -> None:
    references = arguments
    if "--failed" in arguments:
        planned = cellar("rerun", *arguments, "--dry-run", "--json")
        assert planned.status == 0, planned.errors
        cause = arguments[arguments.index("--cause") + 1]
        references = [
            each.reference for each in archive_list.page(ArchiveQuery(state="failed", cause=cause), CELLAR).items
        ]
    for each in references:
        ran(each)
