"""Shows bulk re-runs: how far they are, who did what, and what became of each archive."""

from datetime import UTC, datetime

from adapters.peers.prefect_api import run_url
from adapters.tables.bulk import bulk_items, bulk_reruns
from models.runs.bulk import BulkItemRow, BulkRow, BulkState, ItemState
from models.views.bulk import ActionView, BulkItemView, BulkPage, BulkRecord, BulkView, ItemQuery, PlanView
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
    done = counts.get(ItemState.COMPLETED, 0) + counts.get(ItemState.SKIPPED, 0)
    return BulkView(
        id=row.id,
        state=row.state,
        filter=row.filter,
        by=row.by,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        ended_at=row.ended_at,
        planned=row.planned,
        done=done,
        completed=counts.get(ItemState.COMPLETED, 0),
        skipped=counts.get(ItemState.SKIPPED, 0),
        failed=counts.get(ItemState.FAILED, 0),
        started=counts.get(ItemState.STARTED, 0),
        queued=counts.get(ItemState.QUEUED, 0),
        url=run_url(row.flow_run_id) if row.flow_run_id else None,
        actions=[ActionView.model_validate(each) for each in row.actions],
        plan=PlanView.model_validate(row.plan),
    )


def _item(row: BulkItemRow, cause: str | None, sentence: str | None) -> BulkItemView:
    return BulkItemView(**row.model_dump(exclude={"bulk_id"}), cause=cause, sentence=sentence)
