"""A person is found by each spelling of mail, phone or identity number, and by nothing that merely contains it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.json_text import parse_with_repeats
from domain.person import facets_of, identifiers, person_facets, places_in
from models.search import MOST_FACETS
from models.views.person import Stands
from tests.samples import sample_document

MOBILES = st.from_regex(r"5[0-9]{8}", fullmatch=True)
MARKS = st.sampled_from(["", "\u200e", "\u202a"])
BESIDE = st.sampled_from(["", "נייד ", "tel: ", "(", '"', "22:30 ", "2026-11-29T15:37:25.603248 ", "29.11.2026, "])
PHONES = ["0{}{}", "0{}-{}", "0{} {}", "(0{}) {}", "+972{}{}", "+972-{}-{}", "+972 (0){} {}", "00972{}{}", "972{}{}"]


@given(MOBILES, st.sampled_from(PHONES), MARKS, BESIDE)
def test_each_spelling_of_a_phone_is_one_form(digits: str, spelling: str, mark: str, beside: str) -> None:
    spelled = spelling.format(digits[:2], digits[2:])

    assert identifiers(f"{beside}{mark}{spelled}{mark}") == {f"+972{digits}"}
    assert identifiers(f"{beside}{spelled}, a@b.example") == {f"+972{digits}", "a@b.example"}


@given(st.integers(10**4, 10**9 - 1), st.integers(0, 9))
def test_leading_zeros_and_the_dash_before_the_check_digit_make_no_other_identity_number(
    number: int, width: int
) -> None:
    written = str(number).zfill(width)

    assert f"#{number}" in identifiers(written)
    assert f"#{number}" in identifiers(f"ת.ז. {written[:-1]}\N{NON-BREAKING HYPHEN}{written[-1]}")


@given(st.from_regex(r"[a-z0-9._+-]{1,20}@[a-z0-9-]{1,20}\.(com|co\.il)", fullmatch=True), BESIDE)
def test_mail_addresses_are_one_form_in_any_case(address: str, beside: str) -> None:
    assert identifiers(f"{beside}<{address.upper()}>") == {address}


@given(st.one_of(MOBILES.map("0{}".format), st.from_regex(r"[1-9][0-9]{8}", fullmatch=True)), st.data())
def test_what_merely_contains_the_digits_of_a_number_is_another(number: str, data: st.DataObject) -> None:
    before, after = data.draw(st.sampled_from([("1", ""), ("", "1"), ("x", ""), ("", "x"), ("a-", ""), ("", "@b.c")]))

    assert identifiers(number).isdisjoint(identifiers(f"{before}{number}{after}"))
    assert identifiers(number).isdisjoint(identifiers(f"{number[:4]}x{number[4:]}"))


@pytest.mark.parametrize(
    "text",
    ["2026-11-29", "29/11/2026", "22:29:17", "32.0853", "4580 4580 4580 4580", "458045******4580", "192.168.10.11"],
)
def test_dates_times_places_and_cards_name_nobody(text: str) -> None:
    assert not identifiers(text)


def test_numbers_side_by_side_are_several_and_the_parts_of_a_phone_are_one() -> None:
    assert identifiers("050-1234567 123456782") == {"+972501234567", "#123456782"}
    assert identifiers("050 1234567") == {"+972501234567"}
    assert identifiers("03-1234567") >= {"+97231234567"}


def document() -> dict[str, Any]:
    its = sample_document()
    its["data"] += [{"id": "mobile", "value": "Tel +972-50-1234567"}, {"id": "number", "value": 50123}]
    its["sessions"][0]["process_number"] = 123456782
    its["sessions"][0]["recipient"]["id"] = "00123456782"
    its["signatures"][0]["signed_by"]["id"] = 123456782
    its["sessions"][0]["labels"]["owner"] = "CLIENT@example.com"
    return its


def test_places_say_what_of_the_request_names_the_person() -> None:
    wanted = frozenset().union(*map(identifiers, ["client@Example.com", "0501234567", "123456782"]))

    assert [(each.stands, each.name, each.where) for each in places_in(document(), wanted)] == [
        (Stands.RECIPIENT, "id", "sessions[0].recipient.id"),
        (Stands.INVITATION, "address", "sessions[0].recipient.otp_destination.address"),
        (Stands.INVITATION, "address", "sessions[0].recipient.invitations[0].address"),
        (Stands.LABEL, "owner", "sessions[0].labels.owner"),
        (Stands.SIGNER, "id", "signatures[0].signed_by.id"),
        (Stands.FIELD, "mobile", "data[5].value"),
    ]


def test_a_value_that_a_repeated_key_hides_is_found() -> None:
    hidden = b'{"sessions": [], "data": [{"id": "x", "value": "a@b.example", "value": ""}]}'
    [place] = places_in(parse_with_repeats(hidden), identifiers("A@B.example"))

    assert (place.name, place.value) == ("x", "a@b.example")
    assert set(facets_of(identifiers("a@b.example"))) & person_facets(hidden)


def test_a_request_that_names_more_people_than_it_has_facets_is_looked_into_for_everybody() -> None:
    many = b'{"data": [%s]}' % b", ".join(b'{"value": "p%d@b.example"}' % each for each in range(MOST_FACETS + 1))

    assert len(person_facets(many)) == len(person_facets(b"damaged")) == 1
    assert person_facets(many) < set(facets_of(identifiers("somebody@else.example")))
