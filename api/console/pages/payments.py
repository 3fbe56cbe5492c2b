"""`/console/payments`: the payments of all archives, their sums by day, currency and standing, and their CSV."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from adapters.lists.list_files import line_of_csv
from api.access import SEES_ALL, CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render
from api.console.pages.lists import Asked, asked, listed, valid
from domain.payments.amounts import exponent_of
from models.access import Action
from models.payments import LEDGER, Standing
from models.settlements.settlement import Days
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
    query = found.asked.query if found.page and not found.is_later else None
    by_day = payment_list.totals(query) if query else {}
    days = payment_list.days_of(query) if query and not query.undated else None
    totals, revenue = defaultdict[tuple[str, Standing], PaymentTotals](PaymentTotals), Counter[str]()
    for (_, currency, standing), each in by_day.items():
        totals[currency or "", standing].update(each)
        if (brought := each.sum_of("revenue_minor")) is not None:
            revenue[currency or ""] += brought
    # The filters without their days, to which a link adds others.
    others = replace(found.asked, pairs=tuple(each for each in found.asked.pairs if each[0] not in _OF_DAYS))
    shown: dict[str, Any] = {
        "list": found,
        "totals": totals,
        "revenue": revenue,
        "charts": _charts(by_day, days, others) if days else {},
        "days": days,
        "of_any_day": others,
        "titles": archive_list.titles((each.reference for each in found.page.items) if found.page else (), caller),
    }
    return render(request, "payments.html", **shown)


def _charts(by_day: Totals, days: Days, others: Asked[PaymentQuery]) -> dict[str, list[dict[str, Any]]]:
    """Return the amounts of each currency by day and standing, oldest first, without cards that were only verified,
    which moves no money. A day without payments has zeros.
    """
    shown = {days.first + timedelta(each) for each in range((days.last - days.first).days + 1)}
    shown |= {each for each, _, _ in by_day if each}
    charts = dict[str, list[dict[str, Any]]]()
    for currency, standing in sorted({(each or "", standing) for _, each, standing in by_day}):
        if (exponent := exponent_of(currency)) is None or standing is Standing.VERIFIED:
            continue
        for day, each in zip(sorted(shown), charts.setdefault(currency, [{} for _ in shown]), strict=True):
            totals = by_day.get((day, currency, standing))
            minor = totals.sum_of("amount_minor") if totals else 0
            path = others.url(PATH, beside=[("currency", currency), ("paid_from", str(day)), ("paid_to", str(day))])
            amount = minor if minor is None else Decimal(minor).scaleb(-exponent)
            each.update({"since": day, "path": path, standing: amount})
    return charts


@router.get("/payments.csv", dependencies=[SEES_ALL, acts(Action.EXPORT_TABLE)])
def export(request: Request) -> StreamingResponse:
    """Return the rows of the ledger that match as a CSV file. Amounts are integers of minor units."""
    query = valid(asked(PaymentQuery, request.query_params.multi_items()))
    headers = {"content-disposition": f'attachment; filename="payments-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    pages = payment_list.ledger(query)
    first = next(pages)  # a refusal comes before the answer begins
    return StreamingResponse(_lines(chain([first], pages)), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(pages: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield "\N{BYTE ORDER MARK}" + line_of_csv(each.name for each in LEDGER.columns)  # else Excel misreads Hebrew
    for rows in pages:
        yield "".join(map(line_of_csv, rows))
