"""Secrets cut out of a skeleton are restored byte for byte, among the files' contents."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.body.cuts import cuts_json, read_cuts, rebuilt
from domain.secrets.sealing import content_cuts, ranges_between, ranges_of, sealed, unsealed
from models.archive.content import ContentCut, SealedCut, Spelling, StoredContent
from models.errors import Conflict

parts = st.lists(st.tuples(st.sampled_from(["text", "secret", "content"]), st.binary(min_size=1, max_size=9)))


def seal(clear: bytes) -> bytes:
    return b"sealed " + clear


def opened(ciphertext: bytes) -> bytes:
    return ciphertext.removeprefix(b"sealed ")


@given(parts)
def test_request_is_rebuilt_from_skeleton_cuts_and_files(parts: list[tuple[str, bytes]]) -> None:
    skeleton = b""
    secrets: list[tuple[int, int]] = []
    contents: list[ContentCut] = []
    files: dict[str, bytes] = {}
    for kind, data in parts:
        if kind == "secret":
            secrets.append((len(skeleton), len(skeleton) + len(data)))
        elif kind == "content":
            files[str(len(files))] = data
            stored = StoredContent(len(contents), str(len(contents)), len(data))
            contents.append(ContentCut(stored, len(skeleton), Spelling()))
        skeleton += b"%d" % (len(contents) - 1) if kind == "content" else data

    left, cuts = sealed(skeleton, contents, secrets, seal)

    assert len(left) == len(skeleton) + sum(len(b"null") - (end - begin) for begin, end in secrets)
    written = read_cuts(cuts_json(cuts))
    assert written == cuts
    assert [cut.skeleton_offset for cut in cuts] == sorted(cut.skeleton_offset for cut in cuts)
    assert [cut.content for cut in content_cuts(written)] == [cut.content for cut in contents]
    assert unsealed(left, written, opened) == skeleton
    assert b"".join(rebuilt(left, written, lambda sha256: [files[sha256]], opened)) == b"".join(
        rebuilt(skeleton, contents, lambda sha256: [files[sha256]], opened)
    )


def test_sealed_skeleton_is_json_without_the_secret() -> None:
    left, cuts = sealed(b'{"cguid": "69796709"}', [], [(10, 20)], seal)

    assert json.loads(left) == {"cguid": None}
    assert cuts == [SealedCut(10, b'sealed "69796709"', "")]


def test_cut_with_the_default_spelling_is_read() -> None:
    written = {"kind": "content", "offset": 7, "length": 1, "sha256": "ab", "size_bytes": 2, "spelling": {}}

    cuts = read_cuts(json.dumps({"format": 1, "cuts": [written]}).encode())

    assert cuts == [ContentCut(StoredContent(0, "ab", 2), 7, Spelling())]


@pytest.mark.parametrize("ciphertext", ["*", "YQ", 7])
def test_damaged_ciphertext_raises_conflict(ciphertext: object) -> None:
    written = {"kind": "sealed", "offset": 7, "length": 4, "ciphertext": ciphertext}

    with pytest.raises(Conflict, match="damaged"):
        read_cuts(json.dumps({"format": 1, "cuts": [written]}).encode())


VALUES = ["1", '"a\\"b"', '[1, {"null": null}]', '"\u05d0"', "{}", "-1.5e3", "true", '"null"']


@given(st.lists(st.tuples(st.sampled_from([*VALUES, "null"]), st.booleans()), min_size=1))
def test_sealed_ranges_follow_from_cuts_and_from_the_sealed_skeleton(values: list[tuple[str, bool]]) -> None:
    skeleton, secrets = b"", []
    for value, is_secret in values:
        begin = len(skeleton) + 1
        skeleton += b"," + value.encode()
        if is_secret and value != "null":
            secrets.append((begin, len(skeleton)))

    left, cuts = sealed(skeleton, [], secrets, seal)

    assert ranges_of(cuts, lambda ciphertext: len(opened(ciphertext))) == secrets
    assert ranges_between(skeleton, left) == secrets


@pytest.mark.parametrize("left", [b'{"a": nul', b'{"a": null', b'{"b": null}', b'{"a": null}}', b""])
def test_damaged_skeleton_raises_conflict(left: bytes) -> None:
    with pytest.raises(Conflict):
        ranges_between(b'{"a": 1}', left)
