"""Cuts secrets out of a skeleton and puts them back. The caller has the key and encrypts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from json import JSONDecoder

from domain.anchors import canonical, leaf_hash, root_of
from domain.body.cuts import SEALED_VALUE, Cut, placeholder, spelling_json
from models.archive.content import ContentCut, SealedCut
from models.errors import Conflict
from models.said import Sentence

_VALUE = JSONDecoder(parse_int=str, parse_float=str, strict=False)


def sealed(
    skeleton: bytes,
    contents: Sequence[ContentCut],
    secrets: Sequence[tuple[int, int]],
    seal: Callable[[bytes], bytes],
    blind: Callable[[bytes], str] = lambda _: "",
) -> tuple[bytes, list[Cut]]:
    """Return the sealed skeleton, and all its cuts in the order of their places in the sealed skeleton. Pure.

    Args:
        secrets: where the secrets begin and end in the skeleton, in their order. No secret includes a content.
    """
    parts: list[bytes] = []
    cuts: list[Cut] = []
    position = 0  # in the skeleton
    shift = 0  # from `position` to the same place in the sealed skeleton
    places: list[tuple[int, int, ContentCut | None]] = [(cut.skeleton_offset, 0, cut) for cut in contents]
    places += [(begin, end, None) for begin, end in secrets]
    for begin, end, content in sorted(places, key=lambda place: place[0]):
        if content:
            cuts.append(replace(content, skeleton_offset=begin + shift))
        else:
            cuts.append(SealedCut(begin + shift, seal(skeleton[begin:end]), blind(skeleton[begin:end])))
            parts += [skeleton[position:begin], SEALED_VALUE]
            position = end
            shift += len(SEALED_VALUE) - (end - begin)
    return b"".join([*parts, skeleton[position:]]), cuts


def unsealed(skeleton: bytes, cuts: Sequence[Cut], opened: Callable[[bytes], bytes]) -> bytes:
    """Return the clear skeleton of a sealed skeleton. Pure."""
    parts: list[bytes] = []
    position = 0
    for cut in cuts:
        if isinstance(cut, SealedCut):
            parts += [skeleton[position : cut.skeleton_offset], opened(cut.ciphertext)]
            position = cut.skeleton_offset + len(SEALED_VALUE)
    return b"".join([*parts, skeleton[position:]])


def content_root(skeleton: bytes, cuts: Sequence[Cut]) -> str:
    """Return the Merkle root over the parts of a request (RFC 6962), in hex: the texts up to and with the placeholder
    of each cut, files with their spellings, and blinded digests of sealed values. Pure.
    """
    parts, position = list[list[object]](), 0
    for cut in cuts:
        begin, position = position, cut.skeleton_offset + len(placeholder(cut))
        parts.append(["text", sha256(skeleton[begin:position]).hexdigest()])
        if isinstance(cut, ContentCut):
            parts.append(["file", cut.content.sha256, spelling_json(cut.spelling)])
        else:
            parts.append(["sealed", cut.blinded])
    parts.append(["text", sha256(skeleton[position:]).hexdigest()])
    return root_of(leaf_hash(canonical(each)) for each in parts).hex()


def ranges_of(cuts: Sequence[Cut], size_of: Callable[[bytes], int]) -> list[tuple[int, int]]:
    """Return where the sealed values begin and end in the clear skeleton. Pure.

    Args:
        size_of: returns the length of the value that a ciphertext encrypts.
    """
    ranges, shift = [], 0
    for cut in cuts:
        if isinstance(cut, SealedCut):
            begin, size = cut.skeleton_offset + shift, size_of(cut.ciphertext)
            ranges.append((begin, begin + size))
            shift += size - len(SEALED_VALUE)
    return ranges


def ranges_between(skeleton: bytes, left: bytes) -> list[tuple[int, int]]:
    """Return where in a skeleton the values begin and end that are sealed in `left`, except nulls. Pure.

    Raises Conflict if `left` is not the skeleton with sealed values.
    """
    text = skeleton.decode("latin-1")  # one character a byte; JSON's own signs are ASCII
    ranges, position, place = list[tuple[int, int]](), 0, 0
    while True:
        same = _same(memoryview(skeleton)[position:], memoryview(left)[place:])
        position, place = position + same, place + same
        if (position, place) == (len(skeleton), len(left)):
            return ranges
        try:
            _, end = _VALUE.raw_decode(text, position)
        except ValueError:
            end = position
        if end == position or left[place : place + len(SEALED_VALUE)] != SEALED_VALUE:
            raise Conflict(Sentence.skeleton_damaged(), code="BODY_DAMAGED")
        ranges.append((position, end))
        position, place = end, place + len(SEALED_VALUE)


def _same(one: memoryview, other: memoryview) -> int:
    """Return the length of the common beginning of two byte strings."""
    differing = (size for size, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differing, min(len(one), len(other)))


def content_cuts(cuts: Sequence[Cut]) -> list[ContentCut]:
    return [cut for cut in cuts if isinstance(cut, ContentCut)]
