"""`/console/payments`: the payments of all archives, their sums by day, currency and standing, and their CSV."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from adapters.lists.list_files import line_of_csv
from adapters.settings.settings import settings
from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render
from api.console.pages.lists import Asked, asked, listed, valid
from domain.payments.amounts import exponent_of
from models.access import Action
from models.payments import LEDGER, Standing
from models.views.archives.payments import PaymentQuery, PaymentTotals
from services.views import archive_list, payment_list
from services.views.masks import shown_to
from services.views.payment_list import Totals

PATH = f"{ROOT}/payments"
_OF_DAYS = {"paid_from", "paid_to", "undated"}
router = APIRouter()


@router.get("/payments", dependencies=[acts(Action.READ_TROUBLES)])
def list_payments(request: Request, caller: CallerOf) -> Response:
    """Show payments and, on the first page, their sums."""
    found = listed(request, PATH, PaymentQuery, lambda query: shown_to(caller, payment_list.page(query)))
    query = found.asked.query if found.page else None
    by_day = payment_list.totals(query) if query and not found.is_later else {}
    totals, revenue = dict[tuple[str | None, Standing], PaymentTotals](), Counter[str | None]()
    for (_, currency, standing), each in sorted(by_day.items(), key=lambda item: (item[0][1] or "", item[0][2])):
        totals.setdefault((currency, standing), PaymentTotals()).add(each)
        revenue[currency] += each.total("revenue_minor") or 0
    # The filters without their days, to which a link adds others.
    others = replace(found.asked, pairs=tuple(each for each in found.asked.pairs if each[0] not in _OF_DAYS))
    shown: dict[str, Any] = {
        "list": found,
        "totals": totals,
        "revenue": {currency: minor for currency, minor in revenue.items() if currency},
        "charts": _charts(by_day, query, others) if query else {},
        "days": payment_list.days_of(query) if query else None,
        "of_any_day": others,
        "titles": archive_list.titles((each.reference for each in found.page.items) if found.page else (), caller),
        "without_a_day": payment_list.without_a_day(),
    }
    return render(request, "payments.html", **shown)


def _charts(by_day: Totals, query: PaymentQuery, others: Asked[PaymentQuery]) -> dict[str, list[dict[str, Any]]]:
    """Return the amounts of each currency by day, oldest first, with the path of the day's payments. A day without
    payments has zeros.
    """
    first, last = payment_list.days_of(query)
    until = last or datetime.now(UTC).astimezone(settings().payment_terms.zone).date()
    days = {first + timedelta(each) for each in range((until - first).days + 1)} | {
        each for each, _, _ in by_day if each
    }
    charts = dict[str, list[dict[str, Any]]]()
    for currency, standing in sorted({(each or "", standing) for _, each, standing in by_day}):
        if (exponent := exponent_of(currency)) is None:
            continue
        if currency not in charts:
            of_day = {day: [("currency", currency), ("paid_from", str(day)), ("paid_to", str(day))] for day in days}
            charts[currency] = [{"since": day, "path": others.url(PATH, beside=of_day[day])} for day in sorted(days)]
        for each in charts[currency]:
            totals = by_day.get((each["since"], currency, standing), PaymentTotals())
            each[standing] = Decimal(totals.minor["amount_minor"]).scaleb(-exponent)
    return charts


@router.get("/payments.csv", dependencies=[acts(Action.READ_TROUBLES), acts(Action.EXPORT_TABLE)])
def export(request: Request) -> StreamingResponse:
    """Return the rows of the ledger that match as a CSV file. Amounts are integers of minor units."""
    query = valid(asked(PaymentQuery, request.query_params.multi_items()))
    headers = {"content-disposition": f'attachment; filename="payments-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    payment_list.days_of(query)  # refuses before the answer begins
    return StreamingResponse(_lines(query), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(query: PaymentQuery) -> Iterator[str]:
    yield "\N{BYTE ORDER MARK}" + line_of_csv(each.name for each in LEDGER.columns)  # else Excel misreads Hebrew
    for rows in payment_list.ledger(query):
        yield "".join(map(line_of_csv, rows))
