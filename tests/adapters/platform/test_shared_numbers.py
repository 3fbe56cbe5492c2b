"""Numbers in shared memory: written by one process, read by all, cleared by a parent."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from adapters.platform.shared_numbers import SharedNumbers

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
_WRITE = """
import sys
from adapters.platform.shared_numbers import SharedNumbers
shared = SharedNumbers(int(sys.argv[1]), 2, 3)
shared.put(1, 2, -5)
print(shared.total(2), shared.is_leader())"""


@given(st.lists(NUMBERS, min_size=12, max_size=12), NUMBERS)
def test_number_is_found_where_it_stands_in_its_part(numbers: list[int], sought: int) -> None:
    """Also where the bytes of two neighbours contain those of the sought number."""
    shared = SharedNumbers.made(3, 4)
    for index, number in enumerate(numbers):
        shared.put(index // 4, index % 4, number)
    for candidate in (sought, *numbers):
        for part in range(3):
            of_part = numbers[4 * part + 1 : 4 * part + 4]
            expected = 1 + of_part.index(candidate) if candidate in of_part else None
            assert shared.place_of(candidate, part, 1, 4) == expected


def test_clearing_a_part_leaves_the_others() -> None:
    shared = SharedNumbers.made(2, 2)
    for part in range(2):
        for place in range(2):
            shared.put(part, place, 1 + part)

    shared.clear(0)

    assert (shared.column(0), shared.column(1), shared.total(1)) == ([0, 2], [0, 2], 2)


def test_other_process_writes_its_part_and_gets_the_turn_when_it_is_free() -> None:
    shared = SharedNumbers.made(2, 3)
    shared.put(0, 2, 7)
    assert shared.is_leader()
    assert shared.is_leader()  # it keeps it

    assert said_by_another(shared) == "2 False"

    assert shared.column(2) == [7, -5]


def test_killed_process_loses_its_turn_to_another() -> None:
    shared = SharedNumbers.made(2, 3)
    command = [sys.executable, "-c", f"{_WRITE}; sys.stdout.flush(); sys.stdin.read()", str(shared.descriptor)]
    with subprocess.Popen(
        command, pass_fds=[shared.descriptor], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline().strip() == "-5 True"
        assert not shared.is_leader()
        holder.kill()

    assert shared.is_leader()


def said_by_another(shared: SharedNumbers) -> str:
    command = [sys.executable, "-c", _WRITE, str(shared.descriptor)]
    done = subprocess.run(command, pass_fds=[shared.descriptor], capture_output=True, text=True, check=True)
    return done.stdout.strip()
