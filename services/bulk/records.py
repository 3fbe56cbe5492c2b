"""Shows bulk re-runs: how far they are, who did what, and what became of each archive."""

from datetime import UTC, datetime

from adapters.peers.prefect_api import run_url
from adapters.tables.bulk import bulk_items, bulk_reruns
from models.runs.bulk import BulkItemRow, BulkRow, BulkState, ItemState
from models.views.bulk import BulkItemView, BulkPage, BulkRecord, BulkView, ItemQuery
from models.views.parameters import PageQuery
from services.bulk.planning import get
from services.bulk.settling import settle


def view(bulk_id: str) -> BulkView:
    """Return a bulk re-run and how far it is.

    Raises:
        Refused: it is unknown.
        Transient: the database does not answer.
    """
    row = get(bulk_id)
    if row.state == BulkState.ABORTED:  # its driver may be gone before the last started runs have ended
        settle(bulk_id, datetime.now(UTC))
    return _view(row)


def record(bulk_id: str, query: ItemQuery) -> BulkRecord:
    """Return a bulk re-run with a page of what became of its archives. Raises as `view` does."""
    found = view(bulk_id)
    rows = bulk_items.page(bulk_id, query.item_state, query.after, query.limit + 1)
    items = [_item(*each) for each in rows[: query.limit]]
    more = items[-1].position if len(rows) > query.limit else None
    return BulkRecord(**found.model_dump(), items=items, next=more)


def page(query: PageQuery) -> BulkPage:
    """Return bulk re-runs, newest first.

    Raises:
        Refused: the cursor is invalid.
        Transient: the database does not answer.
    """
    rows, cursor = bulk_reruns.page(query.cursor, query.limit)
    return BulkPage(items=[_view(each) for each in rows], next=cursor)


def _view(row: BulkRow) -> BulkView:
    counts = bulk_items.counts(row.id) if row.state != BulkState.PLANNED else {}
    by_state = {state.value: counts.get(state, 0) for state in ItemState}
    return BulkView(
        **row.model_dump(exclude={"flow_run_id", "drivers"}),
        **by_state,
        done=by_state[ItemState.COMPLETED] + by_state[ItemState.SKIPPED],
        url=run_url(row.flow_run_id) if row.flow_run_id else None,
    )


def _item(row: BulkItemRow, cause: str | None, sentence: str | None) -> BulkItemView:
    return BulkItemView(**row.model_dump(exclude={"bulk_id"}), cause=cause, sentence=sentence)
