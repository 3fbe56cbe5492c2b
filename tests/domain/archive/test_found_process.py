"""The process of a refused body is found where its reference and number can be read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.found_process import FoundProcess, process_in
from domain.archive.reading import reference_of
from tests.samples import sample_body, sample_document

WHOLE = sample_body("r-1")

FOUND: dict[str, tuple[bytes, FoundProcess]] = {
    "whole": (WHOLE, FoundProcess("r-1", 100)),
    "cut off after the reference": (WHOLE[: WHOLE.index(b"sessions")], FoundProcess("r-1")),
    "cut off in a later text": (WHOLE[:-70], FoundProcess("r-1", 100)),
    "a comma too many": (b'{"event": {"a": 1,}, "reference": "r",}', FoundProcess("r")),
    "no comma": (b'{"event": 1 "reference": "r" "sessions": [{"process_number": 7}]}', FoundProcess("r", 7)),
    "wrong UTF-8 in another text": (b'{"note": "\xff", "reference": "r"}', FoundProcess("r")),
    "reference after the sessions": (b'{"sessions": [{"reference": "no"}], "reference": "r"}', FoundProcess("r")),
    "reference of an inner object": (b'{"a": {"reference": "no"}, "sessions": [{"reference": "no"}]}', FoundProcess()),
    "reference as the value of a key": (b'{"a": "reference", "b": "no"}', FoundProcess()),
    "a session event": (
        b'{"event": {}, "session": {"id": "s", "process_number": 9, "reference": "r"}}', FoundProcess("r", 9),
    ),
    "number as text": (b'{"sessions": [{"process_number": "12"}]}', FoundProcess(None, 12)),
    "number in the second session": (
        b'{"sessions": [{"process_number": null}, {"process_number": 3}]}', FoundProcess(None, 3),
    ),
    "number of an inner object": (b'{"sessions": [{"labels": {"process_number": 3}}]}', FoundProcess()),
    "escapes": (rb'{"reference": "\u05d0 \"b\" \/"}', FoundProcess('א "b" /')),
    "byte order mark": (b'\xef\xbb\xbf{"reference": "r"}', FoundProcess("r")),
    "no JSON": (b"<xml>reference</xml>", FoundProcess()),
    "empty": (b"", FoundProcess()),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_reference_and_number_are_found_at_their_places_only(name: str) -> None:
    text, expected = FOUND[name]

    assert process_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(b'{"reference": "%b"}' % each for each in (rb"a\u0000b", rb"\ud83d", b"", b"x" * 256, b"\xff", rb"\x")),
        b'{"reference": "only the beg',
        *(
            b'{"sessions": [{"process_number": %b}]}' % each
            for each in (b"9223372036854775808", b"1.5", b"1e3", b"true")
        ),
        b'{"sessions": [{"process_number": "x"}]}',
        b'{"sessions": [{"process_number": %b}]}' % (b"9" * 5000),
    ],
)
def test_reference_that_is_itself_the_fault_and_number_that_no_process_can_have_are_left_out(text: bytes) -> None:
    assert process_in(text) == FoundProcess()


def test_search_ends_in_a_hostile_body() -> None:
    """It reads a bounded beginning, so a reference behind it is not found."""
    for noise in (b'"",' * 2_000_000, b'"' + b" " * 2_000_000 + b'",'):
        assert process_in(b"{" + noise + b'"reference": "r"}') == FoundProcess()


@given(st.binary(max_size=300))
def test_any_bytes_have_an_identity(text: bytes) -> None:
    found = process_in(text)

    assert found.reference is None or 0 < len(found.reference) <= 255


@given(st.text(min_size=1, max_size=255), st.booleans())
def test_reference_of_an_accepted_document_is_found(reference: str, is_ascii: bool) -> None:
    document = sample_document() | {"reference": reference}
    if "\0" in reference:
        return
    text = json.dumps(document, ensure_ascii=is_ascii).encode()

    assert process_in(text).reference == reference_of(document)
