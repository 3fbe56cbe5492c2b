"""Bodies of messages: ids, links, numbers and codes, no personal data, and at most 20 KB."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from docs.event_schemas import FOLDER, schemas
from domain.messages import bodies
from domain.messages.bodies import MOST_REPORTED
from domain.payments.discrepancies import sentence
from models.archive.archive import ArchiveRow, Change, Difference, DifferenceKind, Values, WarningCode
from models.archive.verdict import Change as JudgedChange
from models.completeness.processes import MissingProcessRow, Why
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.messages.bodies import BODIES, MOST_BYTES, AboutArchive, Attention, Damage, Unverified
from models.messages.bodies import Test as EndpointTest
from models.messages.notification import EventType, TurnedAway
from models.runs.receipt import Cause, FailedReceipt, RefusedDelivery, VersionRow
from models.said import verbatim
from models.views.archives.payments import ListedDiscrepancy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT_NOON = "2026-01-01T12:00:00+00:00"
HOST = "https://cellar.example"
URL = f"{HOST}/api/archives/x"
A, B = "ab" * 32, "cd" * 32
DAMAGED = Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, "t", "21.00 ILS", "25.00 ILS")
TYPED = Discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, "Dana Levi, 054-1234567", "a payment", "none")
ARCHIVE = ArchiveRow(
    reference="תהליך 1", state="completed", received_at=NOON, template_id="t-1", process_number=100, source="sales"
)


def version(number: int, receipt_id: str, reference: str = "תהליך 1") -> VersionRow:
    return VersionRow(receipt_id=receipt_id, reference=reference, version=number, received_at=NOON, skeleton=b"")


ABOUT = bodies.about(ARCHIVE, version(2, A), URL)
TOLD = {
    "reference": "תהליך 1", "receipt_id": A, "version": 2, "source": "sales", "template_id": "t-1",
    "process_number": 100, "url": URL,
}  # fmt: skip


def completed(discrepancies: Sequence[Discrepancy], *, has_warnings: bool = False) -> bytes:
    return bodies.archive_completed(
        ABOUT, at=NOON, has_warnings=has_warnings, discrepancies=discrepancies,
        discrepancies_in_all=len(discrepancies), signed_document="changed",
    )  # fmt: skip


def attention(
    about: AboutArchive, warnings: dict[str, int], discrepancies: dict[str, int], signed_document: str
) -> bytes:
    found = {"warnings_by_code": warnings, "discrepancies_by_code": discrepancies}
    data = Attention(**about.model_dump(exclude_unset=True), signed_document=signed_document, **found)
    return bodies.encoded(EventType.ARCHIVE_ATTENTION, NOON, data)


def missing(deadline_at: datetime) -> MissingProcessRow:
    return MissingProcessRow(
        missing_id="m-1", source="sales", process_number=100, transaction_number=30, why=Why.SUBMITTED,
        since=NOON - timedelta(days=1), deadline_at=deadline_at, opened_at=NOON,
    )  # fmt: skip


def listed(found: Discrepancy, reference: str | None = None) -> ListedDiscrepancy:
    return ListedDiscrepancy(
        reference=reference, discrepancy_id="d", code=found.code, transaction_id=found.transaction_id,
        expected=found.expected, found=found.found, sentence="…", state="open", opened_at=NOON, explanation=None,
        closed_at=None,
    )  # fmt: skip


def data_of(body: bytes) -> Any:
    return json.loads(body)["data"]


CHANGES = [
    Difference(DifferenceKind.FIELD, "full name", Change.CHANGED, {"value": Values("Dana", "Dina")}, ()),
    Difference(DifferenceKind.FIELD, "phone", Change.CHANGED, {"value": Values("1", "2")}, ()),
    Difference(DifferenceKind.PAYMENT, "t", Change.ADDED, {}, ()),
]
REFUSED = RefusedDelivery("d", A, NOON, 1, "TRUNCATED", "", "the body ends", "r-1", 4711)
FAILURE = FailedReceipt(
    "תהליך 1", A, NOON, Cause("NOT_READ_BACK", "reconcile-payments", "Conflict", verbatim("why")), 2, "f-1"
)
FOUND = {"code": "AMOUNT_MISMATCH", "transaction_id": "t", "expected": "21.00 ILS", "found": "25.00 ILS"}
CASES: dict[EventType, tuple[bytes, dict[str, Any]]] = {
    EventType.ARCHIVE_COMPLETED: (
        completed([DAMAGED]),
        TOLD
        | {
            "attention": True,
            "discrepancies": [FOUND | {"sentence": sentence(DAMAGED.code, DAMAGED.expected, DAMAGED.found)}],
            "discrepancies_in_all": 1,
            "signed_document": "changed",
        },
    ),
    EventType.ARCHIVE_CHANGED: (
        bodies.archive_changed(
            ABOUT, at=NOON, before=version(1, B), differences=CHANGES, warnings_by_code={"WRONG_TYPE": 2},
            discrepancies_by_code={},
        ),
        TOLD
        | {
            "before_version": 1,
            "before_receipt_id": B,
            "changes": {
                "field": {"added": 0, "removed": 0, "changed": 2},
                "payment": {"added": 1, "removed": 0, "changed": 0},
            },
            "warnings_by_code": {"WRONG_TYPE": 2},
            "discrepancies_by_code": {},
        },
    ),
    EventType.ARCHIVE_ATTENTION: (
        attention(ABOUT, {"SIGNED_DOCUMENT_BROKEN": 1}, {"AMOUNT_MISMATCH": 3}, "broken"),
        TOLD
        | {
            "warnings_by_code": {"SIGNED_DOCUMENT_BROKEN": 1},
            "discrepancies_by_code": {"AMOUNT_MISMATCH": 3},
            "signed_document": "broken",
        },
    ),
    EventType.ARCHIVE_FAILED: (
        bodies.archive_failed(ARCHIVE, FAILURE, url=URL),
        {
            "reference": "תהליך 1", "receipt_id": A, "source": "sales", "process_number": 100,
            "code": "NOT_READ_BACK", "task": "reconcile-payments", "sentence": "why", "flow_run_id": "f-1",
            "attempt": 2, "url": URL,
        },
    ),
    EventType.ARCHIVE_ERASED: (
        bodies.archive_erased("תהליך 1", A, "sales", "lease", NOON).body,
        {"reference": "תהליך 1", "digest": A, "source": "sales", "template_id": "lease"},
    ),
    EventType.PROCESS_MISSING: (
        bodies.process_missing(missing(NOON + timedelta(hours=24)), url=f"{HOST}/api/missing", at=NOON),
        {
            "missing_id": "m-1", "reference": None, "process_number": 100, "transaction_number": 30,
            "source": "sales", "why": "submitted", "since": "2025-12-31T12:00:00+00:00",
            "deadline_at": "2026-01-02T12:00:00+00:00", "hours_left": 24, "url": f"{HOST}/api/missing",
        },
    ),
    EventType.PAYMENTS_DISCREPANCIES: (
        bodies.payments_discrepancies("s", [listed(DAMAGED)], {"AMOUNT_MISMATCH": 2, "REFUNDED": 3}, NOON, HOST).body,
        {
            "discrepancies": [
                FOUND
                | {"sentence": sentence(DAMAGED.code, DAMAGED.expected, DAMAGED.found)}
                | {"reference": None, "discrepancy_id": "d", "opened_at": "2026-01-01T12:00:00Z"}
            ],
            "discrepancies_in_all": 5,
            "by_code": {"AMOUNT_MISMATCH": 2, "REFUNDED": 3},
            "url": f"{HOST}/api/discrepancies?state=open",
        },
    ),
    EventType.DELIVERY_REFUSED: (
        bodies.delivery_refused("s", [REFUSED], {"TRUNCATED": 7}, NOON, NOON, HOST).body,
        {
            "deliveries": [
                {
                    "receipt_id": A, "reference": "r-1", "process_number": 4711, "code": "TRUNCATED", "where": "",
                    "detail": "the body ends", "received_at": AT_NOON, "source": "default",
                }
            ],
            "deliveries_in_all": 7, "by_code": {"TRUNCATED": 7}, "first_at": AT_NOON, "last_at": AT_NOON,
            "url": f"{HOST}/api/refused",
        },
    ),
    EventType.DOCUMENTS_JUDGED_WORSE: (
        bodies.documents_judged_worse("s", [JudgedChange("p", 1, "sound", "broken", True)], 2, NOON, HOST).body,
        {
            "documents": [{"reference": "p", "version": 1, "before": "sound", "now": "broken"}],
            "documents_in_all": 1, "contradictions": 2, "url": f"{HOST}/api/archives?attention=true",
        },
    ),
    EventType.STORE_DAMAGED: (
        bodies.report(EventType.STORE_DAMAGED, "s", NOON, Damage(findings=3)).body,
        {"findings": 3},
    ),
    EventType.STORE_UNVERIFIED: (bodies.report(EventType.STORE_UNVERIFIED, "s", NOON, Unverified()).body, {}),
    EventType.RECEIVER_REFUSING: (
        bodies.receiver_refusing("s", TurnedAway({"UNAVAILABLE": 7}, NOON, NOON), NOON, HOST).body,
        {
            "requests": 7, "by_code": {"UNAVAILABLE": 7}, "first_at": AT_NOON, "last_at": AT_NOON,
            "url": f"{HOST}/readyz",
        },
    ),
    EventType.ENDPOINT_TEST: (
        bodies.encoded(EventType.ENDPOINT_TEST, NOON, EndpointTest(endpoint="erp")),
        {"endpoint": "erp"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("event", EventType)
def test_body_says_what_has_happened_in_ids_numbers_and_codes(event: EventType) -> None:
    body, data = CASES[event]

    assert body.isascii()
    assert json.loads(body) == {"type": event, "timestamp": AT_NOON, "data": data}


def test_value_of_a_payment_field_and_digits_of_a_card_never_appear() -> None:
    card = Discrepancy(DiscrepancyCode.CARD_CONFLICT, "t", "a card that ends in 4580", "a card that ends in 9371")
    of_all = bodies.payments_discrepancies("s", [listed(TYPED), listed(card)], {}, NOON, HOST).body

    for body in (completed([TYPED, card]), of_all):
        typed, conflict = data_of(body)["discrepancies"]
        assert typed["transaction_id"] is None
        assert (conflict["transaction_id"], conflict["expected"], conflict["found"]) == ("t", "•••", "•••")
        assert "4580" not in body.decode()


@pytest.mark.parametrize(("warnings", "found", "attention"), [(False, 0, False), (True, 0, True), (False, 1, True)])
def test_warnings_or_open_discrepancies_need_attention(warnings: bool, found: int, attention: bool) -> None:
    assert data_of(completed([DAMAGED] * found, has_warnings=warnings))["attention"] is attention


def test_list_has_at_most_a_number_and_what_there_is_room_for_and_all_are_counted() -> None:
    many = data_of(completed([DAMAGED] * (MOST_REPORTED + 1)))
    large = data_of(completed([Discrepancy(DiscrepancyCode.BAD_AMOUNT, "t", "ת" * 1000, "ת" * 1000)] * 50))

    assert (len(many["discrepancies"]), many["discrepancies_in_all"]) == (MOST_REPORTED, MOST_REPORTED + 1)
    assert 0 < len(large["discrepancies"]) < 50
    assert (large["discrepancies_in_all"], large["discrepancies"][0]["expected"]) == (50, "ת" * 199 + "…")


@pytest.mark.parametrize(("before", "hours_left"), [(24.0, 24), (1.99, 1), (0.5, 0), (-3.0, 0)])
def test_missing_process_has_whole_hours_left(before: float, hours_left: int) -> None:
    body = bodies.process_missing(missing(NOON + timedelta(hours=before)), url="u", at=NOON)

    assert data_of(body)["hours_left"] == hours_left


SIGNS = st.sampled_from(["x", "ת", "😀", '"', "\\", "\x01"])
LONG_HOST = f"https://{'h' * 200}.example"


def text(most: int) -> st.SearchStrategy[str]:
    """Text of one sign, which is up to twelve bytes long in JSON."""
    return st.builds(lambda sign, length: sign * length, SIGNS, st.sampled_from([0, 1, most // 2, most]))


LONG = text(100_000)
DISCREPANCIES = st.builds(Discrepancy, st.sampled_from(DiscrepancyCode), st.none() | LONG, LONG, LONG)


@given(text(255).filter(bool), LONG, DISCREPANCIES)
def test_no_body_is_larger_than_20_kb_and_each_fits_its_model(reference: str, long: str, found: Discrepancy) -> None:
    """The longest references, labels, codes and texts that a payload may have."""
    row = ArchiveRow(
        reference=reference, state="completed", received_at=NOON, template_id=long, process_number=10**18,
        source="s" * 64,
    )  # fmt: skip
    its, url = version(10**9, A, reference), f"{LONG_HOST}/api/archives/{quote(reference, safe='')}"
    about = bodies.about(row, its, url)
    codes = {f"CODE_{each}": 10**9 for each in range(40)}
    warnings, discrepancies = ({str(each): 10**9 for each in kind} for kind in (WarningCode, DiscrepancyCode))
    by_code: dict[str, Any] = {"warnings_by_code": warnings, "discrepancies_by_code": discrepancies}
    refused = RefusedDelivery("d", A, NOON, 1, "C" * 64, long, long, reference, 10**18, source="s" * 64)
    differences = [Difference(kind, long, change, {}, ()) for kind in DifferenceKind for change in Change]
    lost = missing(NOON)
    lost.reference, lost.process_number, lost.transaction_number = reference, 10**18, 10**18
    failed = FailedReceipt(reference, A, NOON, Cause("C" * 64, "t" * 64, "E", verbatim(long)), 10**9, "f" * 36)
    worse = [JudgedChange(reference, 10**9, "fields_changed, not trusted", "unreadable", True)] * 500
    of_all = listed(found, reference).model_copy(update={"sentence": found.expected + found.found})
    made = {
        EventType.ARCHIVE_COMPLETED: bodies.archive_completed(
            about, at=NOON, has_warnings=True, discrepancies=[found] * 60, discrepancies_in_all=10**9,
            signed_document="sound",
        ),
        EventType.ARCHIVE_CHANGED: bodies.archive_changed(
            about, at=NOON, before=its, differences=differences, **by_code
        ),
        EventType.ARCHIVE_ATTENTION: attention(about, warnings, discrepancies, "sound"),
        EventType.ARCHIVE_FAILED: bodies.archive_failed(row, failed, url=url),
        EventType.PROCESS_MISSING: bodies.process_missing(lost, url=LONG_HOST, at=NOON),
        EventType.ENDPOINT_TEST: bodies.encoded(EventType.ENDPOINT_TEST, NOON, EndpointTest(endpoint="e" * 64)),
    } | {
        event.type: event.body
        for event in (
            bodies.payments_discrepancies("s", [of_all] * 60, discrepancies, NOON, LONG_HOST),
            bodies.archive_erased(row.reference, "d" * 64, row.source, row.template_id, NOON),
            bodies.delivery_refused("s", [refused] * 20, codes, NOON, NOON, LONG_HOST),
            bodies.documents_judged_worse("s", worse, 1, NOON, LONG_HOST),
            bodies.report(EventType.STORE_DAMAGED, "s", NOON, Damage(findings=10**9)),
            bodies.report(EventType.STORE_UNVERIFIED, "s", NOON, Unverified()),
            bodies.receiver_refusing("s", TurnedAway(codes, NOON, NOON), NOON, LONG_HOST),
        )
    }  # fmt: skip

    assert made.keys() == set(EventType) == BODIES.keys()
    for event, body in made.items():
        assert len(body) <= MOST_BYTES
        assert BODIES[event].model_validate_json(body).type == event


PAGE = Path(__file__).parents[3] / "docs" / "events.md"
SECTIONS = dict(re.findall(r"^## ([a-z.]+\.[a-z_]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("event", EventType)
def test_section_names_each_member_and_no_other(event: EventType) -> None:
    """Members of entries of a list may be named in an earlier section."""
    schema = BODIES[event].model_json_schema(mode="serialization")
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    of_defs = (each.get("properties", {}) for each in schema["$defs"].values())
    inner = {name for each in of_defs for name in each} - data["properties"].keys()
    rows = re.findall(r"^\| (`.*?`) \|", SECTIONS[event], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert named in (data["properties"].keys(), set())
    assert [name for name in data["properties"] if f"`{name}`" not in SECTIONS[event]] == []
    assert [name for name in inner if f"`{name}`" not in PAGE.read_text()] == []


def test_each_section_is_of_an_event() -> None:
    assert SECTIONS.keys() == set(EventType)


def test_schemas_match_the_models() -> None:
    there = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert there == schemas(), "run `make event-schemas`"


@pytest.mark.parametrize("event", EventType)
def test_schema_is_one_and_lets_further_members_pass(event: EventType) -> None:
    schema = BODIES[event].model_json_schema(mode="serialization")
    Draft202012Validator.check_schema(schema)
    assert 'additionalProperties": false' not in schemas()[f"{event}.json"]
