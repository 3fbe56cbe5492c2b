"""A person is found in every version of every archive, in events whose archive has not come, and in refused bodies."""

import json
from dataclasses import asdict

import pytest
from sqlmodel import delete

from adapters.inbox import quarantine
from adapters.settings.settings import Settings
from adapters.tables.archives import archives
from adapters.tables.runs import receipts, refused
from domain.archive.versions import age_of
from models.access import CELLAR
from models.errors import Refused
from models.runs.receipt import RefusedDelivery, VersionRow
from models.search import SearchEntryRow, SearchFacetRow
from models.views.person import NamedIn, PersonFound, Stands
from services import derived
from services.completeness import session_events
from services.views.person import AT_ONCE, everything, page, wanted_of
from tests.installations import received
from tests.records import change, delivery, digest
from tests.samples import sample_body
from tests.session_events import body, journaled

pytestmark = pytest.mark.usefixtures("installation")
MAIL, PHONE, OTHER = "Dana@example.com", "+972-50-123-4567", "0501234568"


def loaded(reference: str, version: int, minute: int, **members: object) -> str:
    """Load a version with some members of a request, and return its receipt."""
    its = delivery(reference, f"{reference} {version}", minute=minute)
    receipts.register_all([its])
    age = asdict(age_of(its.received_at, its.received_at, its.receipt_id, is_set_aside=False))
    skeleton = json.dumps({"reference": reference, "sessions": []} | members).encode()
    archives.load(VersionRow(reference=reference, version=version, skeleton=skeleton, **age), {}, {})
    return its.receipt_id


def found(*values: str) -> dict[str | None, PersonFound]:
    return {each.reference: each for each in everything(wanted_of(values), CELLAR).items}


def test_a_person_is_found_in_more_archives_than_a_page_has_and_nobody_else_is(installation: Settings) -> None:
    assert installation
    mine = [f"mine {number:03}" for number in range(AT_ONCE + 5)]
    for number, reference in enumerate(mine):
        loaded(reference, 1, number, data=[{"id": "mail", "value": MAIL.upper()}])
    for number, digits in enumerate(["05012345678", "150123456", OTHER]):
        loaded(f"other {number}", 1, number, data=[{"id": "number", "value": digits}])
    loaded("also", 1, 999, data=[{"id": "phone", "value": "0501234567"}])

    assert set(found(MAIL)) == set(mine)
    assert set(found(MAIL, PHONE)) == {*mine, "also"}
    first = page(wanted_of([MAIL]), CELLAR)
    assert (len(first.items), first.items[0].reference, first.not_indexed) == (AT_ONCE, mine[-1], 0)

    change(delete(SearchFacetRow))  # as after an upgrade from a build without these facets
    change(delete(SearchEntryRow))
    derived.begin()
    assert page(wanted_of([MAIL]), CELLAR).not_indexed == len(mine) + 4
    while derived.fill():
        pass
    assert set(found(MAIL, PHONE)) == {*mine, "also"}


def test_an_older_version_is_found_too_and_what_both_say_is_said_once() -> None:
    loaded("r", 1, 1, data=[{"id": "phone", "value": PHONE}, {"id": "mail", "value": MAIL}])
    newest = loaded("r", 2, 2, data=[{"id": "phone", "value": OTHER}, {"id": "mail", "value": MAIL}])
    its = found(MAIL, PHONE)["r"]

    assert [(each.name, each.version) for each in its.places] == [("mail", 2), ("phone", 1)]
    assert its.receipt_id == newest
    assert its.archive
    assert found(PHONE)["r"].receipt_id != newest


def test_events_without_an_archive_and_bodies_that_are_none_are_found() -> None:
    events = [body(reference=each, client={"phone": PHONE}) for each in ("r", "lost")]
    session_events.take_in([journaled([*events, body("WHP_STORAGE", "large", note=f"{MAIL} {'é' * 70_000}")])])
    loaded("r", 1, 1)
    refused_bodies = {
        "one": f'{{"value": "{PHONE}"'.encode(),
        "deep": b"[" * 100_000 + PHONE.encode(),
        "other": OTHER.encode(),
        "gone": b"",
    }
    for name, content in refused_bodies.items():
        at = delivery(minute=5).received_at
        refused.record([RefusedDelivery(name, digest(name), at, 9, "NOT_JSON", "", "no JSON", None)])
        if content:
            quarantine.place().write(content, quarantine.body_name(digest(name)))
    received("failed", sample_body("failed", data=[{"id": "phone", "value": PHONE}]))
    beside = everything(wanted_of([PHONE]), CELLAR).items

    refused_ones = [(NamedIn.REFUSED, None)] * 2
    assert [(each.named_in, each.reference) for each in beside] == [
        *[(NamedIn.EVENT, "lost"), *refused_ones, (NamedIn.WAITING, "failed")]
    ]
    assert [each.places[0].stands for each in beside] == [
        *(Stands.SESSION, Stands.ELSEWHERE, Stands.ELSEWHERE, Stands.FIELD)
    ]
    assert set(found(MAIL)) == {"large"}


@pytest.mark.parametrize("values", [[], [" "], [MAIL, "דנה"], ["1234"], ["2026-11-29"]])
def test_what_is_no_value_of_a_person_is_refused_without_repeating_it(values: list[str]) -> None:
    with pytest.raises(Refused) as error:
        wanted_of(values)
    assert not any(each.strip() and each in str(error.value) for each in values)
