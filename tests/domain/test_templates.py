"""A template is called what most of its signed documents share, and values that look personal are no choices."""

from typing import Any

import pytest

from domain.templates import SignedFile, learned_name, learned_parts, looking_personal, seen_parts, usual_file
from models.templates import PartWords, TemplateName, TemplateWords
from models.views.templates import PartView


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ([], TemplateName()),
        ([("loan_agreement-2026-11-03 (v2).pdf", "a")], TemplateName(en="loan agreement")),
        ([("חוזה שכירות.PDF", "a")], TemplateName(he="חוזה שכירות")),
        ([("Loan Noa Levi 4711.pdf", "Noa Levi"), ("Loan Dan Cohen.pdf", "Dan Cohen")], TemplateName(en="Loan")),
        ([("Noa Levi.pdf", "Noa Levi")] * 3, TemplateName()),
        ([("Visa Dana.pdf", "a"), ("Visa Dana.pdf", "b"), ("Visa Dana.pdf", "a")], TemplateName(en="Visa Dana")),
        ([("Loan נועה.pdf", each) for each in ("Noa Levi", "Levy Noa", "Levi N.")], TemplateName(he="Loan נועה")),
        ([("Loan נועה.pdf", f"Noa & {each}") for each in "abc"], TemplateName(he="Loan נועה")),
        ([("Lease \u200fנוֹעה\u200f x@y.com.pdf", "\u200eנועה")], TemplateName(en="Lease")),
        ([("Le\x01ase\u202e.pdf", "a")], TemplateName(en="Lease")),
        ([("Lease.pdf", each) for each in "abc"], TemplateName(en="Lease", is_public=True)),
        ([("Lease.pdf", "")] * 3, TemplateName(en="Lease")),
        ([("first.pdf", "a"), ("second.pdf", "b"), ("third.pdf", "c")], TemplateName()),
        ([("12345.pdf", "a"), ("a8f1c0.pdf", "b")], TemplateName()),
        ([("W" * 100_000, "a")], TemplateName(en="W" * 79 + "…")),
    ],
)
def test_name_is_what_most_signed_documents_share_and_public_once_three_strangers_share_it(
    files: list[tuple[str, str]], name: TemplateName
) -> None:
    signed = [SignedFile(filename, tuple(filter(None, people.split(" & ")))) for filename, people in files]
    assert learned_name(signed) == name


def test_name_of_who_made_the_process_is_no_name_of_its_template() -> None:
    signed = [SignedFile("Lease by Dana.pdf", (person,), ("Dana",)) for person in "abc"]
    assert learned_name(signed) == TemplateName(en="Lease by", is_public=True)


def test_usual_file_name_is_the_most_frequent() -> None:
    assert usual_file([SignedFile(each) for each in ("a.pdf", "b.pdf", "b.pdf")]) == "b.pdf"
    assert usual_file([]) is None


def learned(part: str, type_: str | None, *values: Any, words: PartWords | None = None) -> tuple[PartView, bool]:
    """Return a part whose values are those of different people, and whether it looks personal or is said to be so."""
    found = ((f"r{number}", part, type_, value) for number, value in enumerate(values))
    seen = seen_parts(found, {f"r{number}": [f"p{number}"] for number in range(len(values))})
    said = TemplateWords(parts={part: words} if words else {})
    (view,) = learned_parts(seen, len(values), said)
    return view, part in looking_personal(seen, said)


@pytest.mark.parametrize(
    ("part", "type_", "values"),
    [
        ("field:MAIL", "text", ["noa@example.com", "dan@example.co.il", ""]),
        ("field:PHONE", "text", ["052-1234567", "+972 52 765 4321", "none"]),
        ("label:CUSTOMER", None, ["123456782", "000000018"]),
        ("field:WHERE", "location", ["somewhere"]),
        ("field:PLACE", "text", ["32.79412,34.98956"]),
        ("field:PAD", "signature", ["x"]),
    ],
)
def test_mails_phones_identity_numbers_signatures_and_coordinates_look_personal(
    part: str, type_: str | None, values: list[str]
) -> None:
    view, looks_so = learned(part, type_, *values)
    assert (view.personal, looks_so, view.choices) == (True, True, [])
    view, looks_so = learned(part, type_, *values, words=PartWords(personal=False))
    assert (view.personal, looks_so) == (False, False)


@pytest.mark.parametrize(
    ("type_", "values", "choices"),
    [
        ("select", ["car", "home"], ["car", "home"]),
        ("text", ["car", "home"], []),
        ("text", ["car", "home"] * 4, ["car", "home"]),
        ("select", [f"choice {number}" for number in range(21)], []),
        ("text", [f"value {number}" for number in range(60)] * 5, []),
        (None, [True, None, 4], []),
    ],
)
def test_choices_are_the_values_of_a_part_that_takes_few(
    type_: str | None, values: list[Any], choices: list[str]
) -> None:
    found, looks_so = learned("field:F", type_, *values)
    assert (found.choices, looks_so, found.type) == (choices, False, type_)


@pytest.mark.parametrize(
    ("type_", "values", "is_personal"),
    [
        ("select", ["car", "home"] * 3, False),
        ("select", ["car", "home"] * 2, True),  # what few people chose, they may have typed
        ("combo", ["car", "home"] * 3, True),
        ("text", ["car", "home"] * 3, True),
        ("checkbox", [True], False),
        ("amount", ["1,200"], False),
        ("date", ["2026-01-01"], True),
        (None, ["x"] * 9, True),
    ],
)
def test_part_of_which_nobody_says_is_personal_unless_its_type_is_of_nobody(
    type_: str | None, values: list[Any], is_personal: bool
) -> None:
    assert learned("field:F", type_, *values)[0].personal is is_personal


def test_what_one_person_chose_again_and_again_is_personal() -> None:
    seen = seen_parts(((f"r{number}", "field:F", "select", "Herzl 5") for number in range(9)), {})
    assert learned_parts(seen, 9, TemplateWords())[0].personal


def test_share_of_archives_with_a_value_is_counted_by_archive() -> None:
    rows = [
        ("r1", "label:B", None, "x"),
        ("r1", "label:B", None, "y"),
        ("r2", "label:B", None, " "),
        ("r3", "field:A", "t", []),
    ]
    found = learned_parts(seen_parts(rows, {}), 4, TemplateWords())
    assert [(each.part, each.filled) for each in found] == [("label:B", 0.25), ("field:A", 0)]
