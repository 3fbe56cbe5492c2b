"""Secrets are cut out of a skeleton and put back into it; how they are encrypted is up to whoever has the key."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.cuts import SEALED_VALUE, Cut
from models.content import ContentCut, SealedCut


def sealed(
    skeleton: bytes, contents: Sequence[ContentCut], secrets: Sequence[tuple[int, int]], seal: Callable[[bytes], bytes]
) -> tuple[bytes, list[Cut]]:
    """Return what is left of a skeleton without its secrets, and all its cuts, by their places in what is left. Pure.

    Args:
        secrets: where in the skeleton they begin and end, in their order. No content is in one.
    """
    parts: list[bytes] = []
    cuts: list[Cut] = []
    position = 0  # in the skeleton
    shift = 0  # from there to the same place in what is left
    for begin, end, content in _places(contents, secrets):
        if content:
            cuts.append(replace(content, skeleton_offset=begin + shift))
        else:
            cuts.append(SealedCut(begin + shift, seal(skeleton[begin:end])))
            parts += [skeleton[position:begin], SEALED_VALUE]
            position = end
            shift += len(SEALED_VALUE) - (end - begin)
    return b"".join([*parts, skeleton[position:]]), cuts


def unsealed(skeleton: bytes, cuts: Sequence[Cut], opened: Callable[[bytes], bytes]) -> bytes:
    """Return the skeleton that `sealed` has sealed. Pure."""
    parts: list[bytes] = []
    position = 0
    for cut in cuts:
        if isinstance(cut, SealedCut):
            parts += [skeleton[position : cut.skeleton_offset], opened(cut.ciphertext)]
            position = cut.skeleton_offset + len(SEALED_VALUE)
    return b"".join([*parts, skeleton[position:]])


def content_cuts(cuts: Sequence[Cut]) -> list[ContentCut]:
    return [cut for cut in cuts if isinstance(cut, ContentCut)]


def _places(
    contents: Sequence[ContentCut], secrets: Sequence[tuple[int, int]]
) -> list[tuple[int, int, ContentCut | None]]:
    places: list[tuple[int, int, ContentCut | None]] = [(cut.skeleton_offset, 0, cut) for cut in contents]
    places += [(begin, end, None) for begin, end in secrets]
    return sorted(places, key=lambda place: place[0])
