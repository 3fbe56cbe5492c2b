"""The ledger: payments for data teams, as a view and as a file."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Date, MetaData, String, Table, inspect, select, text

from adapters.database.connections import engine
from adapters.database.transactions import reading, writing
from domain.payments.identity import payment_id
from domain.settlements.matching import MATCHED, MAY_BE_SETTLED
from models.access import CELLAR
from models.archive.archive import ArchiveRow
from models.discrepancies import PAYLOAD_CODES, SETTLEMENT_CODES, Discrepancy, DiscrepancyCode
from models.payments import LEDGER, Standing
from models.settlements.settlement import EntryKind, Match
from models.views.archives.payments import PaymentQuery, PaymentTotals
from services.payments.discrepancies import reconcile_many
from services.views import archive_view, payment_list
from tests import tables
from tests.payments import booked, payment, settled, unsettled
from tests.records import NOON, archived, document

ON_BOTH = pytest.mark.usefixtures("installation")
ON_SQLITE = pytest.mark.usefixtures("sqlite_installation")
"""For tests that do not depend on the kind of database."""

DOCUMENTS = Path(__file__).parents[3] / "docs"
DOCUMENT = (DOCUMENTS / "ledger.md").read_text()
SETTLEMENTS = (DOCUMENTS / "settlement.md").read_text()
MOST = (1 << 63) - 1
DAILY_TOTALS = Table(
    "payment_daily_totals",
    MetaData(),
    Column("paid_on", Date),
    Column("currency", String),
    Column("standing", String, nullable=False),
    Column("payments", BigInteger, nullable=False),
    Column("amount_minor", BigInteger),
    Column("refunded_minor", BigInteger),
    Column("charged_back_minor", BigInteger),
    Column("revenue_minor", BigInteger),
    Column("source", String, nullable=False),
)


def rows(view: Table = LEDGER) -> list[dict[str, Any]]:
    with reading() as session:
        found = session.connection().execute(select(*view.columns).order_by(*list(view.columns)[:2]))
        return [dict(row._mapping) for row in found]


@ON_BOTH
def test_document_names_the_columns_of_the_views() -> None:
    for view in (LEDGER, DAILY_TOTALS):
        section = DOCUMENT.partition(f"\n## {view.name}\n")[2].partition("\n## ")[0]
        documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

        in_database = [column["name"] for column in inspect(engine()).get_columns(view.name)]
        assert documented == in_database == [column.name for column in view.columns]


def test_document_names_every_standing() -> None:
    assert re.findall(r"^- `(\w+)`", DOCUMENT, re.MULTILINE) == list(Standing)


@ON_SQLITE
def test_payment_of_an_archive_has_its_dates_and_version() -> None:
    archived()

    (row,) = rows()

    assert (row["reference"], row["position"], row["process_number"], row["version"]) == ("r", 0, 100, 1)
    assert (row["amount_minor"], row["currency"], row["standing"], row["attempts"]) == (2100, "ILS", "verified", 1)
    assert (row["received_at"], row["completed_at"]) == (NOON, None)
    assert (row["settled_minor"], row["settled_first_on"], row["discrepancies"]) == (None, None, None)


@ON_SQLITE
def test_matched_charge_settles_payments_that_may_have_taken_money() -> None:
    for standing in Standing:
        booked(standing, payment(standing, "t", standing=standing), payment(standing, "u", 1, standing=standing))
        settled(payment_id(standing, "t", ""), 2100, date(2026, 1, 3))

    may_have = {Standing.CHARGED, Standing.HELD, Standing.UNKNOWN}
    expected = {each: ["settled" if each in may_have else each, each] for each in Standing}
    assert {each: [row["standing"] for row in rows() if row["reference"] == each] for each in Standing} == expected


ENTRIES = [
    ({}, "settled"),
    ({"match": "authorisation"}, "settled"),
    ({"match": "ambiguous"}, "charged"),
    ({"match": "none"}, "charged"),
    ({"kind": "refund"}, "charged"),
    ({"kind": "chargeback"}, "charged"),
]


@ON_BOTH
def test_only_a_matched_charge_settles() -> None:
    for number, (members, _) in enumerate(ENTRIES):
        booked(f"r{number}", payment(f"r{number}", "t"))
        settled(payment_id(f"r{number}", "t", ""), 2100, date(2026, 1, 3), **members)

    shown = [archive_view.archive(f"r{number}", CELLAR) for number in range(len(ENTRIES))]
    assert [row["standing"] for row in rows()] == [expected for _, expected in ENTRIES]
    assert [each.payments[0].standing for each in shown if each] == [expected for _, expected in ENTRIES]


@ON_BOTH
def test_instalments_add_up() -> None:
    booked("r", payment("r", "t", amount_minor=3000))
    for month in (3, 1, 2):
        settled(payment_id("r", "t", ""), 1000, date(2026, month, 5))

    (row,) = rows()
    assert (row["settled_minor"], row["settled_first_on"], row["settled_last_on"]) == (
        3000,
        date(2026, 1, 5),
        date(2026, 3, 5),
    )


@ON_BOTH
def test_charge_in_another_currency_is_not_added_up() -> None:
    charges = [["ILS", "ILS"], ["ILS", "USD"], ["USD"], []]
    booked("r", *(payment("r", str(number), number) for number in range(4)), payment("r", "4", 4, currency=None))
    for number, currencies in enumerate([*charges, ["ILS"]]):
        for day, currency in enumerate(currencies, 1):
            settled(payment_id("r", str(number), ""), 1000, date(2026, 1, day), currency=currency)

    assert [row["settled_minor"] for row in rows()] == [2000, None, None, None, None]
    assert [row["settled_first_on"] is None for row in rows()] == [False, False, False, True, False]


TAKEN_BACK = [
    ([], (0, 0)),
    ([("refund", 500, "ILS"), ("refund", 600, "ILS"), ("chargeback", 700, "ILS")], (1100, 700)),
    ([("refund", 500, "ILS"), ("refund", 500, "USD")], (None, 0)),
    ([("chargeback", 2100, "ILS")], (0, 2100)),
]


@ON_BOTH
def test_refunds_and_chargebacks_are_reported_and_reduce_the_revenue() -> None:
    booked("r", *(payment("r", str(number), number, paid_on=date(2026, 1, number + 1)) for number in range(4)))
    for number, (entries, _) in enumerate(TAKEN_BACK):
        settled(payment_id("r", str(number), ""), 2100, date(2026, 1, 9))
        for kind, amount_minor, currency in entries:
            settled(payment_id("r", str(number), ""), amount_minor, date(2026, 2, 9), kind=kind, currency=currency)
        settled(payment_id("r", str(number), ""), 1, date(2026, 2, 9), kind="refund", match="ambiguous")

    assert [row["standing"] for row in rows()] == ["settled"] * 4
    assert [row["settled_minor"] for row in rows()] == [2100] * 4
    assert [(row["refunded_minor"], row["charged_back_minor"]) for row in rows()] == [back for _, back in TAKEN_BACK]
    totals = [(row["refunded_minor"], row["charged_back_minor"]) for row in rows(DAILY_TOTALS)]
    assert totals == [back for _, back in TAKEN_BACK]
    assert [revenue for _, revenue in answer(DOCUMENT)] == [2100, 300, None, 0]


@ON_BOTH
def test_refund_in_another_currency_adds_no_revenue_to_the_daily_totals() -> None:
    booked("r", payment("r", "t"), payment("r", "u", 1), payment("r", "v", 2, amount_minor=None))
    settled(payment_id("r", "t", ""), 2100, date(2026, 1, 9), kind="refund", currency="USD")
    settled(payment_id("r", "u", ""), 100, date(2026, 1, 9), kind="refund")
    settled(payment_id("r", "v", ""), 100, date(2026, 1, 9), kind="refund")

    (totals,) = rows(DAILY_TOTALS)
    assert answer(DOCUMENT) == [(None, 2000)]
    assert (totals["revenue_minor"], totals["refunded_minor"], totals["charged_back_minor"]) == (2000, None, 0)


REVENUE = [
    ("charged", [("charge", 2000, "ILS")], 2100),  # the remainder is outstanding, or a discrepancy
    ("charged", [], 2100),
    ("held", [], None),
    ("held", [("charge", 1600, "ILS")], 1600),
    ("held", [("charge", 1600, "ILS"), ("refund", 100, "ILS")], 1500),
    ("held", [("charge", 1600, "USD")], None),
    ("unknown", [("charge", 2100, "ILS")], 2100),
    ("unknown", [], None),
    ("unknown", [("charge", 2100, "USD")], None),
    ("unknown", [("charge", 2000, "ILS"), ("charge", 100, "USD"), ("refund", 100, "ILS")], None),
    ("verified", [("charge", 2100, "ILS")], None),
    ("failed", [], None),
]


@ON_BOTH
def test_revenue_is_the_money_taken_minus_the_money_returned() -> None:
    for number, (standing, entries, _) in enumerate(REVENUE):
        booked(f"r{number:02}", payment(f"r{number:02}", "t", standing=standing))
        for kind, amount_minor, currency in entries:
            members = {"kind": kind, "currency": currency}
            settled(payment_id(f"r{number:02}", "t", ""), amount_minor, date(2026, 1, 3), **members)

    assert [row["revenue_minor"] for row in rows()] == [revenue for _, _, revenue in REVENUE]


@ON_BOTH
def test_revenue_beyond_64_bits_is_none() -> None:
    booked("r", payment("r", "t", amount_minor=MOST))
    settled(payment_id("r", "t", ""), -MOST // 2, date(2026, 1, 3), kind="chargeback")

    assert [row["revenue_minor"] for row in rows()] == [None]
    assert [row["revenue_minor"] for row in rows(DAILY_TOTALS)] == [None]


def answer(document: str) -> list[tuple[Any, ...]]:
    """Return the rows of the first query of a document."""
    query = document.partition("```sql\n")[2].partition("```")[0]
    with reading() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


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


@ON_SQLITE
def test_discrepancies_of_an_archive_appear_on_its_payments() -> None:
    fields = {"session_id": "none", "type": "charge", "status": "success", "amount": "x", "currency": "ILS"}
    others = fields | {"transaction_id": "4580458045804580", "amount": 2100}
    archived(payload=document("r") | {"payments": [fields, others]})

    reported = [(row["discrepancies"] or "").split(",") for row in rows()]
    assert ["BAD_AMOUNT" in each for each in reported] == [True, False]
    assert ["UNKNOWN_SESSION" in each for each in reported] == [True, True]


numbers = st.integers(-5, 5_000_000_000) | st.integers(MOST - 3, MOST) | st.integers(-MOST, -MOST + 3)
currencies = st.sampled_from(["ILS", "JPY"])
made = st.fixed_dictionaries(
    {
        "paid_on": st.sampled_from([None, date(2026, 1, 1), date(2026, 1, 2)]),
        "currency": st.none() | currencies,
        "standing": st.sampled_from(Standing),
        "amount_minor": st.none() | numbers,
    }
)
of_reports = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(EntryKind),
        "currency": currencies,
        "match": st.sampled_from(Match),
        "amount_minor": numbers,
    }
)


@given(st.lists(st.tuples(made, st.lists(of_reports, max_size=3)), max_size=8))
@ON_BOTH
def test_rows_are_payments_and_daily_totals_are_sums_of_rows(
    drawn: Sequence[tuple[dict[str, Any], Sequence[dict[str, Any]]]],
) -> None:
    booked("r", *(payment("r", str(number), number, **members) for number, (members, _) in enumerate(drawn)))
    unsettled()
    for number, (_, entries) in enumerate(drawn):
        for position, each in enumerate(entries):
            settled(payment_id("r", str(number), ""), settled_on=date(2026, 1, 3 + position), **each)

    ledger = rows()

    expected = [
        members | {"position": number, "standing": _standing(members["standing"], entries)}
        for number, (members, entries) in enumerate(drawn)
    ]
    columns = ("position", "paid_on", "currency", "standing", "amount_minor")
    assert [{name: row[name] for name in columns} for row in ledger] == expected
    by_day = defaultdict[Any, list[dict[str, Any]]](list)
    for row in ledger:
        by_day[row["paid_on"], row["currency"], row["standing"], "default"].append(row)
    keys = ("paid_on", "currency", "standing", "source")
    totals = {tuple(each.pop(name) for name in keys): each for each in rows(DAILY_TOTALS)}
    assert totals == {key: _totals(its) for key, its in by_day.items()}
    days = PaymentQuery(paid_from=NOON.replace(2026, 1, 1), paid_to=NOON.replace(2026, 1, 2))
    undated = PaymentQuery(undated=True)
    found = payment_list.totals(days) | payment_list.totals(undated)
    assert {key: _added(each) for key, each in found.items()} == {key[:3]: _exact(its) for key, its in by_day.items()}
    listed = [dict(row._mapping) for query in (days, undated) for some in payment_list.ledger(query) for row in some]
    assert sorted(listed, key=lambda row: row["position"]) == ledger


def _added(found: PaymentTotals) -> dict[str, int | None]:
    return {"payments": found["payments"]} | {name: found.sum_of(name) for name in payment_list.AMOUNTS}


def _exact(its: Sequence[dict[str, Any]]) -> dict[str, int | None]:
    """Return what the console's sums of some rows of the ledger are expected to be, also beyond 64 bits."""
    known = {name: [row[name] for row in its if row[name] is not None] for name in payment_list.AMOUNTS}
    lacking = {name for name in ("refunded_minor", "charged_back_minor") if len(known[name]) < len(its)}
    return {"payments": len(its)} | {
        name: sum(numbers) if numbers and name not in lacking else None for name, numbers in known.items()
    }


def _standing(standing: Standing, entries: Sequence[dict[str, Any]]) -> Standing:
    charges = [each for each in entries if each["kind"] is EntryKind.CHARGE and each["match"] in MATCHED]
    return Standing.SETTLED if charges and standing in MAY_BE_SETTLED else standing


def _totals(its: Sequence[dict[str, Any]]) -> dict[str, int | None]:
    """Return the expected totals of a day, a currency and a standing."""
    names = [each.name for each in DAILY_TOTALS.columns if each.name.endswith("_minor")]
    columns = {name: [each[name] for each in its] for name in names}
    went_back = ("refunded_minor", "charged_back_minor")
    sums = {name: None if name in went_back and None in column else _total(column) for name, column in columns.items()}
    return {"payments": len(its)} | sums


def _total(amounts: Sequence[int | None]) -> int | None:
    known = [each for each in amounts if each is not None]
    return sum(known) if known and abs(sum(known)) < 9_223_372_036_000_000_000 else None


@ON_BOTH
def test_file_has_the_rows_of_the_view() -> None:
    archived()
    for number in range(3):
        booked(f"s{number}", payment(f"s{number}", "t", amount_minor=MOST, paid_on=date(2026, 1, 1)))
    settled(payment_id("s1", "t", ""), 2100, date(2026, 1, 3))

    schema = tables.table("payments").schema
    assert tables.rows("payments") == rows()
    assert not any(pa.types.is_floating(each.type) for each in schema)
    assert {str(schema.field(name).type) for name in ("amount_minor", "settled_minor", "revenue_minor")} == {"int64"}
    assert {str(schema.field(name).type) for name in ("paid_on", "settled_first_on")} == {"date32[day]"}


@ON_SQLITE
def test_file_of_a_template_has_only_its_archives_and_always_all_columns() -> None:
    archived()
    archived("s", template={"id": "another"})

    for template_id, expected in (("another", ["s"]), ("none", [])):
        table = tables.table("payments", template_id)
        assert table.column("reference").to_pylist() == expected
        assert table.column_names[5:] == [column.name for column in LEDGER.columns]


@ON_BOTH
def test_payments_and_daily_totals_are_cut_by_source() -> None:
    for reference, source in (("here", "default"), ("there", "retail")):
        booked(reference, payment(reference, "1"))
        with writing() as session:
            session.get_one(ArchiveRow, reference).source = source

    assert {(row["reference"], row["source"]) for row in rows()} == {("here", "default"), ("there", "retail")}
    assert sorted((row["source"], row["payments"]) for row in rows(DAILY_TOTALS)) == [("default", 1), ("retail", 1)]
