"""Compares the scanner with `json` and `base64` of the standard library on random bodies, chunkings and corruptions."""

import base64
import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.body.scan_oracle import Pairs, assert_as_the_standard_library_says, outcome

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


_SIZES = st.lists(st.integers(0, 40), max_size=30)


@given(_bodies(_CONTENTS | st.none() | st.just([])), _SIZES)
def test_bodies_of_any_shape_scan_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    assert_as_the_standard_library_says(body, sizes)


@given(_bodies(_CONTENTS | _BAD_CONTENTS), _SIZES)
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


@given(_bodies(_CONTENTS), _CORRUPTIONS, _SIZES)
def test_corrupted_bodies_scan_as_the_standard_library_says(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int]
) -> None:
    assert_as_the_standard_library_says(corrupted(body, corruptions), sizes)


_TOKENS = [*'{}[],: \\"1é', '"content"', '"attachments":[', '"QUJD"', '"*"', '{"signed_document":{', r"\u0061"]


@given(st.lists(st.sampled_from(_TOKENS), max_size=24))
def test_random_json_tokens_scan_as_the_standard_library_says(tokens: list[str]) -> None:
    body = "".join(tokens).encode()
    assert_as_the_standard_library_says(body, [1] * len(body))


@given(_bodies(_CONTENTS | _BAD_CONTENTS), _CORRUPTIONS, _SIZES, st.integers(0, 80))
def test_outcome_under_a_small_limit_is_the_same_for_every_chunking(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int], limit: int
) -> None:
    body = corrupted(body, corruptions)
    whole = outcome(body, max_skeleton_bytes=limit)
    assert outcome(body, sizes, max_skeleton_bytes=limit) == whole
    assert outcome(body, [1] * len(body), max_skeleton_bytes=limit) == whole
