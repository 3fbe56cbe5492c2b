"""Predicts the scanner's answer for a body with `json` and `base64` of the standard library."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.body.scan import MAX_DEPTH, MAX_SKELETON_BYTES, Scan, Scanner
from models.errors import Refused

# --- the scanner's answer --------------------------------------------------------------------------------------------


@dataclass
class Contents:
    """A sink that keeps everything."""

    contents: list[bytes] = field(default_factory=list)
    ended: int = 0

    def begin(self, index: int) -> None:
        assert index == len(self.contents) == self.ended
        self.contents.append(b"")

    def text(self, piece: memoryview) -> None:
        """Ignore the spelling."""

    def write(self, data: bytes) -> None:
        assert data
        self.contents[-1] += data

    def end(self, *, is_plain: bool) -> None:
        self.ended += 1


@dataclass(frozen=True)
class Accepted:
    """A completed scan and its contents."""

    scan: Scan
    contents: list[bytes]


@dataclass(frozen=True)
class Rejected:
    """A refusal in comparable form."""

    code: str
    detail: str
    where: str
    status: int


def scan(
    body: bytes,
    sizes: Iterable[int] = (),
    *,
    max_skeleton_bytes: int = MAX_SKELETON_BYTES,
    scanner_class: type[Scanner] = Scanner,
) -> Accepted:
    """Scan a body in chunks of the given sizes, then its rest at once."""
    sink = Contents()
    scanner = scanner_class(sink, max_skeleton_bytes=max_skeleton_bytes)
    start = 0
    for size in sizes:
        scanner.feed(body[start : start + size])
        start += size
    scanner.feed(body[start:])
    result = scanner.close()
    assert sink.ended == len(sink.contents) == len(result.cuts)
    return Accepted(result, sink.contents)


def outcome(
    body: bytes,
    sizes: Iterable[int] = (),
    *,
    max_skeleton_bytes: int = MAX_SKELETON_BYTES,
    scanner_class: type[Scanner] = Scanner,
) -> Accepted | Rejected:
    try:
        return scan(body, sizes, max_skeleton_bytes=max_skeleton_bytes, scanner_class=scanner_class)
    except Refused as refused:
        return Rejected(refused.code, refused.detail, refused.where, refused.status)


# --- the oracle's answer ---------------------------------------------------------------------------------------------


class Wrong(Exception):
    """The body is invalid; `codes` are the acceptable codes of the refusal."""

    def __init__(self, *codes: str, where: str | None = None, offset: int | None = None) -> None:
        self.codes = codes
        self.where = where
        """Place that the refusal must name, if the oracle knows it."""
        self.offset = offset
        """Offset in the body of a NOT_JSON outside of contents, if the oracle knows it."""


class Unsure(Exception):
    """The oracle cannot decide: the spelling of a long data URI decides."""


class Pairs(list[tuple[str, Any]]):
    """An object that keeps its duplicate keys."""


_SURE_DATA_URI_CHARACTERS = 150
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_JSON = ("NOT_JSON", "NOT_UTF8", "TRUNCATED", "EMPTY_BODY", "TOO_DEEP", "NOT_BASE64")
"""A wrong body may also hold wrong contents or deep nesting, which the scanner may find first."""


def expected_content(text: str) -> bytes:
    """Decode a content with the standard library, or raise Wrong."""
    if text.lower().startswith("data:"):
        head, comma, text = text.partition(",")
        if len(head) > _SURE_DATA_URI_CHARACTERS:
            raise Unsure
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
    text = ""
    try:
        text = body.removeprefix(_BYTE_ORDER_MARK).decode()
        decoder = json.JSONDecoder(
            object_pairs_hook=Pairs, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse_constant
        )
        tree = decoder.decode(text)
        depth = depth_of(tree)
    except json.JSONDecodeError as error:
        # Since 3.13 `json` looks past a trailing comma, and then reports the fault at the comma.
        is_placed = not error.msg.startswith("Illegal trailing comma")
        begin = len(_BYTE_ORDER_MARK) if body.startswith(_BYTE_ORDER_MARK) else 0
        offset = begin + len(text[: error.pos].encode()) if is_placed else None
        raise Wrong(*_NOT_JSON, offset=offset) from None
    except (ValueError, InvalidOperation, RecursionError):
        raise Wrong(*_NOT_JSON) from None
    if depth > MAX_DEPTH:
        raise Wrong("TOO_DEEP", "NOT_BASE64")
    if not isinstance(tree, Pairs):
        raise Wrong("NOT_AN_OBJECT", where="")
    return tree


def with_indices(tree: Pairs) -> tuple[Pairs, list[tuple[str, bytes]]]:
    """Return the root object with indices in place of contents, and the place and bytes of each content."""
    found: list[tuple[str, bytes]] = []

    def file(pairs: Any, where: str) -> Any:
        if not isinstance(pairs, Pairs):
            return pairs
        return Pairs((key, content(value, where) if key == "content" else value) for key, value in pairs)

    def content(value: Any, where: str) -> Any:
        if not isinstance(value, str):
            return value
        where = f"{where}.content"
        try:
            found.append((where, expected_content(value)))
        except Wrong as wrong:
            raise Wrong(*wrong.codes, where=where) from None
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
    """Return the tree and the contents of a body, or the fault in it.

    Raises:
        Unsure: the standard library cannot decide.
    """
    try:
        return with_indices(expected_tree(body))
    except Wrong as wrong:
        return wrong


# --- comparison ------------------------------------------------------------------------------------------------------


def assert_as_the_standard_library_says(body: bytes, sizes: list[int]) -> None:
    found = outcome(body, sizes)
    assert found == outcome(body)
    assert_expected(found, body)


def assert_expected(found: Accepted | Rejected, body: bytes) -> None:
    """Compare the scanner's answer with the oracle's."""
    wanted = expected(body)
    if isinstance(wanted, Wrong):
        assert isinstance(found, Rejected)
        assert_refused_as(found, wanted)
        return
    assert isinstance(found, Accepted), found
    tree, contents = wanted
    assert found.scan.document == as_dict(tree)
    assert list(zip([cut.where for cut in found.scan.cuts], found.contents, strict=True)) == contents
    assert_skeleton_and_cuts_make_the_body(found.scan, body)


def assert_refused_as(found: Rejected, wanted: Wrong) -> None:
    assert found.code in wanted.codes
    assert wanted.where is None or found.where == wanted.where
    if found.code == "NOT_JSON" and not found.where and wanted.offset is not None:
        assert found.detail.startswith(f"at byte {wanted.offset} of the body")


def assert_skeleton_and_cuts_make_the_body(result: Scan, body: bytes) -> None:
    rebuilt, end = b"", 0
    for index, cut in enumerate(result.cuts):
        rebuilt += result.skeleton[end : cut.skeleton_offset]
        assert (cut.index, cut.body_offset) == (index, len(rebuilt))
        rebuilt += body[cut.body_offset : cut.body_offset + cut.raw_size_bytes]
        end = cut.skeleton_offset + len(str(index))
    assert rebuilt + result.skeleton[end:] == body
