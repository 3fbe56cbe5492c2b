"""Dismisses findings: a person says that a process is not missing, or will not come."""

from datetime import datetime

from adapters.tables.completeness import missing_processes
from models.errors import Refused
from models.views.archives.missing import MissingView
from models.views.parameters import Dismissal
from services.views import troubles


def dismiss(missing_id: str, dismissal: Dismissal, now: datetime) -> MissingView:
    """Close an open finding for a person, and return it. A later submission of the process opens another.

    Raises:
        Refused: there is no such finding, or it is closed.
        Transient: the database does not answer.
    """
    was_open = missing_processes.dismiss(missing_id, dismissal.by, dismissal.why, now)
    row = missing_processes.find(missing_id)
    if row is None:
        raise Refused("UNKNOWN_FINDING", "no missing process has this id; try `cellar missing list`", status=404)
    if not was_open:
        raise Refused("FINDING_CLOSED", f"the finding is closed already: {row.closed_why}", status=409)
    return troubles.missing_view(row, now)
