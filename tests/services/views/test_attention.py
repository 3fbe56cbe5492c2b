"""What needs attention is found by a facet, which follows from whatever may cause it or end it."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from adapters.search.attention import NEEDS_ATTENTION
from adapters.tables.runs import receipts, refused
from models.access import CELLAR
from models.archive.archive import ArchiveRow, State, WarningCode
from models.discrepancies import PAYLOAD_CODES
from models.runs.receipt import Cause, RefusedDelivery
from models.said import verbatim
from models.views.archives.archives import ArchiveQuery
from models.views.archives.payments import DiscrepancyQuery, Explanation
from models.views.troubles import RefusedQuery
from services import triage
from services.payments import discrepancies
from services.triage import Trouble
from services.views import archive_list, troubles
from services.views.timeline import timeline_of
from tests.domain.payloads import read
from tests.records import NOON, all_of, delivery, digest, document, loaded

pytestmark = pytest.mark.usefixtures("installation")

CAUSE = Cause("STORE_AWAY", None, "Transient", verbatim("The store is away."))
REFERENCES = ("a", "b", "c")


def listed(**filters: object) -> list[str]:
    return sorted(each.reference for each in archive_list.page(ArchiveQuery(**filters), CELLAR).items)


def as_the_tables_say() -> list[str]:
    return sorted(all_of(select(ArchiveRow.reference).where(NEEDS_ATTENTION)))


class Told:
    """An archive that things happen to, each at its own minute."""

    def __init__(self, reference: str) -> None:
        self.reference, self.receipt_id, self.minute = reference, "", 0

    def arrive(self, source: str = "default") -> None:
        self.minute += 1
        arrived = replace(delivery(self.reference, f"{self.reference}{self.minute}", minute=self.minute), source=source)
        self.receipt_id = arrived.receipt_id
        receipts.register_all([arrived])

    def arrive_from_elsewhere(self) -> None:
        self.arrive("elsewhere")

    def load(self) -> None:
        self._load(1)

    def load_with_a_wrong_amount(self) -> None:
        self._load(2)

    def _load(self, factor: int) -> None:
        payload = document(self.reference)
        payload["payments"][0]["amount"] *= factor
        loaded(read(payload), self.receipt_id)

    def explain(self) -> None:
        for each in troubles.discrepancy_page(DiscrepancyQuery(reference=self.reference, state="open")).items:
            discrepancies.explain(each.discrepancy_id, Explanation(by="a person", why="paid in two parts"), NOON)

    def find_nothing_wrong(self) -> None:
        discrepancies.reconcile_many({self.reference: []}, PAYLOAD_CODES, NOON)

    def fail(self) -> None:
        receipts.set_failed(self.receipt_id, CAUSE, NOON)

    def complete(self) -> None:
        receipts.set_state(self.receipt_id, State.COMPLETED, NOON)

    def be_refused(self) -> None:
        self.minute += 1
        refused.record([self._refusal()])

    def be_released(self) -> None:
        if its := refused.of_bodies([self._refusal().receipt_id]):
            refused.record([replace(each, released_at=NOON) for each in its])

    def be_dismissed(self) -> None:
        if its := refused.of_bodies([self._refusal().receipt_id]):
            refused.record([replace(each, dismissed_at=NOON, dismissed_by="Dana") for each in its])

    def take_the_dismissal_back(self) -> None:
        for each in refused.dismissed_at("Dana", NOON):
            refused.record([replace(each, withdrawn_at=NOON + timedelta(minutes=1))])

    def _refusal(self) -> RefusedDelivery:
        at = NOON + timedelta(minutes=self.minute)
        name = f"{self.reference}-{self.minute}"
        return RefusedDelivery(name, digest(self.reference), at, 2, "NOT_BASE64", "", "no base64", self.reference)


@pytest.fixture
def told() -> Told:
    made = Told("a")
    made.arrive()
    assert (listed(attention=True), listed(attention=False)) == ([], ["a"])
    return made


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (Told.fail, Told.complete),
        (Told.fail, Told.arrive),
        (Told.be_refused, Told.be_released),
        (Told.be_refused, Told.be_dismissed),
        (Told.be_refused, Told.arrive),
    ],
)
def test_archive_needs_attention_until_its_cause_is_gone(
    told: Told, begin: Callable[[Told], None], end: Callable[[Told], None]
) -> None:
    begin(told)
    assert (listed(attention=True), listed(attention=False)) == (["a"], [])

    end(told)
    assert (listed(attention=True), listed(attention=False)) == ([], ["a"])


def test_archive_of_two_sources_is_found_by_its_warning(told: Told) -> None:
    told.arrive_from_elsewhere()

    assert listed(attention=True) == listed(warning=WarningCode.SOURCES_DIFFER) == ["a"]


def test_set_aside_delivery_that_is_dismissed_needs_nobody_until_the_dismissal_is_withdrawn(told: Told) -> None:
    told.arrive_from_elsewhere()
    [aside] = refused.set_aside()

    refused.record([replace(aside, dismissed_at=NOON, dismissed_by="Dana", dismissed_why="theirs")])
    assert (listed(attention=True), refused.set_aside()) == ([], [])
    assert [each.dismissed_why for each in troubles.refused_page(RefusedQuery(state="closed")).items] == ["theirs"]
    told.take_the_dismissal_back()
    assert (listed(attention=True), refused.set_aside()) == (["a"], [aside])
    assert troubles.refused_page(RefusedQuery(state="open")).items == []
    refused.record([replace(aside, dismissed_at=NOON + timedelta(hours=1), dismissed_by="Noa", dismissed_why="test")])
    entries = [(each.code, each.by) for each in timeline_of("a", CELLAR) if each.kind == "action"]
    assert entries == [("dismissal_withdrawn", None), ("body_dismissed", "Noa")]


def test_page_and_group_of_what_is_set_aside_are_bounded_like_those_of_refused_bodies(told: Told) -> None:
    told.arrive_from_elsewhere()
    told.arrive_from_elsewhere()
    page = RefusedQuery(limit=1, state="open")
    later = min(each.received_at for each in refused.set_aside())

    assert len(triage.refused_page(RefusedQuery(state="open", received_after=later)).items) == 1
    assert len(triage.refused_page(RefusedQuery(state="open", received_before=later)).items) == 0
    assert len(triage.refused_page(page).items) == 1
    marks, is_more = triage.marks_of(Trouble.REFUSED, [], ["SOURCES_DIFFER"], NOON + timedelta(days=1), page)
    assert (len(marks), is_more) == (2, False)


def test_withdrawn_dismissal_needs_attention_until_the_next(told: Told) -> None:
    told.be_refused()
    told.be_dismissed()
    told.take_the_dismissal_back()
    assert listed(attention=True) == ["a"]

    [its] = refused.of_bodies([told.receipt_id and digest("a")])
    refused.record([replace(its, dismissed_at=NOON + timedelta(minutes=2), dismissed_by="Noa")])

    assert listed(attention=True) == []


def test_refused_delivery_after_one_that_is_registered_later_needs_attention() -> None:
    refused.record([replace(Told("b")._refusal(), received_at=NOON + timedelta(minutes=9))])

    receipts.register_all([delivery("b", minute=1)])

    assert listed(attention=True) == ["b"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.faults) for each in range(1, 9))])
def test_archives_that_need_attention_are_those_of_which_the_tables_say_so(seed: int) -> None:
    drawn = random.Random(seed)
    its = [Told(reference) for reference in REFERENCES]
    for each in its:
        each.arrive()
    acts = [Told.arrive, Told.load, Told.load_with_a_wrong_amount, Told.explain, Told.find_nothing_wrong]
    acts += [Told.fail, Told.complete, Told.be_refused, Told.be_released, Told.be_dismissed, Told.arrive_from_elsewhere]
    seen = set[bool]()

    for number in range(60):
        each, act = drawn.choice(its), drawn.choice(acts[:-1] if number < 45 else acts)
        act(each)
        needed = as_the_tables_say()
        seen.add(each.reference in needed)
        assert (number, act.__name__, listed(attention=True)) == (number, act.__name__, needed)

    assert seen == {True, False}
