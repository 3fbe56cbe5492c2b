"""Holds become discrepancies when they are too old."""

from datetime import date, timedelta

import pytest

from domain.payments.standing import Hold, aging_holds

TODAY = date(2026, 3, 10)
HOLDS = [(8, 7, True), (9, 7, True), (400, 7, True), (1, 0, True), (7, 7, False), (0, 0, False), (-1, 7, False)]


@pytest.mark.parametrize(("days_ago", "hold_days", "fires"), HOLDS)
def test_hold_is_old_after_the_configured_days(days_ago: int, hold_days: int, fires: bool) -> None:
    held = Hold("t", "p", TODAY - timedelta(days=days_ago))

    assert [each.code for each in aging_holds([held], TODAY, hold_days)] == ["AGING_HOLD"] * fires


def test_aging_hold_reads_the_same_every_day() -> None:
    held = [Hold("t", "p", date(2026, 1, 1)), Hold(None, "q", date(2026, 1, 1))]

    aging = aging_holds(held, TODAY, 7)

    assert aging == aging_holds(held, TODAY + timedelta(days=1), 7)
    assert [(each.transaction_id, each.found, each.subject) for each in aging] == [
        ("t", "held since 2026-01-01", ""),
        (None, "held since 2026-01-01", "q"),
    ]
