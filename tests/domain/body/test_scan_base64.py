"""The scan agrees with the standard library about base64, and about whole bodies of any shape."""

import base64
import binascii
import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.base64_text import DATA_URI_BYTES, Base64Text
from models.errors import Refused
from tests.domain.body.scan_oracle import Pairs, assert_as_the_standard_library_says, outcome


def decode(raw: bytes, sizes: list[int] | None = None) -> bytes:
    """Decode a text that begins at byte 0, in pieces of the given sizes, then its rest at once."""
    pieces: list[bytes] = []
    text = Base64Text(pieces.append, where="here", offset=0)
    start = 0
    for size in sizes or []:
        text.feed(memoryview(raw)[start : start + size])
        start += size
    text.feed(memoryview(raw)[start:])
    text.finish()
    assert text.size_bytes == len(b"".join(pieces))
    return b"".join(pieces)


def decode_or_fault(raw: bytes, sizes: list[int] | None = None) -> bytes | tuple[str, int, str]:
    try:
        return decode(raw, sizes)
    except Refused as refused:
        offset, reason = re.findall(r"at byte (\d+) of the body: (.*)", refused.detail)[0]
        return refused.code, int(offset), reason


def fault(raw: bytes) -> tuple[str, int]:
    """Return code and offset of the refusal of a text, which must be the same whole and byte by byte."""
    found = decode_or_fault(raw)
    assert isinstance(found, tuple), "accepted"
    assert decode_or_fault(raw, [1] * len(raw)) == found
    return found[:2]


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"", b""),
        (b"  ", b""),
        (rb"\n", b""),
        (b"QQ==", b"A"),
        (b"QUI=", b"AB"),
        (b"QUJD", b"ABC"),
        # Padding may be missing, partly or wholly. Its bits need not be zero.
        (b"QQ", b"A"),
        (b"QQ=", b"A"),
        (b"QUI", b"AB"),
        (b"QR==", b"A"),
        # Both alphabets, even mixed.
        (b"+/+/", b"\xfb\xff\xbf"),
        (b"-_-_", b"\xfb\xff\xbf"),
        (b"+_-/", b"\xfb\xff\xbf"),
        # JSON escapes.
        (rb"+\/\u002B\u002f", b"\xfb\xff\xbf"),
        (rb"\u002D\u005f+/", b"\xfb\xff\xbf"),
        (rb"\u0051\u0051\u003d\u003D", b"A"),
        (rb"QQ\u003d=", b"A"),
        # White space, before, within and behind the text and its padding.
        (rb" Q Q\n=\r\n=\t ", b"A"),
        (rb"QQ==\r\n", b"A"),
        (rb"QU\u000aJD\u000D\u0009\u0020", b"ABC"),
        # Data URIs.
        (b"data:;base64,QUJD", b"ABC"),
        (b"DATA:application/pdf;name=a b;BASE64,QU JD", b"ABC"),
        (rb"data:image\/png;base64,QU\/D", base64.b64decode("QU/D")),
        (rb"\u0064\u0061\u0074\u0061\u003A;b\u0061se64\u002CQUJD", b"ABC"),
        ("data:é\\\\\\ud800\\u0000;base64,".encode(), b""),
        # Not data URIs.
        (b"data", base64.b64decode("data")),
        (b"dataQUJD", base64.b64decode("dataQUJD")),
    ],
)
def test_every_accepted_spelling_is_decoded(raw: bytes, decoded: bytes) -> None:
    assert decode(raw) == decoded
    assert decode(raw, [1] * len(raw)) == decoded


@pytest.mark.parametrize(
    ("raw", "code", "offset"),
    [
        # Characters outside of base64.
        (b"*", "NOT_BASE64", 0),
        (b"QUJD.", "NOT_BASE64", 4),
        (b"QU%3D", "NOT_BASE64", 2),
        (b"QU\xc3\xa9JD", "NOT_BASE64", 2),
        (b"QU\xff", "NOT_BASE64", 2),
        (b"QU\x7fJ", "NOT_BASE64", 2),
        (rb"QU\u00e9", "NOT_BASE64", 2),
        (rb"QU\ud83d", "NOT_BASE64", 2),
        (rb"QU\\JD", "NOT_BASE64", 2),
        (rb"QU\f", "NOT_BASE64", 2),
        (rb"QU\b", "NOT_BASE64", 2),
        (rb"\\u0041QQ", "NOT_BASE64", 0),
        (b"QU\\", "NOT_BASE64", 2),  # before a quote
        # Invalid in JSON strings.
        (b"QU\nJD", "NOT_JSON", 2),
        (b"QU\tJD", "NOT_JSON", 2),
        (b"QUJD\x00", "NOT_JSON", 4),
        (b"\\nQU\nJD", "NOT_JSON", 4),
        (rb"QU\xJD", "NOT_JSON", 2),
        (rb"QU\u00zzJD", "NOT_JSON", 2),
        (rb"QU\u00", "NOT_JSON", 2),
        (rb"QU\u", "NOT_JSON", 2),
        # Padding.
        (b"=", "NOT_BASE64", 0),
        (b"====", "NOT_BASE64", 0),
        (b"Q===", "NOT_BASE64", 1),
        (b"QQ===", "NOT_BASE64", 4),
        (b"QUI==", "NOT_BASE64", 4),
        (b"QUJD=", "NOT_BASE64", 4),
        (rb"QUJD\u003d", "NOT_BASE64", 4),
        (b"QQ==QUJD", "NOT_BASE64", 4),
        (b"QQ==QU", "NOT_BASE64", 4),
        (b"QQ=Q", "NOT_BASE64", 3),
        (rb"QQ=\u0051", "NOT_BASE64", 3),
        (b"QQ=*", "NOT_BASE64", 3),
        (b"QUI= QUI=", "NOT_BASE64", 5),
        # A single leftover character.
        (b"Q", "NOT_BASE64", 1),
        (b"QUJDQ", "NOT_BASE64", 5),
        (rb"QUJDQ\n", "NOT_BASE64", 7),
        (b"data:;base64,Q", "NOT_BASE64", 14),
        (b"data:;base64,QU*D", "NOT_BASE64", 15),
        # Data URIs.
        (b"data:", "NOT_BASE64", 0),
        (b"data:,QUJD", "NOT_BASE64", 0),
        (b"data:image/png,QUJD", "NOT_BASE64", 0),
        (b"data:base64,QUJD", "NOT_BASE64", 0),
        (rb"data:;base64\\u002cQUJD", "NOT_BASE64", 0),
        (b" data:;base64,QUJD", "NOT_BASE64", 5),
        (b"data:;base64,data:;base64,QUJD", "NOT_BASE64", 17),
        (b"data:\n;base64,QUJD", "NOT_JSON", 5),
        (rb"data:\x;base64,QUJD", "NOT_JSON", 5),
        (b"data:\xff;base64,QUJD", "NOT_UTF8", 5),
    ],
)
def test_invalid_base64_is_refused_with_its_place(raw: bytes, code: str, offset: int) -> None:
    assert fault(raw) == (code, offset)


@pytest.mark.parametrize(
    ("end", "wrong"),
    [
        (b"QQ==QUJD", 4),
        (b"QUI=QUJD", 4),
        (b"QQ=QUJDQ", 3),
        (b"QUI==", 4),
        (b"QQ===", 4),
        (b"QUJD=QUJD", 4),
        (b"QQ==*", 4),
    ],
)
def test_wrong_padding_is_refused_alike_at_every_division_of_the_text(end: bytes, wrong: int) -> None:
    raw = b"QUJD" * 10 + end
    found = decode_or_fault(raw)
    assert fault(raw) == ("NOT_BASE64", 40 + wrong)
    for first in range(len(raw)):
        for second in range(len(raw) - first):
            assert decode_or_fault(raw, [first, second]) == found


def test_length_limit_of_a_data_uri_counts_the_bytes_sent() -> None:
    longest = b"data:" + b"x" * (DATA_URI_BYTES - 13) + b";base64,"
    assert decode(longest + b"QUJD") == decode(longest + b"QUJD", [1] * 2000) == b"ABC"
    assert fault(b"data:x" + longest[5:] + b"QUJD") == ("NOT_BASE64", 0)


def test_evenly_wrapped_lines_are_never_joined_across_a_backslash() -> None:
    """Deleting `\\r\\n` from `\\\\r\\n/` would leave `\\/`, which is a slash."""
    line = b"QUJD" * 4
    assert fault(rb"\r\n".join([line, line, line[:-1] + b"\\", b"/" + line[1:], line])) == ("NOT_BASE64", 55)
    assert decode(rb"\r\n".join([line] * 3)) == b"ABC" * 12
    assert decode(rb"\r\n".join([line] * 3) + rb"\r") == b"ABC" * 12
    assert fault(rb"\r\n".join([line] * 3) + rb"\r\x")[0] == "NOT_JSON"


def test_double_backslash_is_refused_at_every_division_of_wrapped_text() -> None:
    for line_break in rb"\n", rb"\r\n":
        begin = line_break.join([b"QUJD"] * 4) + line_break[:-2]
        raw = begin + rb"\\n" + b"QUJD"
        assert fault(raw) == ("NOT_BASE64", len(begin))
        for size in range(len(raw)):
            assert decode_or_fault(raw, [size]) == decode_or_fault(raw)


# --- properties ------------------------------------------------------------------------------------------------------

_SIZES = st.lists(st.integers(0, 9), max_size=20) | st.lists(st.integers(28, 40), max_size=3)
_RAW_PARTS = st.sampled_from(
    [
        *b"AQ9+/-_= *\n\xe9".decode("latin-1"),
        "QUJD",
        "==",
        r"\/",
        r"\n",
        r"\r\n",
        r"\u0041",
        r"\u003d",
        r"\u0020",
        r"\u00e9",
        "\\",
        "u0",
    ]
)
_BEGINNINGS = st.sampled_from(["", "QUJD" * 8])  # in a short text, only the end matters
_RAWS = st.builds(
    lambda begin, parts: (begin + "".join(parts)).encode("latin-1"), _BEGINNINGS, st.lists(_RAW_PARTS, max_size=14)
)
_VALID_PARTS = st.sampled_from([*"AQ9+/-_ ", "QUJD" * 5, r"\/", r"\n", r"\r\n", r"\u0041", r"\u0020"])


def plain(parts: list[str]) -> str:
    """Return the text of valid parts in the standard alphabet, without escapes and padding."""
    text = "".join(parts).replace(r"\/", "/").replace(r"\n", "").replace(r"\r", "").replace(r"\u0041", "A")
    return text.replace(r"\u0020", "").replace(" ", "").replace("-", "+").replace("_", "/")


@given(st.lists(_VALID_PARTS, max_size=30), _SIZES)
def test_text_in_any_spelling_decodes_as_the_standard_library_says(parts: list[str], sizes: list[int]) -> None:
    raw = "".join(parts).encode()
    text = plain(parts)
    if len(text) % 4 == 1:
        assert fault(raw) == ("NOT_BASE64", len(raw))
        return
    expected = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    assert decode(raw, sizes) == decode(raw) == expected


@given(st.binary(max_size=3000), st.sampled_from([4, 61, 64, 75, 76, 77]), st.sampled_from([rb"\n", rb"\r\n"]), _SIZES)
def test_wrapped_text_decodes_at_any_line_length(data: bytes, length: int, line_break: bytes, sizes: list[int]) -> None:
    text = base64.b64encode(data)
    raw = line_break.join(text[start : start + length] for start in range(0, len(text), length))
    assert decode(raw) == decode(raw, [size * 40 for size in sizes]) == data


def is_prefix_of_base64(raw: bytes) -> bool:
    return any(isinstance(decode_or_fault(raw + rest), bytes) for rest in (b"", b"A", b"AA", b"AAA", b"="))


@given(_RAWS, _SIZES)
def test_refusal_names_the_first_byte_that_rules_out_base64(raw: bytes, sizes: list[int]) -> None:
    found = decode_or_fault(raw)
    assert decode_or_fault(raw, sizes) == found
    if isinstance(found, tuple):
        offset = found[1]
        assert is_prefix_of_base64(raw[:offset])
        assert offset >= len(raw) - 5 or not is_prefix_of_base64(raw[: offset + 6])


@given(st.text(alphabet="AQz+/=\n ", max_size=12).filter(lambda text: text.isascii()))
def test_accepted_text_is_exactly_what_is_valid_after_padding(text: str) -> None:
    raw = text.encode()
    found = decode_or_fault(raw)
    bare = text.replace(" ", "")
    try:
        strict = base64.b64decode(bare.rstrip("=") + "=" * (-len(bare.rstrip("=")) % 4), validate=True)
    except binascii.Error:
        assert isinstance(found, tuple)
        return
    pads = len(bare) - len(bare.rstrip("="))
    if pads <= -len(bare.rstrip("=")) % 4:
        assert found == strict
    else:
        assert isinstance(found, tuple)


_NAMES = st.sampled_from(
    ["content", "attachments", "signed_document", "", "id", "content\\", 'con"tent', "é", "[", "{,:"]
)
_TEXTS = st.sampled_from(["", "x", '"', "\\", '\\"', "content", "]}", "a,b:c", "é\ud83d\0", "data:x", "9" * 40])
_CONTENTS = st.one_of(
    st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode()),
    st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")),
    st.binary(max_size=60).map(lambda data: base64.encodebytes(data).decode()),
    st.binary(max_size=60).map(lambda data: "data:image/png;base64," + base64.b64encode(data).decode()),
)
_BAD_CONTENTS = st.builds("QUJD".__mul__, st.sampled_from([0, 8])).flatmap(
    lambda begin: st.text(alphabet="Ab1+/-_= \n,:é*", max_size=12).map(begin.__add__)
)
_SCALARS = st.one_of(_TEXTS, _CONTENTS, st.sampled_from([None, True, False, 0, -1, 1.5, 1e300]))
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(_NAMES, inner), max_size=3).map(Pairs)
)


def _files(contents: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    other_names = _NAMES.filter(lambda name: name != "content")
    return st.lists(st.tuples(st.just("content"), contents) | st.tuples(other_names, _VALUES), max_size=4).map(Pairs)


def _roots(contents: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    file = _files(contents)
    member = st.one_of(
        st.tuples(st.just("attachments"), st.lists(file | _SCALARS, max_size=3)),
        st.tuples(st.just("signed_document"), file),
        st.tuples(_NAMES, _VALUES),
    )
    return st.lists(member, max_size=5).map(Pairs)


def written(value: Any, chance: random.Random) -> str:
    """Write a value as JSON with random white space and escapes."""
    space = chance.choice(["", "", "", " ", "\n\t\r "])
    if isinstance(value, Pairs):
        return (
            "{" + ",".join(f"{space}{written(k, chance)}{space}:{written(v, chance)}" for k, v in value) + space + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(written(item, chance) for item in value) + "]" + space
    if isinstance(value, str):
        return space + '"' + "".join(written_character(character, chance) for character in value) + '"' + space
    return space + json.dumps(value) + space


def written_character(character: str, chance: random.Random) -> str:
    if chance.random() < 0.1 and ord(character) < 0x10000:
        return rf"\u{ord(character):04x}"
    if character == "/" and chance.random() < 0.5:
        return r"\/"
    return json.dumps(character, ensure_ascii="\ud800" <= character <= "\udfff")[1:-1]


@st.composite
def _bodies(draw: st.DrawFn, contents: st.SearchStrategy[Any]) -> bytes:
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    mark = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    return mark + written(draw(_roots(contents)), chance).encode()


_CHUNKS = st.lists(st.integers(0, 40), max_size=30)


@given(_bodies(_CONTENTS | st.none() | st.just([])), _CHUNKS)
def test_bodies_of_any_shape_scan_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    assert_as_the_standard_library_says(body, sizes)


@given(_bodies(_CONTENTS | _BAD_CONTENTS), _CHUNKS)
def test_bodies_with_wrong_contents_are_refused_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    assert_as_the_standard_library_says(body, sizes)


_BYTES = st.sampled_from(list(b'"\\{}[],: \n/u0=A\xe9\xff\x00')) | st.integers(0, 255)
_KINDS = st.sampled_from(["flip", "insert", "delete", "cut"])
_CORRUPTIONS = st.lists(st.tuples(_KINDS, st.integers(0, 9999), _BYTES), min_size=1, max_size=3)


def corrupted(body: bytes, corruptions: list[tuple[str, int, int]]) -> bytes:
    for kind, place, byte in corruptions:
        at = place % (len(body) + 1)
        kept = {"flip": at + 1, "insert": at, "delete": at + 1, "cut": len(body)}[kind]
        body = body[:at] + (b"" if kind in {"delete", "cut"} else bytes([byte])) + body[kept:]
    return body


@given(_bodies(_CONTENTS), _CORRUPTIONS, _CHUNKS)
def test_corrupted_bodies_scan_as_the_standard_library_says(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int]
) -> None:
    assert_as_the_standard_library_says(corrupted(body, corruptions), sizes)


_TOKENS = [*'{}[],: \\"1é', '"content"', '"attachments":[', '"QUJD"', '"*"', '{"signed_document":{', r"\u0061"]


@given(st.lists(st.sampled_from(_TOKENS), max_size=24))
def test_random_json_tokens_scan_as_the_standard_library_says(tokens: list[str]) -> None:
    body = "".join(tokens).encode()
    assert_as_the_standard_library_says(body, [1] * len(body))


@given(_bodies(_CONTENTS | _BAD_CONTENTS), _CORRUPTIONS, _CHUNKS, st.integers(0, 80))
def test_outcome_under_a_small_limit_is_the_same_for_every_chunking(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int], limit: int
) -> None:
    body = corrupted(body, corruptions)
    whole = outcome(body, max_skeleton_bytes=limit)
    assert outcome(body, sizes, max_skeleton_bytes=limit) == whole
    assert outcome(body, [1] * len(body), max_skeleton_bytes=limit) == whole
