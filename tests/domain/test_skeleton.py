"""The skeleton: its size limit, its cuts, and where in the body its faults are."""

import pytest

from domain.skeleton import Cut, Skeleton
from models.errors import Refused


def test_what_is_kept_and_cut_makes_the_skeleton() -> None:
    skeleton = Skeleton(100)
    skeleton.keep(b'{"a":"', 0)
    skeleton.cut("a", 6, 14, 5)
    skeleton.keep(b'"}', 14)
    assert bytes(skeleton) == b'{"a":"0"}'
    assert skeleton.cuts == [Cut(0, "a", 6, 8, 5, 6)]
    assert skeleton.parse() == {"a": "0"}
    assert (len(skeleton), skeleton.since(7)) == (9, b'"}')


def test_one_byte_more_than_the_limit_is_refused_at_its_place_in_the_body() -> None:
    skeleton = Skeleton(5)
    skeleton.keep(b"12345", 0)
    with pytest.raises(Refused, match="SKELETON_TOO_LARGE: at byte 900 of the body"):
        skeleton.cut("a", 800, 900, 1)
    skeleton = Skeleton(5)
    skeleton.keep(b"123", 0)
    with pytest.raises(Refused, match="SKELETON_TOO_LARGE: at byte 702 of the body"):
        skeleton.keep(b"4567", 700)


@pytest.mark.parametrize(("end", "offset"), [(None, 14), (8, 14), (1, 1)])
def test_a_fault_is_placed_in_the_body(end: int | None, offset: int) -> None:
    skeleton = Skeleton(100)
    skeleton.keep(b'["', 0)
    skeleton.cut("a", 2, 9, 5)
    skeleton.keep(b'",1  x"]', 9)
    with pytest.raises(Refused, match=f"at byte {offset} of the body"):
        skeleton.parse(end)
