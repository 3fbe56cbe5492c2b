"""Sends the access log elsewhere, beside all answers: what is not taken waits in the database, and is sent later."""

import secrets

from adapters.peers.access_log import give
from adapters.settings.settings import settings
from adapters.tables import access
from adapters.tables.runs import leases
from domain.access_log import ecs_line

_MOST_AT_ONCE = 500
_LEASE_S = 60.0
_ME = secrets.token_hex(8)


def send_waiting() -> None:
    """Send what waits, unless another receiver does so. What is killed after it sent some sends these again.

    Raises:
        Transient: the place does not take it, or the database does not answer.
    """
    while (rows := access.unsent(_MOST_AT_ONCE)) and leases.take_access(_ME, _LEASE_S):
        give(settings().access_log_url, [(row.at, ecs_line(row)) for row in rows])
        access.sent(rows)
