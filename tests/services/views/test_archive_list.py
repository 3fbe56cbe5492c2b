"""The list of archives: every filter, pages without gaps, and realistic searches."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel

from adapters.database.transactions import insert_rows, writing
from adapters.settings.settings import Settings
from adapters.tables.runs import receipts
from models.access import CELLAR
from models.archive.archive import State
from models.archive.content import FileRow
from models.completeness.processes import MissingProcessRow
from models.errors import Refused
from models.views.archives.archives import ArchiveQuery, ListedSession, ListQuery
from services.views import archive_list, archive_view
from tests.installations import archive_of
from tests.records import NOON, archived, digest, document, registered
from tests.samples import PDF

pytestmark = pytest.mark.usefixtures("installation")


def found(**query: Any) -> list[str]:
    """Return the references that a query finds, newest first."""
    return [each.reference for each in archive_list.page(ArchiveQuery(**query), CELLAR).items]


@pytest.fixture
def three(installation: Settings) -> None:
    """Load three archives that differ in every filter."""
    assert installation
    archived("alpha", minute=1)
    payload = document(
        "beta",
        id="session-b",
        process_number=205,
        transaction_number=77,
        labels={"branch": "חיפה", "n": 5, "empty": ""},
        template={"id": "template-b"},
        author="dana@example.com",
        recipient={"id": 1, "name": "דנה לוי"},
    )
    payload["payments"][0]["amount"] = 1
    payload["attachments"][0]["filename"] = "100%_תעודת זהות.png"
    archived("beta", minute=2, payload=payload)
    receipts.set_state(archived("gamma/3", minute=3, process_number=None, recipient={"id": 1}), State.COMPLETED, NOON)


@pytest.mark.usefixtures("three")
def test_list_shows_the_newest_first_with_counts() -> None:
    page = archive_list.page(ArchiveQuery(), CELLAR)

    assert [each.reference for each in page.items] == ["gamma/3", "beta", "alpha"]
    assert [(each.files, each.warnings, each.discrepancies) for each in page.items] == [(2, 0, 0), (2, 0, 2), (2, 0, 0)]
    assert [each.state for each in page.items] == ["completed", "received", "received"]
    assert page.next is None


def after(minute: float) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"reference": "beta"}, ["beta"]),
    ({"reference": "bet"}, []),
    ({"references": ["beta", "gamma/3", "nobody"]}, ["gamma/3", "beta"]),
    ({"references": ["beta", "alpha"], "state": "completed"}, []),
    ({"process_number": 205}, ["beta"]),
    ({"transaction_number": 77}, ["beta"]),
    ({"session": "session-b"}, ["beta"]),
    ({"label": ["branch=חיפה"]}, ["beta"]),
    ({"label": ["branch=חי"]}, []),
    ({"label": ["n=5"]}, ["beta"]),
    ({"label": ["empty="]}, ["beta"]),
    ({"label": ["n=branch"]}, []),
    ({"label": ["n=5", "branch=חיפה"]}, ["beta"]),
    ({"label": ["n=5", "branch=חי"]}, []),
    ({"template": "template-b"}, ["beta"]),
    ({"state": "completed"}, ["gamma/3"]),
    ({"cause": "STORE_AWAY"}, []),
    ({"attention": True}, ["beta"]),
    ({"attention": False}, ["gamma/3", "alpha"]),
    ({"discrepancy": "AMOUNT_MISMATCH"}, ["beta"]),
    ({"received_after": after(2)}, ["gamma/3"]),
    ({"received_before": after(2)}, ["alpha"]),
    ({"received_after": after(1), "received_before": after(3)}, ["beta"]),
    ({"received_after": "2026-01-01T14:02:30+02:00"}, ["gamma/3"]),
    ({"filename": "100%_תעודת  זהות.PNG"}, ["beta"]),
    ({"signer": "דנה לוי"}, ["beta"]),
    ({"standing": "verified"}, ["gamma/3", "beta", "alpha"]),
    ({"template": "template-b", "q": "דנה"}, ["beta"]),
]


@pytest.mark.usefixtures("three")
def test_filters_narrow_the_list_and_all_apply() -> None:
    assert [(query, found(**query)) for query, _ in FILTERS] == FILTERS


SEARCHES = [
    ("ALPH", ["alpha"]),
    ("a/3", ["gamma/3"]),
    ("לוי דנה", ["beta"]),
    ('"דנה לוי"', ["beta"]),
    ('"לוי דנה"', []),
    ("דָּנָה", ["beta"]),
    ("דנה nobody", []),
    ("יפה", ["beta"]),
    ("חי", ["beta"]),
    ("ח", ["beta"]),
    ("פה", []),
    ("205", ["beta"]),
    ("77", ["beta"]),
    ("session-B", ["beta"]),
    ("dana@", ["beta"]),
    ('"ה ל"', ["beta"]),
    ("תעודת", ["beta"]),
    ("100%", ["beta"]),
    ("%_ת", ["beta"]),
    ("%", []),
    ("ת_ת", []),
    ("nobody", []),
    ("2026", []),  # no part of a date
    ("", ["gamma/3", "beta", "alpha"]),
]


@pytest.mark.usefixtures("three")
def test_search_finds_values_that_cellosign_displays() -> None:
    assert [(text, found(q=text)) for text, _ in SEARCHES] == SEARCHES


@pytest.mark.usefixtures("three")
def test_facets_count_the_archives_that_match() -> None:
    def counts(**query: Any) -> dict[str, list[tuple[str, int]]]:
        found = archive_list.facets(ArchiveQuery(**query), CELLAR)
        assert found.is_all
        return {each.filter: [(value.value, value.archives) for value in each.values] for each in found.groups}

    assert counts() == {
        "template": [("9fa70d4ccea84262b1ed2308a07a3fb4", 2), ("template-b", 1)],
        "source": [("default", 3)],
        "state": [("received", 2), ("completed", 1)],
        "standing": [("verified", 3)],
    }
    assert counts(q="דנה")["template"] == [("template-b", 1)]
    assert counts(q="nobody") == {}


@pytest.mark.usefixtures("three")
def test_sorted_pages_go_on_where_the_page_before_ended() -> None:
    its: dict[str, Any] = {"source": "default", "reference": "alpha", "why": "submitted", "since": NOON}
    with writing() as session:
        session.add(MissingProcessRow(missing_id="m", opened_at=NOON, deadline_at=NOON, **its))
    sorts = {"amount": ["gamma/3", "alpha", "beta"], "deadline": ["alpha", "gamma/3", "beta"]}
    for sort, expected in (sorts | {"arrival": ["gamma/3", "beta", "alpha"]}).items():
        assert (sort, [each for page in turned(ListQuery(sort=sort, limit=1)) for each in page]) == (sort, expected)


@pytest.mark.usefixtures("three")
def test_search_says_where_its_words_stand_and_what_arrived_after_a_time_is_counted_up_to_a_limit() -> None:
    items = archive_list.page(ArchiveQuery(q="דנה"), CELLAR).items

    assert {
        reference: [(each.place, each.name, each.parts) for each in its]
        for reference, its in archive_list.matched("דנה", items, CELLAR).items()
    } == {"beta": [("signer", "", (("דנה", True), (" לוי", False)))]}
    later = NOON + timedelta(minutes=1)
    assert archive_list.arrived(ArchiveQuery(), CELLAR, later, 9) == 2
    assert archive_list.arrived(ArchiveQuery(state="received"), CELLAR, later, 9) == 1
    assert archive_list.arrived(ArchiveQuery(), CELLAR, NOON, 2) == 2


def test_numbers_of_64_bits_can_be_searched() -> None:
    for number in ((1 << 63) - 1, -(1 << 63), 0):
        assert found(process_number=number, transaction_number=number) == []


def test_pages_have_no_gaps_or_overlaps_even_for_equal_times_and_what_arrives_does_not_shift_them() -> None:
    references = [f"{name} {number}" for number in range(4) for name in ("a", "ב", "Z", "%")]
    for number, reference in enumerate(references):
        registered(reference, reference, minute=number // 6)

    for limit in (1, 3, 16, 50):
        pages = list(turned(ArchiveQuery(limit=limit)))
        seen = [reference for page in pages for reference in page]
        assert sorted(seen) == sorted(references)
        assert {len(page) for page in pages[:-1]} <= {limit}
        assert seen == found(limit=500)
    first = archive_list.page(ArchiveQuery(limit=2), CELLAR)
    registered("new", "new", minute=9)
    assert found(limit=2, cursor=first.next) == seen[2:4]


def turned(query: ArchiveQuery) -> Iterator[list[str]]:
    """Yield the references of each page."""
    cursor, is_first = None, True
    while is_first or cursor:
        page = archive_list.page(query.model_copy(update={"cursor": cursor}), CELLAR)
        yield [each.reference for each in page.items]
        cursor, is_first = page.next, False


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_cursor_that_is_invalid_or_of_another_list_is_refused() -> None:
    archived("one")
    texts = ["a", "2026-13-01 r", "0001-01-01T00:00:00+03:00 r", "2026-01-01T00:00:00+00:00 a\x00"]
    for cursor in ["x", "====", "////", "ש", *map(cursor_of, texts)]:
        with pytest.raises(Refused) as refused:
            found(cursor=cursor)
        assert (refused.value.code, refused.value.where) == ("BAD_PARAMETER", "cursor")
    for name, cursor in product(("payments", "timeline", "runs"), ("x", cursor_of("9999999999 1"), cursor_of("1 x"))):
        with pytest.raises(Refused, match="expected a cursor"):
            archive_view.items("one", CELLAR, name, cursor)


def test_file_is_found_once_and_only_in_the_archive_that_holds_it() -> None:
    archived("one")
    registered("other", "other")
    with writing() as session:
        row = {"reference": "one", "position": 9, "role": "attachment", "size_bytes": 1, "sha256": digest("x")}
        insert_rows(session, FileRow, [row, row | {"position": 10}])
    sha256 = archive_of("one").files[0].sha256

    file, twice = (archive_view.file("one", CELLAR, each) for each in (sha256, digest("x")))

    assert file
    assert twice
    assert (file.filename, file.size_bytes, twice.position) == ("SIGNEDDOCUMENT.pdf", len(PDF), 9)
    assert archive_view.file("other", CELLAR, sha256) is None
    assert archive_view.file("one", CELLAR, digest("unknown")) is None
    assert archive_view.archive("unknown", CELLAR) is None
    assert archive_view.public_state(digest("unknown")) is None


def test_archive_shows_the_first_200_of_each_list_and_pages_have_all_in_order() -> None:
    payload = document("many")
    payload["sessions"] = [{"id": f"s{number}"} for number in range(300)]
    payload["sessions"][250] |= {"labels": {f"k{number}": "v" for number in range(450)}, "integrations": [{}] * 201}
    payload |= {"payments": [{"transaction_id": f"t{number}"} for number in range(450)], "signatures": [{}] * 201}
    payload["data"] = [{"id": f"f{number}"} for number in range(401)]
    archived("many", payload=payload)
    archive = archive_view.archive("many", CELLAR)

    assert archive is not None
    assert (len(archive.payments), archive.payments_total, len(archive.files), archive.files_total) == (200, 450, 2, 2)
    paged = {name: _paged(name) for name in archive_view.LISTS}
    for name, its in paged.items():
        assert its[:200] == getattr(archive, name)
        assert len(its) == getattr(archive, f"{name}_total")
        assert (name in archive.next) == (len(its) > 200)
    whole = archive_view.archive("many", CELLAR, archive_view.WHOLE)
    assert whole is not None
    assert [each.transaction_id for each in whole.payments] == [f"t{number}" for number in range(450)]
    assert whole.next == {}
    session = paged["sessions"][250]
    assert isinstance(session, ListedSession)
    assert (session.id, list(session.labels)) == ("s250", [f"k{number}" for number in range(200)])
    assert (session.labels_total, len(session.integrations), session.integrations_total) == (450, 200, 201)


def _paged(name: str) -> list[BaseModel]:
    found, cursor, is_first = list[BaseModel](), None, True
    while is_first or cursor:
        page = archive_view.items("many", CELLAR, name, cursor)
        assert page is not None
        found, cursor, is_first = [*found, *page.items], page.next, False
    return found
