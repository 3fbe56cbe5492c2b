"""100,000 payments in four currencies after 20 settlement reports: page, CSV and ledger agree to the minor unit."""

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from adapters.database.transactions import insert_rows, pages, writing
from adapters.settings.settings import Settings
from adapters.store.seals import fingerprint
from domain.payments.identity import payment_id
from models.archive.archive import ArchiveRow
from models.payments import PaymentRow, Standing
from tests import tables
from tests.api.conftest import started
from tests.api.console.conftest import posted
from tests.conftest import Configure
from tests.records import NOON
from tests.settlements import imported, line, report

pytestmark = pytest.mark.faults

PAYMENTS, REPORTS, SEED = int(os.environ.get("PAYMENTS", "100000")), 20, 30
EXPONENTS = {"ILS": 2, "USD": 2, "JPY": 0, "KWD": 3}
FIRST, DAYS = date(2025, 11, 1), 60
MOST = (1 << 63) - 1
COLUMNS = ("amount_minor", "settled_minor", "refunded_minor", "charged_back_minor", "revenue_minor")
WENT_BACK = ("refunded_minor", "charged_back_minor")


def _payments(drawn: Random) -> Iterator[dict[str, Any]]:
    """Yield rows of payments: one of 50 has an amount that cannot be read, one of 1,000 nearly 64 bits."""
    empty = PaymentRow(reference="", position=0, payment_id="", standing="").model_dump()
    for number in range(PAYMENTS):
        reference, amount_minor = f"process-{number:06}", drawn.randrange(1, 5_000_000)
        yield empty | {
            "reference": reference,
            "payment_id": payment_id(reference, "t", "0"),
            "cguid_fingerprint": fingerprint(f"cguid-{number}"),
            "amount_minor": drawn.choices([amount_minor, None, MOST - amount_minor], [979, 20, 1])[0],
            "currency": drawn.choice([*EXPONENTS]),
            "standing": drawn.choices(["charged", "held", "verified", "failed", "unknown"], [80, 5, 5, 8, 2])[0],
            "paid_on": FIRST + timedelta(days=number * DAYS // PAYMENTS) if number % 997 else None,
        }


def _reports(drawn: Random, payments: list[dict[str, Any]]) -> list[bytes]:
    """Return reports that settle six of ten payments; some go back, and some of these in another currency."""
    lines = list[str]()
    for number, each in enumerate(payments):
        if drawn.random() < 0.6 and each["standing"] in ("charged", "held", "unknown"):
            kinds = [
                "charge",
                *drawn.choices([[], ["refund"], ["chargeback"], ["refund", "chargeback"]], [90, 5, 3, 2])[0],
            ]
            for kind in kinds:
                is_other = kind != "charge" and drawn.random() < 0.02
                currency = "ILS" if is_other else each["currency"]
                minor = min(each["amount_minor"] or 100, 10**12) // (1 if kind == "charge" else 3) + 1
                amount = f"{Decimal(minor).scaleb(-EXPONENTS[currency]):f}"
                day = (each["paid_on"] or FIRST) + timedelta(days=2)
                cells = {"amount": amount, "currency": currency, "kind": kind, "paid": each["paid_on"] or ""}
                lines.append(line(f"cguid-{number}", settled=day, **cells))
    return [report(*lines[number::REPORTS]) for number in range(REPORTS)]


def _ledger() -> list[dict[str, Any]]:
    return tables.rows("payments")


def _added(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[int | None]]:
    """Return numbers and sums of rows of the ledger by currency and standing, in plain Python."""
    groups = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
    for row in rows:
        groups[row["currency"], row["standing"]].append(row)
    added = dict[tuple[str, str], list[int | None]]()
    for key, its in groups.items():
        known = {name: [row[name] for row in its if row[name] is not None] for name in COLUMNS}
        lacking = [name for name in WENT_BACK if len(known[name]) < len(its)]
        sums = [sum(known[name]) if known[name] and name not in lacking else None for name in COLUMNS]
        added[key] = [len(its), *sums, len(its) - len(known["amount_minor"])]
    return added


def _shown(page: str) -> dict[tuple[str, str], list[int | None]]:
    """Return the same as the page shows it. An amount with all its decimals is one of minor units without its point."""
    found = dict[tuple[str, str], list[int | None]]()
    table = page.partition('id="sums"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        currency, standing, *cells = re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
        unknown = [int((re.findall(r"unknown: ([\d,]+)", each) or ["0"])[0].replace(",", "")) for each in cells]
        sums = [re.sub(r"[^\d-]", "", re.sub(r"<small.*", "", each, flags=re.DOTALL)) for each in cells]
        key = re.sub(r"<.*?>", "", currency), re.sub(r"<.*?>", "", standing).lower()
        found[key] = [*(int(each) if each else None for each in sums), unknown[1]]
    return found


def _of_csv(text: str) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}")))
    return [row | {name: int(row[name]) if row[name] else None for name in COLUMNS} for row in rows]


def _compare(client: httpx.Client, rows: list[dict[str, Any]], query: str) -> None:
    page = client.get(f"/console/payments?{query}").text
    taken = _of_csv(client.get(f"/console/payments.csv?{query}").text)

    assert _shown(page) == _added(rows), query
    keys = ("reference", "standing", "currency", *COLUMNS)
    by_reference = [sorted([tuple(row[key] for key in keys) for row in each]) for each in (taken, rows)]
    assert by_reference[0] == by_reference[1], query


def test_page_and_csv_equal_the_ledger_to_the_minor_unit(installation: Settings, configure: Configure) -> None:
    assert configure(webhook_secrets="s" * 32, api_tokens="t" * 32).database_location == installation.database_location
    drawn = Random(SEED)
    payments = [*_payments(drawn)]
    archives = ({"reference": each["reference"], "state": "completed", "received_at": NOON} for each in payments)
    for table, rows in ((ArchiveRow, archives), (PaymentRow, payments)):
        for some in pages(rows, 20_000):
            with writing() as session:
                insert_rows(session, table, some)
    summary = imported(*_reports(drawn, payments), now=datetime(2026, 2, 1, tzinfo=UTC))
    ledger = _ledger()
    assert (summary.reports, len(ledger)) == (REPORTS, PAYMENTS)
    assert {row["standing"] for row in ledger} == {*Standing}

    with started() as receiver, receiver.visitor() as client:
        assert posted(client, "/console/login", {"token": "t" * 32}).status_code == 303
        dated = [row for row in ledger if row["paid_on"]]
        _compare(client, dated, f"paid_from={FIRST}&paid_to={FIRST + timedelta(days=DAYS)}")
        _compare(client, [row for row in ledger if not row["paid_on"]], "undated=true")
        day = FIRST + timedelta(days=31)
        for filters in ({"standing": "charged"}, {"standing": "settled", "currency": "KWD"}):
            found = [row for row in dated if row["paid_on"] == day and filters.items() <= row.items()]
            _compare(client, found, f"paid_from={day}&paid_to={day}&{urlencode(filters)}")
