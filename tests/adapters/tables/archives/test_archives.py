"""Archives in the database: versions in order of archiving, and the rows of the current version."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import InvalidRequestError, NoResultFound

from adapters.database.transactions import reading
from adapters.tables.archives import archives
from adapters.tables.archives.archives import row_counts
from adapters.tables.runs import receipts
from domain.archive.versions import Age
from models.archive.archive import FormFieldRow, WarningRow
from models.archive.content import FileRow
from models.archive.session import LabelRow, SessionRow
from models.errors import Conflict
from models.payments import PaymentRow
from models.runs.receipt import VersionRow
from models.views.archives.archives import ArchiveView
from services.views import archive_view
from tests.domain.payloads import read
from tests.installations import archive_of
from tests.records import NOON, archived, digest, document, loaded, registered
from tests.samples import PDF, PNG


def whole(reference: str = "r") -> ArchiveView:
    return archive_of(reference, archive_view.WHOLE)


def made_at(timestamp: str | None, **members: Any) -> dict[str, Any]:
    """Return the sample with this event time, with members of its root replaced."""
    return document() | {"event": {"type": "WHP_ARCHIVE", "timestamp": timestamp}} | members


def test_archive_is_read_back_as_it_was_sent() -> None:
    receipt_id = archived()

    archive = whole()

    sent = document()
    assert (archive.process_number, archive.template_id) == (100, "9fa70d4ccea84262b1ed2308a07a3fb4")
    assert [(each.version, each.receipt_id) for each in archive.versions] == [(1, receipt_id)]
    assert [(each.role, each.size_bytes) for each in archive.files] == [
        ("signed_document", len(PDF)),
        ("attachment", len(PNG)),
    ]
    (session,) = archive.sessions
    assert (session.recipient, session.labels) == (sent["sessions"][0]["recipient"], {"CUSTOMER_TAG": "CUSTOMER_VALUE"})
    assert [(each.id, each.executed_at is not None) for each in session.integrations] == [
        ("861c85ff-ba57-4679-8a63-c731d4e7b10b", True)
    ]
    assert [each.labels for each in archive.signatures] == [{"SOME_TAG": "SOME_VALUE"}]
    assert [(each.id, each.value, each.top) for each in archive.fields] == [
        (each["id"], each["value"], each["top"]) for each in sent["data"]
    ]
    assert [(each.amount_minor, each.currency) for each in archive.payments] == [(2100, "ILS")]
    assert (archive.warnings, archive.discrepancies) == ([], [])


def test_loading_again_changes_nothing() -> None:
    receipt_id = archived()
    before = whole()

    assert loaded(read(document()), receipt_id) == 1
    assert whole() == before


def test_repeated_content_updates_the_event_time_and_makes_its_deliveries_duplicates() -> None:
    first = archived(minute=1)
    again = registered(body="the same, sent later", minute=2)
    made_at = NOON + timedelta(days=400)

    for _ in range(2):
        assert archives.repeat("r", Age(made_at, NOON, again), 1) is None

    assert archives.with_version(first)[1].event_at == made_at
    assert [(each.version, each.receipt_id) for each in whole().versions] == [(1, first)]
    assert [each.outcome for each in whole().deliveries] == ["new", "duplicate"]


def test_repeat_returns_the_version_that_a_delivery_makes_current() -> None:
    first = archived(minute=1)
    archived(body="another", minute=2)
    made_at = NOON + timedelta(days=400)

    assert archives.repeat("r", Age(made_at, NOON, registered(body="the first again", minute=3)), 1) == first


def test_version_number_used_twice_is_a_conflict() -> None:
    archived(minute=1)
    other = registered(body="another", minute=2)
    row = VersionRow(receipt_id=other, reference="r", version=1, received_at=NOON, skeleton=b"")

    with pytest.raises(Conflict):
        archives.load(row, {}, {})


def test_newer_receipt_replaces_all_rows() -> None:
    archived(payload=made_at("2022-01-01T00:00:00"))

    newest = archived(
        body="newer",
        minute=1,
        payload=made_at("2023-01-01T00:00:00", data=[], payments=[], attachments=[], signatures=[]),
    )

    archive = whole()
    assert (archive.fields, archive.payments, archive.signatures) == ([], [], [])
    assert [each.role for each in archive.files] == ["signed_document"]
    assert receipts.current_receipt_id("r") == newest


def test_older_receipt_never_replaces_newer_rows() -> None:
    newest = archived(payload=made_at("2023-01-01T00:00:00"))
    before = whole()

    older = archived(body="older", minute=1, payload=made_at("2022-01-01T00:00:00", data=[], payments=[], sessions=[]))

    archive = whole()
    assert [each.receipt_id for each in archive.versions] == [newest, older]
    of_the_receipts = {
        "state",
        *(f"{name}{end}" for name in ("versions", "deliveries", "timeline") for end in ("", "_total")),
    }
    assert archive.model_dump(exclude=of_the_receipts) == before.model_dump(exclude=of_the_receipts)
    assert receipts.current_receipt_id("r") == newest


def test_rows_of_another_process_are_untouched_and_not_counted() -> None:
    archived("one")
    before = whole("one")

    archived("other")

    assert whole("one") == before
    counts = row_counts("one", [SessionRow, LabelRow, FormFieldRow, FileRow, PaymentRow, WarningRow])
    assert list(counts.values()) == [1, 1, 5, 2, 1, 0]


@pytest.mark.parametrize(("session", "has_some"), [({}, False), ({"submitted_at": None}, True)])
def test_archive_has_the_warnings_of_its_payload(session: dict[str, Any], has_some: bool) -> None:
    receipt_id = archived(**session)

    assert archives.with_version(receipt_id)[2] == has_some


def test_hundreds_of_fields_are_loaded_and_keep_their_order() -> None:
    fields = [{"id": f"field {number}", "type": "text", "value": "ש" * 100, "page": number} for number in range(500)]

    archived(payload=document() | {"data": fields})

    assert [each.page for each in whole().fields] == list(range(500))


@pytest.mark.usefixtures("installation")
def test_values_that_are_hard_to_store_come_back_unchanged() -> None:
    hard = [
        "🙂\u200f\u202e",
        "a\x01b\x7f",
        "\x00",
        "half \ud83d",
        "'; DROP TABLE archive; --",
        "%s %(x)s :x",
        "x" * 100_000,
    ]
    wide = (1 << 63) - 1
    payload = document(
        author=hard[0],
        process_number=wide,
        transaction_number=-wide,
        labels={each: each for each in hard[:6]},
        recipient={"id": wide, "name": hard[5], "nested": [{"deep\x00": hard}, 10**30, 1e-7, -0.5, None, True]},
        submitted_at="9998-12-31T23:59:59.999999",
        created_at="0002-01-01T00:00:00",
    )
    payload["data"] = [{"id": each, "value": each, "meta": {each: [each]}} for each in hard]

    archived(payload=payload)

    archive = whole()
    expected = read(payload)
    (session,) = archive.sessions
    assert (session.author, session.process_number, session.transaction_number) == (hard[0], wide, -wide)
    assert session.recipient == expected.sessions[0].recipient
    assert session.labels == expected.sessions[0].labels
    assert (session.submitted_at, session.created_at) == (
        expected.sessions[0].submitted_at,
        expected.sessions[0].created_at,
    )
    assert [(each.id, each.value, each.meta) for each in archive.fields] == [
        (each.id, each.value, each.meta) for each in expected.fields
    ]
    assert [(each.code, each.where) for each in archive.warnings] == [
        (each.code, each.where) for each in expected.warnings
    ]
    assert "\ufffd" in archive.model_dump_json()


@pytest.mark.usefixtures("installation")
def test_reader_sees_either_the_old_rows_or_the_new_rows() -> None:
    first, second = registered(body="a"), registered(body="b", minute=1)
    texts = [made_at(None, data=[{"id": "f", "value": name}] * 50) for name in ("a", "b")]
    loaded(read(texts[0]), first)
    stop, seen = threading.Event(), set[tuple[str, ...]]()

    def watch() -> None:
        while not stop.is_set():
            seen.add(tuple(str(each.value) for each in whole().fields))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(5):
        loaded(read(texts[1]), first)
        loaded(read(texts[0]), first)
    stop.set()
    watcher.join()

    assert seen <= {("a",) * 50, ("b",) * 50}
    assert second != first


def test_version_without_a_receipt_is_not_loaded() -> None:
    with pytest.raises(NoResultFound):
        loaded(read(document("unknown")), digest("unknown"))
    with pytest.raises(NoResultFound):
        archives.with_version(digest("unknown"))


def test_skeleton_is_read_only_on_request() -> None:
    receipt_id = archived()
    assert archives.loaded(receipt_id) == (receipt_id.encode(), receipt_id)

    with reading() as session, pytest.raises(InvalidRequestError):
        _ = session.get_one(VersionRow, receipt_id).skeleton
