"""Takes an archive out of rows that stay, since they are about several archives: its digest replaces its reference."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlmodel import Session, SQLModel, col, select, update

from adapters.database.noted import note
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.search import pages
from adapters.search.entries import entry_id
from adapters.store import ocfl
from adapters.store.objects import history
from domain.search import facet, named_facet, normalised, terms_of
from models.archive.archive import ArchiveRow
from models.discrepancies import DUPLICATE_CODES, DiscrepancyCode, DiscrepancyRow
from models.messages.notification import EventRow
from models.people import SavedViewRow
from models.runs.batch import BatchItemRow, BatchRow
from models.search import DerivedRow, Kind, SearchFacetRow
from models.settlements.settlement import SettlementEntryRow
from models.store.condition import ConditionRow
from services.erasure.spellings import redacted, redacted_text, spellings
from services.erasure.traces import REDACTED, Named, columns_that_name

_NAME_OTHERS = (*DUPLICATE_CODES, DiscrepancyCode.AMBIGUOUS_MATCH)
"""The discrepancies that name other archives than their own."""
_NOTED: Mapping[type[SQLModel], Any] = {
    BatchRow: col(BatchRow.id),
    SavedViewRow: col(SavedViewRow.view_id),
    DiscrepancyRow: col(DiscrepancyRow.discrepancy_id),
    EventRow: col(EventRow.event_id),
}
_NO_NUMBER = -1


def redact(session: Session, named: Named) -> None:
    """Take an archive out of the rows that stay, in the caller's transaction. What is noted is noted anew."""
    _redact_searches(session, named)
    _redact_columns(session, named, ConditionRow)
    of_many = (col(EventRow.reference) == "", col(EventRow.receipt_id) != named.digest)  # archive.erased tells it
    _redact_columns(session, named, EventRow, *of_many)
    entries, items = (col(each) for each in (SettlementEntryRow.reference, BatchItemRow.subject))
    unmatched = update(SettlementEntryRow).where(entries == named.reference)
    session.execute(unmatched.values(reference=None, payment_id=None))
    session.execute(update(DerivedRow).where(col(DerivedRow.last) == named.reference).values(last=""))
    session.execute(update(BatchItemRow).where(items == named.reference).values(subject=named.digest, receipt_id=None))
    note(session, BatchItemRow, items == named.digest)


def redact_findings(named: Named) -> None:
    """Take an archive out of the findings of others that name it, out of messages about these, and out of what the
    store keeps of both. Idempotent. The findings themselves change with the next comparison.
    """
    theirs = (
        col(DiscrepancyRow.code).in_(_NAME_OTHERS),
        col(DiscrepancyRow.reference).is_distinct_from(named.reference),
    )
    with writing() as session:
        _redact_columns(session, named, DiscrepancyRow, *theirs)
    with writing() as session:  # a killed erasure may have changed the findings before
        known = columns_that_name([named.digest], [getattr(DiscrepancyRow, each) for each in REDACTED[DiscrepancyRow]])
        owners = set(session.exec(select(DiscrepancyRow.reference).where(*theirs, known)))
        of_owners = col(EventRow.reference).in_([each for each in owners if each])
        _redact_columns(session, named, EventRow, of_owners)
        told = select(EventRow.reference, EventRow.receipt_id).where(
            of_owners, columns_that_name([named.digest], [EventRow.body])
        )
        receipts = session.exec(told.distinct()).all()
    for reference, receipt_id in receipts:
        history.keep(reference, receipt_id)
        store().erase_earlier(f"{ocfl.object_key(reference)}/{history.path_of(receipt_id)}")


def _redact_columns(session: Session, named: Named, table: Any, *which: Any) -> list[Any]:
    columns = REDACTED[table]
    naming = columns_that_name(spellings(named.reference), [getattr(table, each) for each in columns])
    rows = list(session.exec(select(table).where(*which, naming).with_for_update()))
    for row in rows:
        for column in columns:
            setattr(row, column, _redacted(getattr(row, column), named))
    _note(session, table, rows)
    return rows


def _redacted(value: Any, named: Named) -> Any:
    """Return a value without the archive. A body is JSON in a text, and may have entries about archives."""
    change = redacted_text if isinstance(value, str) else redacted
    return change(value, named.reference, named.digest)


def searches_about(session: Session, named: Named) -> set[tuple[str, str]]:
    """Return the table and the id of each saved view and of each batch whose search finds this archive alone."""
    found = ((each, getattr(each, _NOTED[type(each)].key)) for each, _, _ in _redacted_searches(session, named))
    return {(str(each.__tablename__), id_) for each, id_ in found}


def _redact_searches(session: Session, named: Named) -> None:
    """Replace what finds this archive alone in saved views and in the filters of batches. Nothing is left out: a plan
    without a filter would be about all archives.
    """
    found = list(_redacted_searches(session, named))
    for row, column, after in found:
        setattr(row, column, after)
    for table in (BatchRow, SavedViewRow):
        _note(session, table, [row for row, _, _ in found if isinstance(row, table)])


def _redacted_searches(session: Session, named: Named) -> Iterator[tuple[Any, str, Any]]:
    finds = partial(_finds_it_alone, session, named, entry_id(session, named.reference))
    for batch in list(session.exec(select(BatchRow))):
        after = {name: _redacted_value(named, finds, name, value) for name, value in batch.filter.items()}
        if after != batch.filter:
            yield batch, "filter", after
    for view in list(session.exec(select(SavedViewRow))):
        pairs = parse_qsl(view.query, keep_blank_values=True)
        found = [(name, _redacted_value(named, finds, name, value)) for name, value in pairs]
        if found != pairs:
            yield view, "query", urlencode(found)


def _redacted_value(named: Named, finds: Callable[[str, str], bool], name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_redacted_value(named, finds, name, each) for each in value]
    if not finds(name, str(value)):
        return value
    if name in (Kind.LABEL, Kind.FIELD):
        return f"{str(value).partition('=')[0]}={named.digest}"
    return _NO_NUMBER if name in (Kind.PROCESS_NUMBER, Kind.TRANSACTION_NUMBER) else named.digest


def _finds_it_alone(session: Session, named: Named, number: int | None, name: str, value: str) -> bool:
    """Return whether a filter finds this archive, and no other."""
    by_name: Mapping[str, Iterable[Any]] = {
        "reference": [named.reference],
        "references": [named.reference],
        Kind.PROCESS_NUMBER: named.process_numbers,
        Kind.TRANSACTION_NUMBER: named.transaction_numbers,
        Kind.SESSION: named.session_ids,
    }
    if name in by_name:
        return value in map(str, by_name[name])
    if name in (Kind.LABEL, Kind.FIELD, Kind.SIGNER, Kind.FILENAME) and number is not None:
        key, _, rest = value.partition("=")
        is_named = name in (Kind.LABEL, Kind.FIELD)
        its = named_facet(Kind(name), key, rest) if is_named else facet(Kind(name), normalised(value))
        found = select(SearchFacetRow.entry_id).where(SearchFacetRow.facet == its)
        return list(session.exec(found.limit(2))) == [number]
    if name == "q" and (terms := terms_of(value)):
        found_by = select(ArchiveRow.reference).where(*pages.matching(session, (), terms))
        return list(session.exec(found_by.limit(2))) == [named.reference]
    return False


def _note(session: Session, table: type[SQLModel], rows: Iterable[Any]) -> None:
    if table in _NOTED and (ids := {getattr(each, _NOTED[table].key) for each in rows}):
        note(session, table, _NOTED[table].in_(ids))
