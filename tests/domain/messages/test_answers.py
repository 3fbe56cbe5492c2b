"""Answers of endpoints are kept without secrets, card numbers and addresses of people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages.answers import MOST_KEPT, kept_text


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b" \r\n", None),
        (b"no such order", "no such order"),
        ("שגיאה".encode(), "שגיאה"),
        (b"card 4580 4580 4580 4580 declined", "card **** **** **** 4580 declined"),
        (b"mail dana@example.co.il twice", "mail *** twice"),
        (b"got whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "got ***"),
        (b"Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        (b"you sent my-own-token", "you sent ***"),
        (b"a\x00b", "a b"),
        (b"\xff", "\ufffd"),
    ],
)
def test_answer_is_kept_without_what_is_secret(body: bytes, kept: str | None) -> None:
    assert kept_text(body, ["my-own-token"]) == kept


def test_card_number_at_the_end_of_what_is_kept_is_masked() -> None:
    kept = kept_text(b"x " * (MOST_KEPT // 2 - 5) + b"4580458045804580 and more")

    assert kept is not None
    assert len(kept) == MOST_KEPT
    assert kept.endswith("**********")


@given(st.binary(max_size=5000))
def test_any_answer_can_be_stored(body: bytes) -> None:
    kept = kept_text(body) or ""

    assert len(kept) <= MOST_KEPT
    assert "\x00" not in kept
    assert kept.encode().decode() == kept
