"""The ledger: payments for data teams, as a view and as a file."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import BigInteger, Column, Date, MetaData, String, Table, inspect, select, text

from adapters.database.connections import engine
from adapters.database.transactions import reading, writing
from domain.payments.identity import payment_id
from models.access import CELLAR
from models.archive.archive import ArchiveRow
from models.discrepancies import PAYLOAD_CODES, SETTLEMENT_CODES, Discrepancy, DiscrepancyCode
from models.payments import LEDGER, Standing
from models.views.archives.payments import PaymentQuery
from services.payments.discrepancies import reconcile_many
from services.views import archive_view, payment_list
from tests import tables
from tests.payments import booked, payment, settled
from tests.records import NOON, archived, document

ON_BOTH = pytest.mark.usefixtures("installation")
DOCUMENTS = Path(__file__).parents[3] / "docs"
DOCUMENT = (DOCUMENTS / "ledger.md").read_text()
SETTLEMENTS = (DOCUMENTS / "settlement.md").read_text()
MOST = (1 << 63) - 1
AMOUNTS = ("amount_minor", "refunded_minor", "charged_back_minor", "revenue_minor")
DAILY_TOTALS = Table(
    "payment_daily_totals",
    MetaData(),
    *(Column("paid_on", Date), Column("currency", String), Column("standing", String, nullable=False)),
    *(Column(name, BigInteger) for name in ("payments", *AMOUNTS)),
    Column("source", String, nullable=False),
)


def rows(view: Table = LEDGER) -> list[dict[str, Any]]:
    with reading() as session:
        found = session.connection().execute(select(*view.columns).order_by(*list(view.columns)[:2]))
        return [dict(row._mapping) for row in found]


def answer(document: str) -> list[tuple[Any, ...]]:
    """Return the rows of the first query of a document."""
    query = document.partition("```sql\n")[2].partition("```")[0]
    with reading() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


@ON_BOTH
def test_document_names_the_columns_of_the_views_and_every_standing() -> None:
    for view in (LEDGER, DAILY_TOTALS):
        section = DOCUMENT.partition(f"\n## {view.name}\n")[2].partition("\n## ")[0]
        documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

        in_database = [column["name"] for column in inspect(engine()).get_columns(view.name)]
        assert documented == in_database == [column.name for column in view.columns]
    assert re.findall(r"^- `(\w+)`", DOCUMENT, re.MULTILINE) == list(Standing)


@pytest.mark.usefixtures("sqlite_installation")
def test_payments_of_an_archive_have_its_dates_and_version_and_their_own_discrepancies() -> None:
    archived()
    fields = {"session_id": "none", "type": "charge", "status": "success", "amount": "x", "currency": "ILS"}
    others = fields | {"transaction_id": "4580458045804580", "amount": 2100}
    archived("s", payload=document("s") | {"payments": [fields, others]})

    row, *of_others = rows()

    assert (row["reference"], row["position"], row["process_number"], row["version"]) == ("r", 0, 100, 1)
    assert (row["amount_minor"], row["currency"], row["standing"], row["attempts"]) == (2100, "ILS", "verified", 1)
    assert (row["received_at"], row["completed_at"], row["discrepancies"]) == (NOON, None, None)
    reported = [(each["discrepancies"] or "").split(",") for each in of_others]
    assert ["BAD_AMOUNT" in each for each in reported] == [True, False]
    assert ["UNKNOWN_SESSION" in each for each in reported] == [True, True]


Entry = tuple[str, int, str, str]


def charge(amount_minor: int, currency: str = "ILS", match: str = "cguid") -> Entry:
    return "charge", amount_minor, currency, match


def refund(amount_minor: int, currency: str = "ILS", match: str = "cguid") -> Entry:
    return "refund", amount_minor, currency, match


def chargeback(amount_minor: int) -> Entry:
    return "chargeback", amount_minor, "ILS", "cguid"


CHARGED, HELD, UNKNOWN = ({"standing": each} for each in ("charged", "held", "unknown"))
CASES: list[tuple[dict[str, Any], list[Entry], tuple[Any, ...]]] = [
    (CHARGED, [], ("charged", None, 0, 0, 2100)),
    (CHARGED, [charge(2000)], ("settled", 2000, 0, 0, 2100)),  # the remainder is outstanding, or a discrepancy
    (CHARGED, [charge(700)] * 3, ("settled", 2100, 0, 0, 2100)),
    (CHARGED, [charge(2100, match="authorisation")], ("settled", 2100, 0, 0, 2100)),
    (CHARGED, [charge(2100, match="ambiguous"), charge(2100, match="none")], ("charged", None, 0, 0, 2100)),
    (CHARGED, [charge(1000), charge(1000, "EUR")], ("settled", None, 0, 0, 2100)),
    (CHARGED, [charge(1000, "USD")], ("settled", None, 0, 0, 2100)),
    (CHARGED | {"currency": None}, [charge(1000)], ("settled", None, 0, 0, 2100)),
    (CHARGED, [charge(2100), refund(500), refund(600), chargeback(700)], ("settled", 2100, 1100, 700, 300)),
    (CHARGED, [refund(500), refund(500, "USD")], ("charged", None, None, 0, None)),
    (CHARGED, [refund(500, match="ambiguous"), chargeback(2100)], ("charged", None, 0, 2100, 0)),
    (CHARGED | {"amount_minor": None}, [refund(100)], ("charged", None, 100, 0, None)),
    (CHARGED | {"amount_minor": MOST}, [chargeback(-MOST // 2)], ("charged", None, 0, -MOST // 2, None)),
    (HELD, [], ("held", None, 0, 0, None)),
    (HELD, [charge(1600), refund(100)], ("settled", 1600, 100, 0, 1500)),
    (HELD, [charge(1600, "USD")], ("settled", None, 0, 0, None)),
    (UNKNOWN, [], ("unknown", None, 0, 0, None)),
    (UNKNOWN, [charge(2100)], ("settled", 2100, 0, 0, 2100)),
    (UNKNOWN, [charge(2000), charge(100, "USD"), refund(100)], ("settled", None, 100, 0, None)),
    ({"standing": "verified"}, [charge(2100)], ("verified", 2100, 0, 0, None)),
    ({"standing": "failed"}, [charge(2100)], ("failed", 2100, 0, 0, None)),
]


@ON_BOTH
def test_entries_of_reports_settle_a_payment_and_revenue_is_the_money_taken_minus_the_money_returned() -> None:
    booked("r", *(payment("r", str(number), number, **members) for number, (members, _, _) in enumerate(CASES)))
    for number, (_, entries, _) in enumerate(CASES):
        for day, (kind, amount_minor, currency, match) in enumerate(entries):
            its = {"kind": kind, "currency": currency, "match": match}
            settled(payment_id("r", str(number), ""), amount_minor, date(2026, 1, 9 - day), **its)

    found = rows()
    names = ("standing", "settled_minor", "refunded_minor", "charged_back_minor", "revenue_minor")
    assert [tuple(row[name] for name in names) for row in found] == [expected for *_, expected in CASES]
    of_days = [(row["settled_first_on"], row["settled_last_on"]) for row in found[:3]]
    assert of_days == [(None, None), (date(2026, 1, 9),) * 2, (date(2026, 1, 7), date(2026, 1, 9))]
    assert answer(DOCUMENT) == [(None, 18600)]
    shown = archive_view.archive("r", CELLAR)
    assert shown
    assert [each.standing for each in shown.payments] == [row["standing"] for row in found]


@ON_BOTH
def test_daily_totals_are_cut_by_currency_standing_and_source_and_have_no_sum_that_is_not_known() -> None:
    first, second, large = date(2026, 1, 1), date(2026, 1, 2), 1 << 62
    booked(
        "r",
        payment("r", "t", 0, paid_on=first),
        payment("r", "u", 1, paid_on=first),
        payment("r", "v", 2, paid_on=first, amount_minor=None),
        payment("r", "w", 3, paid_on=first, currency="JPY"),
        *(payment("r", name, position, paid_on=second, amount_minor=large) for position, name in ((4, "x"), (5, "y"))),
        payment("r", "z", 6, standing="held"),
    )
    booked("there", payment("there", "1", paid_on=first))
    with writing() as session:
        session.get_one(ArchiveRow, "there").source = "retail"
    settled(payment_id("r", "t", ""), 2100, date(2026, 1, 9), kind="refund", currency="USD")
    settled(payment_id("r", "u", ""), 100, date(2026, 1, 9), kind="refund")
    settled(payment_id("r", "v", ""), 100, date(2026, 1, 9), kind="refund")

    keys = ("paid_on", "currency", "standing", "source")
    columns = ("payments", *AMOUNTS)
    by_key = {tuple(row[name] for name in keys): tuple(row[name] for name in columns) for row in rows(DAILY_TOTALS)}
    assert by_key == {
        (first, "ILS", "charged", "default"): (3, 4200, None, 0, 2000),
        (first, "ILS", "charged", "retail"): (1, 2100, 0, 0, 2100),
        (first, "JPY", "charged", "default"): (1, 2100, 0, 0, 2100),
        (second, "ILS", "charged", "default"): (2, None, 0, 0, None),  # beyond 64 bits
        (None, "ILS", "held", "default"): (1, 2100, 0, 0, None),
    }

    days = PaymentQuery(paid_from=NOON.replace(2026, 1, 1), paid_to=NOON.replace(2026, 1, 2))
    added = payment_list.totals(days) | payment_list.totals(PaymentQuery(undated=True))
    assert {key: (its["payments"], *(its.sum_of(name) for name in AMOUNTS)) for key, its in added.items()} == {
        (first, "ILS", "charged"): (4, 6300, None, 0, 4100),
        (first, "JPY", "charged"): (1, 2100, 0, 0, 2100),
        (second, "ILS", "charged"): (2, 1 << 63, 0, 0, 1 << 63),
        (None, "ILS", "held"): (1, 2100, 0, 0, None),
    }


@ON_BOTH
def test_documented_query_finds_stalled_instalment_plans() -> None:
    stalled = [[(1000, date(2025, 11, 5)), (1000, date(2025, 12, 31))]]
    others = [[(1000, date(2025, 12, 5)), (1000, date(2026, 1, 1))], [(3000, date(2025, 12, 5))], []]
    for number, rows_of_it in enumerate(stalled + others):
        booked(f"r{number}", payment(f"r{number}", "t", amount_minor=3000))
        for amount_minor, settled_on in rows_of_it:
            settled(payment_id(f"r{number}", "t", ""), amount_minor, settled_on)

    assert [row[:4] for row in answer(SETTLEMENTS)] == [("r0", "t", 3000, 2000)]


@ON_BOTH
def test_open_discrepancies_of_a_payment_are_listed_once_and_in_order() -> None:
    transactions = ["t", "4580458045804580", None, None, "v"]
    payments = [payment("r", each, number) for number, each in enumerate(transactions)]
    booked("r", *payments)
    first, card, other, bare, last = (each["payment_id"] for each in payments)

    def reported(code: str, transaction_id: str | None, subject: str, of: str | None) -> Discrepancy:
        return Discrepancy(DiscrepancyCode(code), transaction_id, "", "", subject, of)

    reconcile_many({"r": [reported("BAD_CURRENCY", "v", "", last)]}, PAYLOAD_CODES, NOON)
    codes = ["UNKNOWN_SESSION", "BAD_AMOUNT", "UNKNOWN_SESSION"]
    found = [reported(code, "t", str(number), first) for number, code in enumerate(codes)]
    found += [reported("BAD_AMOUNT", "************4580", "", card), reported("BAD_CURRENCY", None, "", bare)]
    reconcile_many({"r": found}, PAYLOAD_CODES, NOON)
    reconcile_many({"r": [reported("MISSING_IN_ARCHIVE", None, "a row", None)]}, SETTLEMENT_CODES, NOON)

    assert other != bare
    expected = ["BAD_AMOUNT,UNKNOWN_SESSION", "BAD_AMOUNT", None, "BAD_CURRENCY", None]
    assert [row["discrepancies"] for row in rows()] == expected


@ON_BOTH
def test_file_has_the_rows_of_the_view_and_that_of_a_template_its_own_alone() -> None:
    archived()
    archived("s", template={"id": "another"})
    booked("t", payment("t", "t", amount_minor=MOST, paid_on=date(2026, 1, 1)))
    settled(payment_id("t", "t", ""), 2100, date(2026, 1, 3))

    schema = tables.table("payments").schema
    assert tables.rows("payments") == rows()
    assert not any(pa.types.is_floating(each.type) for each in schema)
    assert {str(schema.field(name).type) for name in ("amount_minor", "settled_minor", "revenue_minor")} == {"int64"}
    assert {str(schema.field(name).type) for name in ("paid_on", "settled_first_on")} == {"date32[day]"}
    for template_id, expected in (("another", ["s"]), ("none", [])):
        table = tables.table("payments", template_id)
        assert table.column("reference").to_pylist() == expected
        assert table.column_names[5:] == [column.name for column in LEDGER.columns]
