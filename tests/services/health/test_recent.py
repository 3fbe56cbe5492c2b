"""An old value is served while it is measured anew; a value that does not come in time is None."""

import threading
from collections.abc import Iterator

from models.errors import Transient
from services.health.recent import Recent
from tests.conftest import wait_until

LONG_S = 30.0


def test_first_value_is_waited_for_and_a_fresh_one_is_not_measured_again() -> None:
    numbers = iter(range(5))
    recent = Recent(lambda: next(numbers), fresh_s=LONG_S, old_s=LONG_S)

    assert [recent.value(LONG_S) for _ in range(3)] == [0, 0, 0]


def test_old_value_is_served_while_it_is_measured_anew() -> None:
    may_end = threading.Event()
    numbers = iter(range(5))

    def _measure() -> int:
        number = next(numbers)
        if number:
            may_end.wait(LONG_S)
        return number

    recent = Recent(_measure, fresh_s=0, old_s=LONG_S)
    assert recent.value(LONG_S) == 0
    assert [recent.value(LONG_S) for _ in range(3)] == [0, 0, 0]
    may_end.set()
    wait_until(lambda: (recent.value(0) or 0) > 0, timeout_s=LONG_S)


def test_measurement_that_hangs_occupies_one_thread_and_gives_none() -> None:
    may_end, begun = threading.Event(), []

    def _measure() -> int:
        begun.append(1)
        may_end.wait(LONG_S)
        return 7

    recent = Recent(_measure, fresh_s=LONG_S, old_s=LONG_S)
    assert [recent.value(0.01) for _ in range(3)] == [None, None, None]
    assert begun == [1]
    may_end.set()
    wait_until(lambda: recent.value(0) == 7, timeout_s=LONG_S)


def test_failed_measurement_is_repeated_at_the_next_question() -> None:
    def _answers() -> Iterator[int]:
        yield 7

    answers, is_away = _answers(), [True]

    def _measure() -> int:
        if is_away.pop() if is_away else False:
            raise Transient("the database does not answer")
        return next(answers)

    recent = Recent(_measure, fresh_s=LONG_S, old_s=LONG_S)
    assert recent.value(LONG_S) is None
    assert recent.value(LONG_S) == 7
