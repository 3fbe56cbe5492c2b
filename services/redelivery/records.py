"""Shows redeliveries: what was planned, by whom, and how far they are."""

from adapters.tables.messages import redeliveries
from models.errors import Refused
from models.messages.notification import NotificationState
from models.messages.redelivery import RedeliveryRow
from models.views.messages.redeliveries import RedeliveryPage, RedeliveryPlan, RedeliveryView
from models.views.parameters import PageQuery


def get(redelivery_id: str) -> RedeliveryRow:
    """Return a redelivery.

    Raises:
        Refused: it is unknown.
        Transient: the database does not answer.
    """
    row = redeliveries.find(redelivery_id)
    if row is None:
        detail = "no redelivery has this id; `cellar endpoints redeliveries` shows the ids"
        raise Refused("UNKNOWN_REDELIVERY", detail, where="redelivery_id", status=404)
    return row


def view(redelivery_id: str) -> RedeliveryView:
    """Return a redelivery and how far it is. Raises as `get` does."""
    return _view(get(redelivery_id))


def page(query: PageQuery) -> RedeliveryPage:
    """Return redeliveries, newest first.

    Raises:
        Refused: the cursor is invalid.
        Transient: the database does not answer.
    """
    rows, cursor = redeliveries.page(query.cursor, query.limit)
    return RedeliveryPage(items=[_view(each) for each in rows], next=cursor)


def _view(row: RedeliveryRow) -> RedeliveryView:
    counts = redeliveries.progress(row.id) if row.confirmed_at else {}
    by_state = {state.value: counts.get(state, 0) for state in NotificationState}
    return RedeliveryView(
        **row.model_dump(exclude={"plan", "is_forced"}),
        **by_state,
        force=row.is_forced,
        state=_state(row, by_state[NotificationState.PENDING]),
        plan=RedeliveryPlan.model_validate(row.plan),
    )


def _state(row: RedeliveryRow, pending: int) -> str:
    if row.confirmed_at is None:
        return "planned"
    return "running" if pending else "done"
