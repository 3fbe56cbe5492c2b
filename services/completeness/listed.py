"""Opens findings about processes that Cellosign's own list has and cellar has not."""

from collections.abc import Iterable

from adapters.database.transactions import pages, writing
from adapters.tables import missing_processes
from domain.completeness.processes import is_about, process_of
from models.completeness.missing_process import MissingProcessRow

_AT_ONCE = 1000


def open_listed(findings: Iterable[MissingProcessRow]) -> list[MissingProcessRow]:
    """Open findings with why `listed`, and return those that were new.

    A process that is missing already, by its session events or by an earlier list, keeps its finding. The next search
    closes the findings whose archive arrives.

    Raises:
        Transient: the database does not answer.
    """
    opened: list[MissingProcessRow] = []
    for page in pages(findings, _AT_ONCE):
        with writing() as session:
            numbers = {each.process_number for each in page if each.process_number is not None}
            known = missing_processes.open_by_number(session, numbers)
            for each in page:
                is_known = any(is_about(other, process_of(each), ()) for other in known.get(each.process_number, ()))
                if not is_known and missing_processes.open_within(session, each):
                    opened.append(each)
    return opened
