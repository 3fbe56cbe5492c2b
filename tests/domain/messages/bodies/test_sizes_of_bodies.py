"""No body is larger than 20 KB, whatever the payload holds: the longest references, labels, codes and texts."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from domain.messages.bodies import archive_bodies, report_bodies
from models.archive.archive import ArchiveRow, Difference, DifferenceKind
from models.archive.archive import Change as Kind
from models.archive.verdict import Change
from models.archive.warning import WarningCode
from models.completeness.processes import MissingProcessRow, Why
from models.messages.bodies import BODIES, MOST_BYTES
from models.messages.event import EventType
from models.messages.refusing import TurnedAway
from models.payments import Discrepancy, DiscrepancyCode
from models.runs.cause import Cause, FailedReceipt
from models.runs.receipt import RefusedDelivery, VersionRow
from models.views.archives.payments import ListedDiscrepancy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOST = f"https://{'h' * 200}.example"
SIGNS = st.sampled_from(["x", "ת", "😀", '"', "\\", "\x01"])
MANY = st.integers(0, 10**18)


def text(most: int) -> st.SearchStrategy[str]:
    """Text of one sign, which is up to twelve bytes long in JSON."""
    return st.builds(lambda sign, length: sign * length, SIGNS, st.sampled_from([0, 1, most // 2, most]))


LONG = text(100_000)
REFERENCES = text(255).filter(bool)
DISCREPANCIES = st.builds(Discrepancy, st.sampled_from(DiscrepancyCode), st.none() | LONG, LONG, LONG)


def url_of(reference: str) -> str:
    return f"{HOST}/api/archives/{quote(reference, safe='')}"


@st.composite
def every_body(draw: st.DrawFn) -> dict[EventType, bytes]:
    reference, long = draw(REFERENCES), draw(LONG)
    row = ArchiveRow(
        reference=reference, state="completed", received_at=NOON, template_id=long, process_number=10**18,
        source="s" * 64,
    )  # fmt: skip
    version = VersionRow(receipt_id="a" * 64, reference=reference, version=10**9, received_at=NOON, skeleton=b"")
    about = archive_bodies.about(row, version, url_of(reference))
    codes = {"warnings_by_code": _all(WarningCode), "discrepancies_by_code": _all(DiscrepancyCode)}
    found = [draw(DISCREPANCIES)] * 60
    listed = [_listed(each, reference) for each in found]
    refused = RefusedDelivery(
        "d", "a" * 64, NOON, 1, "C" * 64, long, long, reference, 10**18, source="s" * 64
    )  # fmt: skip
    differences = [Difference(kind, long, change, {}, ()) for kind in DifferenceKind for change in Kind]
    missing = MissingProcessRow(
        missing_id="m" * 64, source="s" * 64, reference=reference, process_number=10**18, transaction_number=10**18,
        why=Why.SUBMITTED, since=NOON, deadline_at=NOON, opened_at=NOON,
    )  # fmt: skip
    failed = FailedReceipt(reference, "a" * 64, NOON, Cause("C" * 64, "t" * 64, "E", long), 10**9, "f" * 36)
    return {
        EventType.ARCHIVE_COMPLETED: archive_bodies.archive_completed(
            about, at=NOON, has_warnings=True, discrepancies=found, discrepancies_in_all=10**9, signed_document="sound"
        ),
        EventType.ARCHIVE_CHANGED: archive_bodies.archive_changed(
            about, at=NOON, before=version, differences=differences, **codes
        ),
        EventType.ARCHIVE_ATTENTION: archive_bodies.archive_attention(about, at=NOON, signed_document="sound", **codes),
        EventType.ARCHIVE_FAILED: archive_bodies.archive_failed(row, failed, url=url_of(reference)),
        EventType.PROCESS_MISSING: archive_bodies.process_missing(missing, url=HOST, at=NOON),
        EventType.PAYMENTS_DISCREPANCIES: report_bodies.payments_discrepancies(
            listed, _all(DiscrepancyCode), url=HOST, at=NOON
        ),
        EventType.DELIVERY_REFUSED: report_bodies.delivery_refused(
            [refused] * 20, {f"CODE_{each}": 10**9 for each in range(40)}, first_at=NOON, url=HOST, at=NOON
        ),
        EventType.DOCUMENTS_JUDGED_WORSE: report_bodies.documents_judged_worse(
            [Change(reference, 10**9, "fields_changed, not trusted", "unreadable", True)] * 500, 1, url=HOST, at=NOON
        ),
        EventType.STORE_DAMAGED: report_bodies.store_damaged(10**9, NOON),
        EventType.STORE_UNVERIFIED: report_bodies.store_unverified(NOON),
        EventType.RECEIVER_REFUSING: report_bodies.receiver_refusing(
            TurnedAway({f"CODE_{each}": 10**9 for each in range(40)}, NOON, NOON), url=HOST, at=NOON
        ),
        EventType.ENDPOINT_TEST: report_bodies.endpoint_test("e" * 64, NOON),
    }


def _all(codes: type[DiscrepancyCode] | type[WarningCode]) -> Mapping[str, int]:
    return {str(each): 10**9 for each in codes}


def _listed(found: Discrepancy, reference: str) -> ListedDiscrepancy:
    return ListedDiscrepancy(
        reference=reference, discrepancy_id="d" * 32, code=found.code, transaction_id=found.transaction_id,
        expected=found.expected, found=found.found, sentence=found.expected + found.found, state="open",
        opened_at=NOON, explanation=None, closed_at=None,
    )  # fmt: skip


@given(every_body())
def test_no_body_is_larger_than_20_kb_and_each_fits_its_model(bodies: dict[EventType, bytes]) -> None:
    assert bodies.keys() == set(EventType) == BODIES.keys()
    for event, body in bodies.items():
        assert len(body) <= MOST_BYTES
        assert BODIES[event].model_validate_json(body).type == event


def test_list_without_room_is_shorter_and_the_number_of_all_stays() -> None:
    row = ArchiveRow(reference="r", state="completed", received_at=NOON)
    version = VersionRow(receipt_id="a" * 64, reference="r", version=1, received_at=NOON, skeleton=b"")
    long = Discrepancy(DiscrepancyCode.BAD_AMOUNT, "t", "ת" * 1000, "ת" * 1000)

    body = archive_bodies.archive_completed(
        archive_bodies.about(row, version, "u"), at=NOON, has_warnings=False, discrepancies=[long] * 50,
        discrepancies_in_all=50, signed_document=None,
    )  # fmt: skip

    data = json.loads(body)["data"]
    assert 0 < len(data["discrepancies"]) < 50
    assert data["discrepancies_in_all"] == 50
    assert data["discrepancies"][0]["expected"] == "ת" * 199 + "…"
