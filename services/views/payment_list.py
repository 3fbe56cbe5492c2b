"""Lists the payments of all archives, and adds them up, as the ledger has them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sql
from sqlmodel import col

from adapters.database.listing import Order, listed
from adapters.database.transactions import reading
from adapters.settings.settings import settings
from models.columns import table_of
from models.errors import Refused
from models.payments import LEDGER, PaymentRow, Standing
from models.said import Sentence
from models.settlements.settlement import Days
from models.views.archives.payments import ListedPayment, PaymentPage, PaymentQuery, PaymentTotals

Totals: TypeAlias = dict[tuple[date | None, str | None, Standing], PaymentTotals]
"""Sums by day, currency and standing."""
MOST_DAYS = 92
AMOUNTS = ("amount_minor", "settled_minor", "refunded_minor", "charged_back_minor", "revenue_minor")
_USUAL = timedelta(days=6)  # a week with its last day
_ROWS_AT_ONCE = 5000
_BILLION = 10**9
_ITS = LEDGER.c
_PAYMENT = table_of(PaymentRow).alias().c


def days_of(query: PaymentQuery) -> Days:
    """Return the days that are meant. Raises Refused if these are more than `MOST_DAYS`."""
    last = _day(query.paid_to or datetime.now(UTC))
    first = _day(query.paid_from) if query.paid_from else last - min(_USUAL, last - date.min)
    if last - first >= timedelta(days=MOST_DAYS):
        raise Refused("BAD_PARAMETER", Sentence.too_many_days(), where="paid_from")
    return Days(first, last)


def _day(moment: datetime) -> date:
    try:
        return settings().payment_terms.day_of(moment)
    except OverflowError:  # the end of the calendar
        return moment.date()


def page(query: PaymentQuery) -> PaymentPage:
    """Return payments, those of the newest day first. Raises Refused as `days_of`, or if the cursor is invalid."""
    same = (col(PaymentRow.reference) == _ITS.reference) & (col(PaymentRow.position) == _ITS.position)
    columns = (PaymentRow, _ITS.standing, _ITS.source, _ITS.settled_minor, _ITS.revenue_minor)
    rows, following = _listed(query, sql.select(*columns).join(LEDGER, same))
    items = [ListedPayment.model_validate(row[0].model_dump() | row._asdict()) for row in rows]
    return PaymentPage(items=items, next=following)


def ledger(query: PaymentQuery) -> Iterator[Sequence[Any]]:
    """Yield the rows of the ledger that match, some thousand at a time. Raises as `page`."""
    while True:
        rows, cursor = _listed(query.model_copy(update={"limit": _ROWS_AT_ONCE}), sql.select(*LEDGER.columns))
        yield rows
        if cursor is None:
            return
        query = query.model_copy(update={"cursor": cursor})


def totals(query: PaymentQuery) -> Totals:
    """Return the sums of the payments that match.

    A sum is made of billions and remainders, so that neither database rounds it or fails beyond 64 bits. The rows are
    made once: else each of an amount's two sums would ask for all entries of reports again.
    """
    keys = ("paid_on", "currency", "standing")
    rows = sql.select(*(_ITS[each] for each in (*keys, *AMOUNTS))).where(*_matching(query)).cte()
    its = rows.prefix_with("MATERIALIZED").c
    parts = [
        part
        for each in (its[name] for name in AMOUNTS)
        for part in (sql.func.count(each), sql.func.sum(each // _BILLION), sql.func.sum(each % _BILLION))
    ]
    of_each = [its[each] for each in keys]
    grouped = sql.select(*of_each, sql.func.count(), *parts).group_by(*of_each)
    found: Totals = {}
    with reading() as session:
        for paid_on, currency, standing, payments, *sums in session.connection().execute(grouped):
            made = PaymentTotals(payments=payments)
            for name, known, billions, rest in zip(AMOUNTS, sums[::3], sums[1::3], sums[2::3], strict=True):
                made[f"known {name}"], made[name] = known, int(billions or 0) * _BILLION + int(rest or 0)
            found[paid_on, currency, Standing(standing)] = made
    return found


def _listed(query: PaymentQuery, its: sql.Select[Any]) -> tuple[Sequence[Any], str | None]:
    order = Order(_ITS.payment_id if query.undated else _ITS.paid_on, _ITS.payment_id, is_descending=True)
    with reading() as session:
        return listed(session, its.where(*_matching(query)), order, query.cursor, query.limit)


def _matching(query: PaymentQuery) -> list[sql.ColumnElement[bool]]:
    its = {each: getattr(query, each) for each in ("standing", "currency", "source")}
    conditions = [_ITS[name] == value for name, value in its.items() if value is not None]
    if query.acquirer is not None:
        same = (_PAYMENT.reference == _ITS.reference, _PAYMENT.position == _ITS.position)
        conditions.append(sql.exists().where(*same, _PAYMENT.card_acquirer == query.acquirer))
    if query.undated:
        return [*conditions, _ITS.paid_on.is_(None)]
    days = days_of(query)
    return [*conditions, _ITS.paid_on >= days.first, *([_ITS.paid_on <= days.last] if query.paid_to else [])]
