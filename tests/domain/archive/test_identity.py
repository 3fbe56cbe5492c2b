"""The process of a refused body is found where its reference and number can be read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.identity import Identity, identity_in, reference_digest
from domain.archive.reading import reference_of
from tests.domain.payloads import read
from tests.samples import sample_body, sample_document

WHOLE = sample_body("r-1")


def test_whole_archive_is_identified_as_it_is_read() -> None:
    archive = read(sample_document())

    assert identity_in(json.dumps(sample_document()).encode()) == Identity(archive.reference, archive.process_number)


FOUND: dict[str, tuple[bytes, Identity]] = {
    "cut off after the reference": (WHOLE[: WHOLE.index(b"sessions")], Identity("r-1")),
    "cut off in a later text": (WHOLE[:-70], Identity("r-1", 100)),
    "a comma too many": (b'{"event": {"a": 1,}, "reference": "r",}', Identity("r")),
    "no comma": (b'{"event": 1 "reference": "r" "sessions": [{"process_number": 7}]}', Identity("r", 7)),
    "a raw line break in a text": (b'{"note": "a\nb", "reference": "r"}', Identity("r")),
    "wrong UTF-8 in another text": (b'{"note": "\xff", "reference": "r"}', Identity("r")),
    "NaN": (b'{"note": NaN, "reference": "r"}', Identity("r")),
    "reference after the sessions": (b'{"sessions": [{"reference": "no"}], "reference": "r"}', Identity("r")),
    "reference of an inner object": (b'{"a": {"reference": "no"}, "sessions": [{"reference": "no"}]}', Identity()),
    "reference as the value of a key": (b'{"a": "reference", "b": "no"}', Identity()),
    "number as text": (b'{"sessions": [{"process_number": "12"}]}', Identity(None, 12)),
    "number in the second session": (
        b'{"sessions": [{"process_number": null}, {"process_number": 3}]}', Identity(None, 3),
    ),
    "number of an inner object": (b'{"sessions": [{"labels": {"process_number": 3}}]}', Identity()),
    "escapes": (rb'{"reference": "\u05d0 \"b\" \/"}', Identity('א "b" /')),
    "byte order mark": (b'\xef\xbb\xbf{"reference": "r"}', Identity("r")),
    "no JSON": (b"<xml>reference</xml>", Identity()),
    "empty": (b"", Identity()),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_reference_and_number_are_found_at_their_places_only(name: str) -> None:
    text, expected = FOUND[name]

    assert identity_in(text) == expected


FAULTY = {
    "NUL": rb"a\u0000b",
    "half an emoji": rb"\ud83d",
    "empty": b"",
    "too long": b"x" * 256,
    "wrong UTF-8": b"\xff",
    "a wrong escape": rb"\x",
}


@pytest.mark.parametrize("name", FAULTY)
def test_reference_that_is_itself_the_fault_is_left_out(name: str) -> None:
    assert identity_in(b'{"reference": "%b"}' % FAULTY[name]) == Identity()


@pytest.mark.parametrize("number", ["9223372036854775808", "1.5", "1e3", "true", '"x"', "9" * 5000])
def test_number_that_no_process_can_have_is_left_out(number: str) -> None:
    assert identity_in(b'{"sessions": [{"process_number": %b}]}' % number.encode()) == Identity()


def test_reference_cut_off_in_its_middle_is_left_out() -> None:
    assert identity_in(b'{"reference": "only the beg') == Identity()


def test_search_ends_in_a_hostile_body() -> None:
    """It reads a bounded beginning, so a reference behind it is not found."""
    for noise in (b'"",' * 2_000_000, b'"' + b" " * 2_000_000 + b'",'):
        assert identity_in(b"{" + noise + b'"reference": "r"}') == Identity()


@given(st.binary(max_size=300))
def test_any_bytes_have_an_identity(text: bytes) -> None:
    found = identity_in(text)

    assert found.reference is None or 0 < len(found.reference) <= 255


@given(st.text(min_size=1, max_size=255), st.booleans())
def test_reference_of_an_accepted_document_is_found(reference: str, is_ascii: bool) -> None:
    document = sample_document() | {"reference": reference}
    if "\0" in reference:
        return
    text = json.dumps(document, ensure_ascii=is_ascii).encode()

    assert identity_in(text).reference == reference_of(document)


def test_digest_of_a_reference_is_short_and_does_not_contain_it() -> None:
    assert reference_digest(None) is None
    assert reference_digest("r") == "454349e422f0"
