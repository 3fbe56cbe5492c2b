"""Every discrepancy code has at least three cases in these tables, one of them a near miss."""

from collections import Counter
from collections.abc import Iterator

import pytest

from models.payments import DiscrepancyCode
from tests.domain.payments import test_duplicates, test_holds, test_reconciliation
from tests.domain.settlements import test_matching


def cases() -> Iterator[tuple[str, bool]]:
    """Yield the code of each case, and whether the case fires it."""
    yield from ((case.about, case.about in case.found) for case in test_reconciliation.CASES)
    yield from ((DiscrepancyCode.PAYMENT_VANISHED, bool(gone)) for *_, gone in test_reconciliation.VERSIONS)
    yield from ((code, True) for code, *_ in test_duplicates.FIRES)
    yield from ((code, False) for code, *_ in test_duplicates.NEAR_MISSES)
    yield from ((DiscrepancyCode.AGING_HOLD, fires) for *_, fires in test_holds.HOLDS)
    yield from ((case.code, case.fires) for case in test_matching.CASES)


COUNTED = Counter(cases())


@pytest.mark.parametrize("code", DiscrepancyCode)
def test_code_has_three_cases_including_a_near_miss(code: DiscrepancyCode) -> None:
    fires, near_misses = COUNTED[code, True], COUNTED[code, False]

    assert (fires >= 2, near_misses >= 1, fires + near_misses >= 3) == (True, True, True)


def test_cases_are_about_known_codes_only() -> None:
    assert {code for code, _ in COUNTED} == set(DiscrepancyCode)
