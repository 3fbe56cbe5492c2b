"""The life of a discrepancy: what opens, closes and reopens it, and that a second check changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments.discrepancies import Known, by_id, sentence, since_opened, told, transitions
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


@pytest.mark.parametrize(
    ("state", "found", "expected"),
    [
        (None, MISMATCH, [(OPEN, "25.00 ILS", True)]),
        (OPEN, MISMATCH, []),
        (OPEN, OTHER_AMOUNT, [(OPEN, "26.00 ILS", False)]),
        (OPEN, None, [(CLOSED, "25.00 ILS", True)]),
        (EXPLAINED, MISMATCH, []),
        (EXPLAINED, OTHER_AMOUNT, [(OPEN, "26.00 ILS", True)]),  # the explanation was about another amount
        (EXPLAINED, None, [(CLOSED, "25.00 ILS", True)]),
        (CLOSED, MISMATCH, [(OPEN, "25.00 ILS", True)]),
        (CLOSED, None, []),
    ],
)
def test_next_state_follows_from_the_new_finding(
    state: DiscrepancyState | None, found: Discrepancy | None, expected: list[tuple[DiscrepancyState, str, bool]]
) -> None:
    known = {"id": Known(MISMATCH, state)} if state else {}

    made = transitions(known, {"id": found} if found else {}, {DiscrepancyCode.AMOUNT_MISMATCH})

    assert [(each.state, each.discrepancy.found, each.is_event) for each in made] == expected
    assert transitions(known, {}, set(DiscrepancyCode) - {DiscrepancyCode.AMOUNT_MISMATCH}) == []


def test_every_code_is_in_exactly_one_set_and_has_a_sentence_of_its_own() -> None:
    sets = (PAYLOAD_CODES, DUPLICATE_CODES, HOLD_CODES, SETTLEMENT_CODES)
    assert sorted(code for codes in sets for code in codes) == sorted(DiscrepancyCode)

    texts = {sentence(each, "THIS", "THAT") for each in DiscrepancyCode}
    assert len(texts) == len(DiscrepancyCode)
    assert {each.partition(" Expected: ")[2] for each in texts} == {"THIS. Found: THAT."}


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


CODE_OF = dict(zip("abcdef", [*DiscrepancyCode][:3] * 2, strict=True))
findings = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("12")).map(
    lambda drawn: {key: Discrepancy(CODE_OF[key], key, "", text) for key, text in drawn.items()}
)


@given(st.lists(findings, max_size=6))
def test_repeated_finding_changes_nothing_and_events_replay_to_the_state(
    history: list[Mapping[str, Discrepancy]],
) -> None:
    known: dict[str, Known] = {}
    replayed: dict[str, DiscrepancyState] = {}
    for found in history:
        made = transitions(known, found, set(DiscrepancyCode))
        known |= {each.discrepancy_id: Known(each.discrepancy, each.state) for each in made}
        replayed |= {each.discrepancy_id: each.state for each in made if each.is_event}

        assert transitions(known, found, set(DiscrepancyCode)) == []
        assert {key: each.discrepancy for key, each in known.items() if each.state is not CLOSED} == found
        assert replayed == {key: each.state for key, each in known.items()}


TRANSACTION_ID = "4a45b2df-f7bd-48bf-a2b4-b8405eb51194"


@pytest.mark.parametrize(
    ("code", "transaction_id", "shown"),
    [
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID, TRANSACTION_ID),
        ("FIELD_WITHOUT_PAYMENT", TRANSACTION_ID.upper(), TRANSACTION_ID.upper()),
        ("FIELD_WITHOUT_PAYMENT", f"{TRANSACTION_ID} Dana", None),
        ("FIELD_WITHOUT_PAYMENT", "039337423", None),
        ("FIELD_WITHOUT_PAYMENT", None, None),
        ("MISSING_IN_ARCHIVE", None, None),
        ("AMOUNT_MISMATCH", "tx 7", "tx 7"),
        ("AMOUNT_MISMATCH", "x" * 10_000_000, "x" * 100),
    ],
)
def test_only_transaction_ids_are_shown_of_payment_fields(
    code: str, transaction_id: str | None, shown: str | None
) -> None:
    assert told(Discrepancy(DiscrepancyCode(code), transaction_id, "", ""))["transaction_id"] == shown
