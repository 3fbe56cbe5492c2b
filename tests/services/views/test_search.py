"""Archives are found by every filter and by every pair of filters, and no search is an error."""

from datetime import timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from adapters.search.pages import Wanted, newest
from adapters.settings.settings import Settings
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.rows import Rows
from models.access import CELLAR, Caller, Role
from models.archive.archive import ArchiveRow, State, WarningRow
from models.archive.content import SignedDocumentRow
from models.errors import Refused
from models.runs.receipt import Cause
from models.said import verbatim
from models.templates import Names, PartWords, TemplateName, TemplateWords
from models.views.archives.archives import ArchiveFilter, ArchiveQuery
from services import derived, templates
from services.settlements import judging
from services.views import archive_list
from services.views.archive_conditions import conditions_of, filters_of
from tests.conftest import Configure
from tests.payments import booked, payment, settled
from tests.records import NOON, all_of, archived, document, registered

pytestmark = pytest.mark.usefixtures("installation")

COUNT = 24
BRANCHES = ("חיפה", "תל אביב", "Haifa")
VIEWER = Caller("vera", Role.VIEWER)


@pytest.fixture
def many(installation: Settings, configure: Configure) -> None:
    """Load archives that differ in what they are found by. The last is registered only."""
    assert installation
    configure(search_fields="*", database_url=installation.database_location)
    for number in range(COUNT):
        its = document(
            f"p-{number:03}",
            id=f"session-{number}",
            process_number=number % 5,
            transaction_number=number % 7,
            labels={"branch": BRANCHES[number % 3], "number": number},
            template={"id": f"template-{number % 4}"},
            recipient={"id": 1, "name": f"דנה לוי {number % 6}"},
        )
        its["attachments"][0]["filename"] = f"חוזה {number % 3}.png"
        if number % 4 == 0:
            its["payments"][0]["amount"] = 1
        receipt_id = archived(its["reference"], minute=number // 2, payload=its)
        if number % 3 == 0:
            receipts.set_state(receipt_id, State.COMPLETED, NOON)
        elif number % 8 == 1:
            receipts.set_failed(
                receipt_id, Cause("STORE_AWAY", None, "Transient", verbatim("The store is away.")), NOON
            )
    registered("p-registered", minute=COUNT)


FILTERS: list[dict[str, Any]] = [
    {"reference": "p-003"},
    {"references": ["p-003", "p-004", "p-009"]},
    {"process_number": 3},
    {"transaction_number": 3},
    {"session": "session-4"},
    {"template": "template-1"},
    {"source": "default"},
    {"state": "completed"},
    {"cause": "STORE_AWAY"},
    {"label": ["branch=חיפה"]},
    {"label": ["branch=חיפה", "number=3"]},
    {"field": ["full_name=nobody"]},
    {"standing": "verified"},
    {"filename": "חוזה 1.PNG"},
    {"signer": "דנה  לוי 2"},
    {"warning": "SIGNER_UNKNOWN"},
    {"warning": "SOURCES_DIFFER"},
    {"verdict": "unsigned"},
    {"discrepancy": "AMOUNT_MISMATCH"},
    {"attention": True},
    {"received_after": (NOON + timedelta(minutes=3)).isoformat()},
    {"received_before": (NOON + timedelta(minutes=8)).isoformat()},
    {"q": "לוי 2"},
    {"q": "p-0"},
    {"q": "registered"},
    {"q": "ha"},
]


def by_pages(query: dict[str, Any], limit: int) -> list[str]:
    found, cursor = list[str](), None
    while True:
        page = archive_list.page(ArchiveQuery(**query, cursor=cursor, limit=limit), CELLAR)
        found += [each.reference for each in page.items]
        if page.next is None:
            return found
        cursor = page.next


def by_conditions(query: dict[str, Any]) -> set[str]:
    return set(all_of(select(ArchiveRow.reference).where(*conditions_of(ArchiveFilter(**query)))))


def is_facet(query: dict[str, Any]) -> bool:
    """Return whether one index finds the archives of a filter, as of most: those need not meet each other of them."""
    return not query.keys() & {"reference", "references", "q", "received_after", "received_before", "attention"}


@pytest.mark.usefixtures("many")
def test_each_filter_and_each_pair_of_filters_finds_the_same_in_pages_in_a_small_window_and_in_bulk() -> None:
    pairs = [one | other for one, other in combinations(FILTERS, 2) if not (is_facet(one) and is_facet(other))]
    pairs += [one | other for one, other in pairwise(filter(is_facet, FILTERS))]
    for query in FILTERS + pairs:
        found = by_pages(query, 50 if query in pairs else 7)
        assert (query, set(found)) == (query, by_conditions(query))
        assert len(found) == len(set(found))
        filters = filters_of(ArchiveFilter(**query), CELLAR)
        wanted = Wanted(filters.facets, filters.terms, filters.conditions, filters.references)
        with reading() as session:
            assert newest(session, wanted, 99, window=3) == newest(session, wanted, 99)


def test_an_earlier_delivery_that_is_registered_later_moves_an_archive_in_the_list() -> None:
    archived("moved", minute=9)
    archived("other", minute=5)
    assert by_pages({"q": "moved"}, 5) == ["moved"]

    registered("moved", "another body", minute=1)

    assert by_pages({}, 5) == ["other", "moved"]
    assert by_pages({"q": "moved"}, 5) == ["moved"]
    assert by_pages({"state": "received"}, 5) == ["other", "moved"]


def test_a_new_version_is_found_by_its_own_values_only() -> None:
    archived("r", "one", minute=1, labels={"branch": "חיפה"})
    archived("r", "two", minute=2, labels={"branch": "אילת"})

    assert by_pages({"label": ["branch=אילת"]}, 5) == ["r"] == by_pages({"q": "אילת"}, 5)
    assert by_pages({"label": ["branch=חיפה"]}, 5) == [] == by_pages({"q": "חיפה"}, 5)


HOSTILE = [
    '"', "'", "''", '""', "\\", "%", "_", "%%%", "___", "\\%\\_\\", "*", "a*", "^abc", "NEAR(a b)", "abc AND", "OR",
    "NOT x", "(", "))", "{text}:abc", "text:abc", "-abc", "+abc", '"abc" "', "a" * 5000, "א" * 300, "\u202ea",
    "😀", "😀😀😀", "\ud7ff", "ﷺ" * 50, "; DROP TABLE archive; --", "$1", ":its",
    "?", "%s", "{0}",
    " ".join(f"word{number}" for number in range(500)),
]  # fmt: skip


@pytest.mark.usefixtures("many")
def test_no_search_is_an_error() -> None:
    for q in HOSTILE:
        assert set(by_pages({"q": q}, 50)) == by_conditions({"q": q}), q
        assert by_pages({"q": q, "state": "received", "label": ["branch=חיפה"]}, 50) is not None


@pytest.mark.parametrize("q", ["\u202e\u202d", "\u200f", "\x01\x02\x03", "\t\n ", "\u05b8", '" "'])
def test_a_search_without_a_word_is_refused_and_finds_nothing(q: str) -> None:
    with pytest.raises(Refused, match="expected a word"):
        by_pages({"q": q}, 50)
    with pytest.raises(Refused, match="expected a word"):
        by_conditions({"q": q})


def test_a_field_that_is_not_to_be_found_is_refused_with_the_setting() -> None:
    with pytest.raises(Refused, match="CELLAR_SEARCH_FIELDS"):
        by_pages({"field": ["full_name=Dana"]}, 5)
    with pytest.raises(Refused, match="FIELD=VALUE"):
        by_pages({"field": ["full_name"]}, 5)


LOAN, LEASE = "7f3a-51c6", "9c1b-d33a"
TYPED: list[tuple[str, str, str, bool]] = [
    ("amount", "5400", "7250", True),
    ("amount", "₪5,400", '7,250 ש"ח', True),
    ("amount", "5,400.00", "7,250.00₪", True),
    ("card", "4580", "*1881", False),
    ("mail", "7f3a@example.com", "9C1B@Example.com", False),
    ("label", "Haifa", "תל אביב", True),
    ("label", "חיפה", "Tel-Aviv", True),
    ("template", "noa loan", "עידו שכירות", False),
    ("process_number", "48213", "59324", True),
    ("reference", LOAN, LEASE, True),
    ("signer", "noa levi", "עידו כהן", False),
    ("day", "1.1.2026", "02/01/26", True),
]
"""What a clerk types to find the loan, or the lease; in what it stands; and whether a viewer finds it too."""


def sent(reference: str, day: int, name: str, branch: str, number: int, paid: tuple[int, str]) -> None:
    """Load an archive whose recipient signed on a day of January, and paid an amount by a card."""
    amount, card = paid
    mail = {"address": f"{reference[:4]}@example.com", "type": "email", "provider": None, "status": "sent"}
    its = document(
        reference,
        process_number=number,
        labels={"BRANCH": branch},
        template={"id": reference[:4]},
        recipient={"id": 1, "name": name, "otp_destination": mail, "invitations": [mail]},
        submitted_at=f"2026-01-0{day}T09:00:00",
    )
    its["signatures"][0]["signed_by"]["name"] = name
    result = {"card_mask": f"458045******{card}", "card_no": f"xxxxxxxxxxxx{card}", "total": str(amount)}
    its["payments"][0]["amount"] = amount
    its["payments"][0]["provider_transaction_result"] |= result
    archived(reference, minute=1440 * (day - 1), payload=its)


def test_twelve_searches_that_a_clerk_types_find_the_archive_in_both_languages() -> None:
    """Branches and templates are found by the names that people gave, in either language, once these are filled in."""
    sent(LOAN, 1, "Noa Levi", "חיפה", 48213, (540_000, "4580"))
    sent(LEASE, 2, "עידו כהן", "Tel-Aviv", 59324, (725_000, "1881"))
    branches = {"חיפה": Names(en="Haifa"), "Tel-Aviv": Names(he="תל אביב")}
    said = {"parts": {"label:BRANCH": PartWords(values=branches)}, "facets": ["label:BRANCH"]}
    loan, lease = TemplateName(en="Loan agreement", he="הסכם הלוואה"), TemplateName(he="חוזה שכירות")
    templates.name({"7f3a": TemplateWords(name=loan, **said), "9c1b": TemplateWords(name=lease, **said)}, "Dana", NOON)
    while derived.fill():
        pass

    for place, of_loan, of_lease, is_public in TYPED:
        for q, reference in ((of_loan, LOAN), (of_lease, LEASE)):
            page = archive_list.page(ArchiveQuery(q=q), CELLAR)
            assert (q, [each.reference for each in page.items]) == (q, [reference])
            places = [each.place for each in archive_list.matched(q, page.items, CELLAR)[reference]]
            assert place in places, q
            seen = archive_list.page(ArchiveQuery(q=q), VIEWER).items
            assert (q, [each.reference for each in seen]) == (q, [reference] if is_public else [])


def test_a_payment_is_found_as_settled_once_a_report_has_it() -> None:
    registered("paid")
    paid = payment("paid", "1", standing="charged")
    booked("paid", paid)
    judging.reconcile_archives(["paid"], NOON)
    assert by_pages({"standing": "charged"}, 5) == ["paid"]

    settled(paid["payment_id"], paid["amount_minor"], NOON.date(), reference="paid")
    judging.reconcile_archives(["paid"], NOON)

    assert by_pages({"standing": "settled"}, 5) == ["paid"]
    assert by_pages({"standing": "charged"}, 5) == []


def test_an_archive_is_found_by_the_newest_verdict_and_its_warnings() -> None:
    receipt_id = archived("r")
    document_row = {"reference": "r", "position": 0, "verdict": {}, "roots": None, "judgements": []}
    warning = {"reference": "r", "position": 0, "where": "signed_document", "values": {}}

    for outcome, code in (("sound", "SIGNER_UNKNOWN"), ("changed", "SIGNED_DOCUMENT_CHANGED")):
        rows: Rows = {SignedDocumentRow: [document_row | {"outcome": outcome}], WarningRow: [warning | {"code": code}]}
        archives.replace_if_current("r", receipt_id, rows)

        assert by_pages({"verdict": outcome, "warning": code}, 5) == ["r"]
    assert by_pages({"verdict": "sound"}, 5) == []
    assert by_pages({"warning": "SIGNER_UNKNOWN"}, 5) == []
