"""The list of payments: its order, its pages and its filters."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.payments.identity import payment_id
from models.errors import Refused
from models.settlements.settlement import Days
from models.views.archives.payments import PaymentQuery
from services.views import payment_list
from tests.conftest import Configure
from tests.payments import booked, payment, settled
from tests.records import NOON

DAY, LAST = date(2026, 1, 1), NOON.replace(2026, 1, 9)
FIRST = LAST - timedelta(days=8)
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date()
"""By the clock of the installation; a source in another zone may be ahead of it."""


def transactions(**filters: Any) -> list[str | None]:
    """Return the transactions of all pages, of two payments each."""
    found, cursor, is_first = list[str | None](), None, True
    days = {"paid_from": FIRST, "paid_to": LAST}
    while is_first or cursor:
        page = payment_list.page(PaymentQuery(**days | filters, cursor=cursor, limit=2))
        found, cursor, is_first = [*found, *(each.transaction_id for each in page.items)], page.next, False
    return found


@pytest.mark.usefixtures("installation")
def test_payments_are_found_by_each_filter_the_newest_day_first() -> None:
    members: dict[str, dict[str, Any]] = {
        "a": {}, "b": {"paid_on": DAY + timedelta(days=2), "card_acquirer": "Alphacard"},
        "c": {"paid_on": DAY, "amount_minor": 7}, "d": {"paid_on": LAST.date(), "currency": "JPY"},
        "e": {"paid_on": DAY + timedelta(days=4), "standing": "held"}, "f": {"paid_on": TOMORROW}, "g": {}, "h": {},
    }  # fmt: skip
    booked("r", *(payment("r", name, number, **its) for number, (name, its) in enumerate(members.items())))
    settled(payment_id("r", "c", ""), 7, DAY)

    assert transactions() == ["d", "e", "b", "c"]
    assert transactions(paid_from=FIRST + timedelta(days=4)) == ["d", "e"]
    assert transactions(paid_to=None, paid_from=None) == ["f"]
    assert transactions(standing="charged") == ["d", "b"]
    assert transactions(standing="settled") == ["c"]
    assert transactions(standing="held", currency="ILS") == ["e"]
    assert transactions(acquirer="Alphacard", source="default") == ["b"]
    assert transactions(source="nobody") == []
    assert sorted(transactions(undated=True), key=str) == ["a", "g", "h"]


@pytest.mark.usefixtures("sqlite_installation")
def test_without_days_a_week_is_meant_and_more_than_92_are_refused(configure: Configure) -> None:
    assert payment_list.days_of(PaymentQuery(paid_to=LAST)) == Days(date(2026, 1, 3), LAST.date())
    assert payment_list.days_of(PaymentQuery(paid_from=LAST - timedelta(days=91), paid_to=LAST)).last == LAST.date()
    assert payment_list.days_of(PaymentQuery(paid_to=LAST.replace(1, 1, 3))).first == date.min
    configure(business_timezone="Asia/Jerusalem")
    end = datetime.max.replace(tzinfo=UTC)
    assert payment_list.days_of(PaymentQuery(paid_to=end)).last == date.max
    for since, cursor in ((LAST - timedelta(days=92), None), (FIRST, "MjAyNi0xMy0wMSB4")):
        with pytest.raises(Refused):
            payment_list.page(PaymentQuery(paid_from=since, paid_to=LAST, cursor=cursor))
