"""Lists the public links that have not expired: who was given one can open it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import aliased
from sqlmodel import col, select

from adapters.database.listing import Order, listed
from adapters.database.transactions import read_first, reading
from adapters.settings.settings import settings
from adapters.store.revoked_links import RECORDS, is_revoked
from adapters.tables import uses
from models.access import RevokedLink
from models.people import LastUseRow
from models.runs.receipt import DeliveryRow
from models.views.access import LinkPage, LinkQuery, LinkView

_NEWEST_FIRST = Order(col(DeliveryRow.received_at), col(DeliveryRow.delivery_id), is_descending=True)
_later = aliased(DeliveryRow)
_IS_LAST = (
    ~select(_later.delivery_id)
    .where(
        col(_later.receipt_id) == col(DeliveryRow.receipt_id), col(_later.delivery_id) > col(DeliveryRow.delivery_id)
    )
    .exists()
)


def page(query: LinkQuery) -> LinkPage:
    """Return the links that have not expired, the newest first. Raises Refused if the cursor is invalid."""
    asked = select(DeliveryRow).where(_IS_LAST, col(DeliveryRow.received_at) > datetime.now(UTC) - _lasts())
    if query.reference is not None:
        asked = asked.where(DeliveryRow.reference == query.reference)
    with reading() as session:
        rows, cursor = listed(session, asked, _NEWEST_FIRST, query.cursor, query.limit)
    used, revoked = uses.of("link", [each.receipt_id for each in rows]), RECORDS.held()
    items = [_view(row, used.get(row.receipt_id), revoked.get(row.receipt_id)) for row in rows]
    return LinkPage(items=items, next=cursor)


def _view(row: DeliveryRow, use: LastUseRow | None, revoked: RevokedLink | None) -> LinkView:
    return LinkView(
        receipt_id=row.receipt_id,
        reference=row.reference,
        made_at=row.received_at,
        expires_at=row.received_at + _lasts(),
        visits=use.times if use else 0,
        last_visit_at=use and use.at,
        revoked=revoked,
    )


def made_at(receipt_id: str) -> datetime | None:
    """Return when the link of a receipt was given out last; None if it opens nothing any more."""
    asked = select(DeliveryRow.received_at).where(DeliveryRow.receipt_id == receipt_id, _IS_LAST)
    found = read_first(asked)
    is_open = found and found > datetime.now(UTC) - _lasts() and not is_revoked(receipt_id)
    return found if is_open else None


def _lasts() -> timedelta:
    return timedelta(days=settings().public_link_days)
