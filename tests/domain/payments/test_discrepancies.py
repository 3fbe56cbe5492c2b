"""The life of a discrepancy: what opens, closes and reopens it, and that a second check changes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.discrepancies import Known, Transition, by_id, since_opened, transitions
from models.discrepancies import (
    DUPLICATE_CODES,
    HOLD_CODES,
    PAYLOAD_CODES,
    SETTLEMENT_CODES,
    Discrepancy,
    DiscrepancyCode,
    DiscrepancyEventRow,
    DiscrepancyState,
)

OPEN, EXPLAINED, CLOSED = DiscrepancyState
MISMATCH = Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, "t", "21.00 ILS", "25.00 ILS")
OTHER_AMOUNT = replace(MISMATCH, found="26.00 ILS")
CODES = {DiscrepancyCode.AMOUNT_MISMATCH}


def outcome(state: DiscrepancyState | None, found: Discrepancy | None) -> tuple[DiscrepancyState, str, bool] | None:
    """Return next state and `found` of the mismatch, and whether that is an event; None if nothing changes."""
    known = {"id": Known(MISMATCH, state)} if state else {}
    made = transitions(known, {"id": found} if found else {}, CODES)
    return (made[0].state, made[0].discrepancy.found, made[0].is_event) if made else None


@pytest.mark.parametrize(
    ("state", "found", "expected"),
    [
        (None, MISMATCH, (OPEN, "25.00 ILS", True)),
        (OPEN, MISMATCH, None),
        (OPEN, OTHER_AMOUNT, (OPEN, "26.00 ILS", False)),
        (OPEN, None, (CLOSED, "25.00 ILS", True)),
        (EXPLAINED, MISMATCH, None),
        (EXPLAINED, OTHER_AMOUNT, (OPEN, "26.00 ILS", True)),  # the explanation was about another amount
        (EXPLAINED, None, (CLOSED, "25.00 ILS", True)),
        (CLOSED, MISMATCH, (OPEN, "25.00 ILS", True)),
        (CLOSED, None, None),
        (None, None, None),
    ],
)
def test_next_state_follows_from_the_new_finding(
    state: DiscrepancyState | None, found: Discrepancy | None, expected: tuple[DiscrepancyState, str, bool] | None
) -> None:
    assert outcome(state, found) == expected


def test_unchecked_codes_are_unchanged() -> None:
    known = {"id": Known(MISMATCH, OPEN)}

    assert transitions(known, {}, set(DiscrepancyCode) - CODES) == []


def test_every_code_is_in_exactly_one_set() -> None:
    sets = (PAYLOAD_CODES, DUPLICATE_CODES, HOLD_CODES, SETTLEMENT_CODES)

    assert sorted(code for codes in sets for code in codes) == sorted(DiscrepancyCode)


def test_discrepancy_id_ignores_amounts_and_equal_causes_are_numbered() -> None:
    assert by_id("r", [MISMATCH]).keys() == by_id("r", [OTHER_AMOUNT]).keys()
    assert by_id("r", [MISMATCH]).keys() != by_id("another", [MISMATCH]).keys() != by_id(None, [MISMATCH]).keys()
    assert [each.subject for each in by_id("r", [MISMATCH, OTHER_AMOUNT]).values()] == ["", " #2"]


def test_too_many_discrepancies_of_a_code_end_with_one_that_counts_the_rest() -> None:
    many = [Discrepancy(DiscrepancyCode.BAD_AMOUNT, f"t{number}", "1", "2") for number in range(1000)]
    few = [Discrepancy(DiscrepancyCode.CARD_EXPIRED, f"t{number}", "1", "2") for number in range(200)]

    kept = list(by_id("r", [*many, *few]).values())

    rest = Discrepancy(DiscrepancyCode.BAD_AMOUNT, None, "at most 199 of this kind", "801 more", "more")
    assert kept == [*many[:199], *few[:199], rest, few[199]]
    assert list(by_id("r", kept).values()) == kept
    assert len(by_id(None, many)) == 1000, "rows of a report that belong to no archive"


def test_history_begins_at_the_last_opening() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    states = [OPEN, EXPLAINED, CLOSED, OPEN, EXPLAINED]
    events = [
        DiscrepancyEventRow(discrepancy_id="d", number=number, state=state, at=noon + timedelta(hours=number))
        for number, state in enumerate(states, start=1)
    ]

    assert [each.number for each in since_opened(events)] == [4, 5]


Findings = Mapping[str, Discrepancy]

ids = st.sampled_from("abcdef")
CODE_OF = dict(zip("abcdef", [*DiscrepancyCode][:3] * 2, strict=True))


def findings(of: Collection[str]) -> st.SearchStrategy[Findings]:
    """Draw findings for some ids. Each id has of_codes own code, and amounts that may have changed."""
    numbers = st.sampled_from(["1", "2"])
    found = st.dictionaries(st.sampled_from(sorted(of)), numbers)
    return found.map(lambda each: {key: Discrepancy(CODE_OF[key], key, "", text) for key, text in each.items()})


knowns = st.dictionaries(ids, st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(DiscrepancyState))).map(
    lambda each: {key: Known(Discrepancy(CODE_OF[key], key, "", text), state) for key, (text, state) in each.items()}
)


def applied(known: Mapping[str, Known], made: Collection[Transition]) -> dict[str, Known]:
    return {**known, **{each.discrepancy_id: Known(each.discrepancy, each.state) for each in made}}


@given(knowns, findings("abcdef"))
def test_repeated_finding_changes_nothing(known: dict[str, Known], found: Findings) -> None:
    after = applied(known, transitions(known, found, set(DiscrepancyCode)))

    assert transitions(after, found, set(DiscrepancyCode)) == []
    assert {key: each.discrepancy for key, each in after.items() if each.state is not CLOSED} == found


@given(st.lists(findings("abcdef"), max_size=6))
def test_events_replay_to_the_state(history: list[Findings]) -> None:
    known: dict[str, Known] = {}
    replayed: dict[str, DiscrepancyState] = {}
    for found in history:
        made = transitions(known, found, set(DiscrepancyCode))
        known = applied(known, made)
        replayed |= {each.discrepancy_id: each.state for each in made if each.is_event}

    assert replayed == {key: each.state for key, each in known.items()}


@given(knowns, findings("abcdef"))
def test_disjoint_sets_of_codes_may_be_checked_in_any_order(known: dict[str, Known], found: Findings) -> None:
    first = {CODE_OF["a"]}
    sets = [first, set(DiscrepancyCode) - first]

    ends = []
    for order in (sets, sets[::-1]):
        end: Mapping[str, Known] = known
        for codes in order:
            of_codes = {key: each for key, each in found.items() if each.code in codes}
            end = applied(end, transitions(end, of_codes, codes))
        ends.append(end)

    assert ends[0] == ends[1] == applied(known, transitions(known, found, set(DiscrepancyCode)))
