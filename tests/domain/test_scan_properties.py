"""The scanner against `json` and `base64` of the standard library, over random bodies, chunkings and corruptions."""

import base64
import json
import random
import re
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.scan import Scan
from tests.domain.test_scan import Accepted, Rejected, outcome


class Wrong(Exception):
    """The oracle refuses, with the codes that fit."""

    def __init__(self, *codes: str) -> None:
        self.codes = codes


class Pairs(list[tuple[str, Any]]):
    """An object with its duplicate keys."""


def expected_content(text: str) -> bytes:
    """Decode a content by the standard library, or raise Wrong."""
    if text.lower().startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64") or '"' in head:
            raise Wrong("NOT_BASE64")
    text = text.translate({ord("-"): "+", ord("_"): "/"} | dict.fromkeys(map(ord, " \t\n\r")))
    data = text.rstrip("=")
    pads = len(text) - len(data)
    if not re.fullmatch("[A-Za-z0-9+/]*", data) or len(data) % 4 == 1 or pads > -len(data) % 4:
        raise Wrong("NOT_BASE64")
    return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)


def depth_of(value: Any) -> int:
    if isinstance(value, Pairs):
        return 1 + max((depth_of(item) for _, item in value), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def refuse_constant(_: str) -> None:
    raise ValueError


def expected_tree(body: bytes) -> Pairs:
    try:
        text = body.removeprefix(b"\xef\xbb\xbf").decode()
        decoder = json.JSONDecoder(
            object_pairs_hook=Pairs, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse_constant
        )
        tree = decoder.decode(text)
    except ValueError:
        # A wrong body may hold wrong contents or deep nesting besides, and that is then found first.
        raise Wrong("NOT_JSON", "NOT_UTF8", "TRUNCATED", "EMPTY_BODY", "TOO_DEEP", "NOT_BASE64") from None
    if depth_of(tree) > 64:
        raise Wrong("TOO_DEEP", "NOT_BASE64")
    if not isinstance(tree, Pairs):
        raise Wrong("NOT_AN_OBJECT")
    return tree


def with_indices(tree: Pairs) -> tuple[Pairs, list[tuple[str, bytes]]]:
    """Return the root object with its contents replaced by their indices, and place and bytes of each."""
    found: list[tuple[str, bytes]] = []

    def file(pairs: Any, where: str) -> Any:
        if not isinstance(pairs, Pairs):
            return pairs
        return Pairs((key, content(value, where) if key == "content" else value) for key, value in pairs)

    def content(value: Any, where: str) -> Any:
        if not isinstance(value, str):
            return value
        found.append((f"{where}.content", expected_content(value)))
        return str(len(found) - 1)

    def member(key: str, value: Any) -> Any:
        if key == "attachments" and isinstance(value, list) and not isinstance(value, Pairs):
            return [file(item, f"attachments[{index}]") for index, item in enumerate(value)]
        return file(value, "signed_document") if key == "signed_document" else value

    return Pairs((key, member(key, value)) for key, value in tree), found


def as_dict(value: Any) -> Any:
    if isinstance(value, Pairs):
        return {key: as_dict(item) for key, item in value}
    return [as_dict(item) for item in value] if isinstance(value, list) else value


def expected(body: bytes) -> tuple[Pairs, list[tuple[str, bytes]]] | Wrong:
    try:
        return with_indices(expected_tree(body))
    except Wrong as wrong:
        return wrong


def assert_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    found = outcome(body, sizes)
    assert found == outcome(body)
    wanted = expected(body)
    if isinstance(wanted, Wrong):
        assert isinstance(found, Rejected)
        assert found.code in wanted.codes
        return
    assert isinstance(found, Accepted), found
    tree, contents = wanted
    assert found.scan.document == as_dict(tree)
    assert list(zip([cut.where for cut in found.scan.cuts], found.contents, strict=True)) == contents
    assert_skeleton_and_cuts_make_the_body(found.scan, body)


def assert_skeleton_and_cuts_make_the_body(result: Scan, body: bytes) -> None:
    rebuilt, end = b"", 0
    for index, cut in enumerate(result.cuts):
        rebuilt += result.skeleton[end : cut.skeleton_offset]
        assert (cut.index, cut.body_offset) == (index, len(rebuilt))
        rebuilt += body[cut.body_offset : cut.body_offset + cut.raw_size_bytes]
        end = cut.skeleton_offset + len(str(index))
    assert rebuilt + result.skeleton[end:] == body


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
    """Write a value as JSON with white space and escapes at random."""
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
_quickly = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@_quickly
@given(_bodies(_CONTENTS | st.none() | st.just([])), _SIZES)
def test_bodies_of_any_shape_scan_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    assert_as_the_standard_library_says(body, sizes)


@_quickly
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


@_quickly
@given(_bodies(_CONTENTS), _CORRUPTIONS, _SIZES)
def test_corrupted_bodies_are_refused_or_mean_what_the_standard_library_says(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int]
) -> None:
    assert_as_the_standard_library_says(corrupted(body, corruptions), sizes)


_TOKENS = [*'{}[],: \\"1é', '"content"', '"attachments":[', '"QUJD"', '"*"', '{"signed_document":{', r"\u0061"]


@_quickly
@given(st.lists(st.sampled_from(_TOKENS), max_size=24))
def test_heaps_of_json_tokens_scan_as_the_standard_library_says(tokens: list[str]) -> None:
    body = "".join(tokens).encode()
    assert_as_the_standard_library_says(body, [1] * len(body))


@_quickly
@given(_bodies(_CONTENTS | _BAD_CONTENTS), _CORRUPTIONS, _SIZES, st.integers(0, 80))
def test_same_refusal_for_every_chunking_under_a_small_limit(
    body: bytes, corruptions: list[tuple[str, int, int]], sizes: list[int], limit: int
) -> None:
    body = corrupted(body, corruptions)
    whole = outcome(body, max_skeleton_bytes=limit)
    assert outcome(body, sizes, max_skeleton_bytes=limit) == whole
    assert outcome(body, [1] * len(body), max_skeleton_bytes=limit) == whole
