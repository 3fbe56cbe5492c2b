"""The skeleton, a body without its contents, is bounded; unusual spellings of a content are kept."""

import base64
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.base64_text import Base64Text
from domain.body.skeleton import MAX_SKELETON_BYTES, MAX_VALUES, Skeleton
from domain.body.spelling import SpellingReader, spelled
from models.archive.content import Spelling
from models.errors import Refused


def test_first_byte_over_the_limit_is_refused_with_its_offset_in_the_body() -> None:
    skeleton = Skeleton(5)
    skeleton.keep(b"12345", 0)
    with pytest.raises(Refused, match="SKELETON_TOO_LARGE: at byte 900 of the body"):
        skeleton.cut("a", 800, 900, 1)
    skeleton = Skeleton(5)
    skeleton.keep(b"123", 0)
    with pytest.raises(Refused, match="SKELETON_TOO_LARGE: at byte 702 of the body"):
        skeleton.keep(b"4567", 700)


@pytest.mark.parametrize(("end", "offset"), [(None, 14), (8, 14), (1, 1)])
def test_offset_of_a_fault_counts_the_body(end: int | None, offset: int) -> None:
    skeleton = Skeleton(100)
    skeleton.keep(b'["', 0)
    skeleton.cut("a", 2, 9, 5)
    skeleton.keep(b'",1  x"]', 9)
    with pytest.raises(Refused, match=f"at byte {offset} of the body"):
        skeleton.parse(end)


def skeleton_of(text: bytes) -> Skeleton:
    skeleton = Skeleton(MAX_SKELETON_BYTES)
    skeleton.keep(text, 0)
    return skeleton


@pytest.mark.parametrize(
    ("begin", "one", "end"),
    [
        (b"[", b"7,", b"7]"),
        (b"[7,", b"{},", b"7]"),
        (b"[7,", b"[],", b"7]"),
        (b'{"a":0', b',"":0', b"}"),
        (b"[7", b',"[{,\\",[,\\\\"', b"]"),
        (b"[7", b",\xd7\xa9\\", b"]"),
    ],
)
def test_first_value_over_the_limit_is_refused_whatever_texts_contain(begin: bytes, one: bytes, end: bytes) -> None:
    marks_of_begin, marks_of_one = (sum(part.count(mark) for mark in (b",", b"[", b"{")) for part in (begin, one))
    if b'"[' in one:
        marks_of_one = 1
    most = begin + one * ((MAX_VALUES - marks_of_begin) // marks_of_one)
    assert not was_refused_for_its_values(most + end)
    text = most + one + b"]" * 9
    offset = len(most) + min(one.find(mark) for mark in (b",", b"[", b"{") if mark in one)
    with pytest.raises(
        Refused, match=f"TOO_MANY_VALUES: at byte {offset} of the body: more than {MAX_VALUES}"
    ) as found:
        skeleton_of(text).parse()
    assert found.value.status == 413


@pytest.mark.parametrize(
    "tail", [b"]" * (8 << 20), b'"' + b"x" * (8 << 20), b'"' + b"\\" * 8_000_001, b'""' * (4 << 20)]
)
def test_values_are_counted_in_one_pass_even_in_invalid_json(tail: bytes) -> None:
    text = b'",[{" ' * MAX_VALUES + tail
    began = time.thread_time()
    assert not was_refused_for_its_values(text)
    assert time.thread_time() - began < 2


def was_refused_for_its_values(text: bytes) -> bool:
    try:
        skeleton_of(text).parse()
    except Refused as refused:
        return refused.code == "TOO_MANY_VALUES"
    return False


_SIGNS = bytes([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF])  # "++++////"


def _wrapped(text: bytes, line: int, line_break: bytes) -> bytes:
    return line_break.join(text[start : start + line] for start in range(0, len(text), line))


_WAYS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "url-safe": lambda text: text.replace(b"+", b"-").replace(b"/", b"_"),
    "without padding": lambda text: text.rstrip(b"="),
    "PHP's escapes": lambda text: text.replace(b"/", rb"\/"),
    ".NET's escapes": lambda text: text.replace(b"+", rb"\u002B"),
    "all escaped": lambda text: text.replace(b"+", rb"\u002b").replace(b"/", rb"\u002F").replace(b"=", rb"\u003d"),
    "MIME": lambda text: _wrapped(text, 76, rb"\r\n"),
    "PEM with a break at the end": lambda text: _wrapped(text, 64, rb"\n") + rb"\n",
    "blanks": lambda text: _wrapped(text, 60, b" "),
    "odd lines and escapes": lambda text: _wrapped(text, 13, rb"\u000a").replace(b"/", rb"\/"),
    "one line with a break": lambda text: text + rb"\r\n",
    "data URI": lambda text: b"data:application/pdf;base64," + text,
    "escaped data URI": lambda text: rb"data:image\/svg+xml;charset=utf-8;base64," + text.replace(b"/", rb"\/"),
    "everything": lambda text: (
        b"data:;base64," + _wrapped(text.rstrip(b"="), 76, rb"\r\n").replace(b"/", rb"\/") + rb"\r\n"
    ),
}


def _read(text: bytes, piece_bytes: int) -> tuple[bytes, Spelling]:
    decoded = bytearray()
    decoder, reader = Base64Text(decoded.extend, where="", offset=0), SpellingReader()
    for start in range(0, len(text), piece_bytes):
        piece = memoryview(text)[start : start + piece_bytes]
        decoder.feed(piece)
        reader.feed(piece)
    decoder.finish()
    return bytes(decoded), reader.spelling(len(decoded))


@given(data=st.binary(max_size=200), way=st.sampled_from(sorted(_WAYS)), piece_bytes=st.integers(1, 300))
def test_only_standard_encoding_counts_as_plain(data: bytes, way: str, piece_bytes: int) -> None:
    encoded = base64.b64encode(data)
    text = _WAYS[way](encoded)
    decoder = Base64Text(None, where="", offset=0)
    for start in range(0, len(text), piece_bytes):
        decoder.feed(memoryview(text)[start : start + piece_bytes])
    decoder.finish()

    assert decoder.is_plain <= (text == encoded)
    assert decoder.is_plain or text != encoded or piece_bytes < len(text)


def _pieces(data: bytes, piece_bytes: int) -> list[bytes]:
    return [data[start : start + piece_bytes] for start in range(0, len(data), piece_bytes)]


@given(
    data=st.binary(max_size=300).map(lambda data: data * 9),
    way=st.sampled_from(sorted(_WAYS)),
    piece_bytes=st.integers(1, 9000),
)
def test_spelling_does_not_depend_on_piece_borders(data: bytes, way: str, piece_bytes: int) -> None:
    text = _WAYS[way](base64.b64encode(data))

    decoded, spelling = _read(text, piece_bytes)

    assert decoded == data
    assert b"".join(spelled(_pieces(data, piece_bytes), spelling)) == text


def test_first_signs_far_into_a_content_are_recognised() -> None:
    data = bytes(90_000) + _SIGNS + bytes(90_000)
    text = base64.b64encode(data).replace(b"/", rb"\/").replace(b"+", b"-")

    decoded, spelling = _read(text, 4096)

    assert spelling == Spelling(plus="-", slash=r"\/")
    assert b"".join(spelled([decoded], spelling)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"QR==", id="bits that no byte has"),
        pytest.param(rb"\/\//", id="one sign in two ways"),
        pytest.param(rb"QU\nFB\r\nQUFB", id="two kinds of breaks"),
        pytest.param(b"QQ=", id="half of the padding"),
        pytest.param(rb"\u0051Q==", id="an escaped letter"),
    ],
)
def test_mixed_spelling_is_not_reproduced(text: bytes) -> None:
    data, spelling = _read(text, 100)
    decoder = Base64Text(None, where="", offset=0)
    decoder.feed(memoryview(text))
    decoder.finish()

    assert not decoder.is_plain
    assert b"".join(spelled([data], spelling)) != text
