"""A search says in which values its words stand, with the words marked as they were sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.matches import Match, matches
from domain.search import Placed, searched_text, terms_of

VALUES = [
    Placed("reference", "", "p-100"),
    Placed("process_number", "", 100),
    Placed("signer", "", "דָּנָה לֵוִי"),
    Placed("label", "branch", "Haïfa  Port"),
    Placed("filename", "", "lease agreement (scanned).pdf"),
    Placed("field", "phone", "050-1234567"),
]


def said(found: Match) -> str:
    """Return a match as text, with its words in brackets."""
    text = "".join(f"[{text}]" if is_word else text for text, is_word in found.parts)
    return f"{found.place} {found.name}: {text}".replace(" :", ":")


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("100", ["reference: p-[100]"]),
        ("דנה", ["signer: [דָּנָה] לֵוִי"]),
        ("haifa", ["label branch: [Haïfa]  Port"]),
        ('"haifa port"', ["label branch: [Haïfa  Port]"]),
        ("LEASE nobody", ["filename: [lease] agreement (scanned).pdf"]),
        ("agreement lease", ["filename: [lease] [agreement] (scanned).pdf"]),
        ("sc", ["filename: lease agreement ([sc]anned).pdf"]),
        ("34567", ["field phone: 050-12[34567]"]),
        ("לוי haifa 100", ["reference: p-[100]", "signer: דָּנָה [לֵוִי]", "label branch: [Haïfa]  Port"]),
        ("לוי haifa 100 lease", ["reference: p-[100]", "signer: דָּנָה [לֵוִי]", "label branch: [Haïfa]  Port"]),
        ("nobody", []),
    ],
)
def test_first_value_of_each_word_is_shown_and_three_at_most(q: str, expected: list[str]) -> None:
    assert [said(each) for each in matches(terms_of(q), VALUES)] == expected


def test_long_value_is_cut_around_its_first_word() -> None:
    [found] = matches(terms_of("here"), [Placed("field", "note", f"{'a ' * 60}here{' b' * 60}")])

    assert said(found) == f"field note: …{'a ' * 10}[here]{' b' * 23}…"


@given(st.text(min_size=1, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_match_has_the_text_as_it_was_sent(word: str, before: str, after: str) -> None:
    value = f"{before} {word} {after}"
    terms = terms_of(f'"{word}"')

    for found in matches(terms, [Placed("label", "k", value)]):
        assert "".join(text for text, _ in found.parts).strip("…") in value
        assert all(text for text, _ in found.parts)
    assert bool(matches(terms, [Placed("label", "k", value)])) == any(
        each.pattern in searched_text([value]) for each in terms
    )
