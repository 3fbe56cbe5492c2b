"""Checks that the database's server takes the connections of all programs of the installation at their busiest.

A server that has none left turns programs away one after the other, under load and never before.
"""

from adapters.database import facts
from adapters.database.facts import Connections
from adapters.database.outages import Program, most_connections
from adapters.settings.settings import settings
from models.errors import System
from models.views.health import Check, Verdict
from services.health.bounded import Probe

_NAME = "connections"
_FOR_COMMANDS = 4
_MARGIN = 20
_RECEIVER, _WORKER = Program.RECEIVER, Program.WORKER
_UNKNOWN = "check the database first"


def connection_probes() -> list[Probe]:
    """Return the check of the connections, where the database is a server."""
    if settings().database_location.startswith("sqlite"):
        return []
    return [Probe(_NAME, _connections, _UNKNOWN, needs=(System.DATABASE,))]


def _connections() -> Check:
    found = facts.connections()
    if found is None:
        return Check(name=_NAME, verdict=Verdict.OFF, found="a file has no connections")
    least = {_RECEIVER: settings().receiver_processes, _WORKER: 1}
    processes = {program: max(number, found.processes[program]) for program, number in least.items()}
    return judged(found, processes, {program: most_connections(program) for program in processes})


def judged(found: Connections, processes: dict[Program, int], each: dict[Program, int]) -> Check:
    """Return whether the server takes all that `processes` open, `each` at most, beside the other programs. Pure."""
    needed = sum(number * each[program] for program, number in processes.items()) + _FOR_COMMANDS + found.others
    usable = found.most - found.reserved
    said = (
        f"receivers may open {processes[_RECEIVER]} × {each[_RECEIVER]}, workers {processes[_WORKER]} × "
        f"{each[_WORKER]}, commands {_FOR_COMMANDS}, and other programs have {found.others} now: {needed} of the "
        f"{usable} that the server takes"
    )
    if needed <= usable:
        return Check(name=_NAME, verdict=Verdict.OK, found=said)
    to_do = (
        f"set max_connections of the server to {needed + found.reserved + _MARGIN} and restart it, or lower "
        "CELLAR_RECEIVER_CONNECTIONS, CELLAR_RECEIVER_PROCESSES or CELLAR_WORKER_CONNECTIONS; see docs/scale.md"
    )
    return Check(name=_NAME, verdict=Verdict.WARNING, found=said, to_do=to_do)
