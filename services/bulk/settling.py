"""Records what became of the started archives of a bulk re-run, as far as the history of runs knows."""

from dataclasses import dataclass
from datetime import datetime

from adapters.tables.bulk import bulk_items
from domain.bulk.decisions import Flight, end_of


@dataclass(frozen=True, slots=True)
class Settled:
    """The archives that are still on their way, and how many have ended."""

    aloft: list[Flight]
    ended: int


def settle(bulk_id: str, now: datetime) -> Settled:
    """Record the ends of started archives. A second call changes nothing.

    Raises:
        Transient: the database does not answer.
    """
    aloft: list[Flight] = []
    flights = bulk_items.flights(bulk_id)
    for flight in flights:
        became = end_of(flight)
        if became and flight.flow_run_id:
            bulk_items.end(bulk_id, flight.position, became, now, flow_run_id=flight.flow_run_id)
        else:
            aloft.append(flight)
    return Settled(aloft, len(flights) - len(aloft))
