"""Base64 is written again exactly as it was sent."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.base64_text import Base64Text
from domain.body.spelling import SpellingReader, spelled
from models.archive.content import Spelling

_SIGNS = bytes([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF])  # "++++////"
_DATA = _SIGNS * 50 + b"%PDF-1.7 and so on" * 20


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


@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 47, 48, 49, 57, 200, len(_DATA)])
@pytest.mark.parametrize("way", _WAYS)
def test_spelling_of_known_encoders_is_reproduced(way: str, size_bytes: int) -> None:
    text = _WAYS[way](base64.b64encode(_DATA[:size_bytes]))

    data, spelling = _read(text, 7)

    assert data == _DATA[:size_bytes]
    assert b"".join(spelled(_pieces(data, 11), spelling)) == text


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
