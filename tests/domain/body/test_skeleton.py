"""The skeleton: its size limit, its cuts, and the offsets of its faults in the body."""

import time

import pytest

from domain.body.skeleton import MAX_SKELETON_BYTES, MAX_VALUES, Cut, Skeleton
from models.errors import Refused


def test_kept_bytes_and_cut_indices_form_the_skeleton() -> None:
    skeleton = Skeleton(100)
    skeleton.keep(b'{"a":"', 0)
    skeleton.cut("a", 6, 14, 5)
    skeleton.keep(b'"}', 14)
    assert bytes(skeleton) == b'{"a":"0"}'
    assert skeleton.cuts == [Cut(0, "a", 6, 8, 5, 6)]
    assert skeleton.parse() == {"a": "0"}
    assert (len(skeleton), skeleton.since(7)) == (9, b'"}')


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


def test_marks_within_texts_do_not_count_as_values() -> None:
    text = b",[{" * (5 << 20)
    assert skeleton_of(b'["%b"]' % text).parse() == [text.decode()]


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
