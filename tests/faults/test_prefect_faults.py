"""Prefect is down, hangs, is slow, or does what it is asked and its replies are lost."""

import time
from collections.abc import Callable

import pytest

from tests.faults.installation import Installation
from tests.faults.way import Fault

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.HUNG, Fault.SLOW, Fault.REPLY_DROPPED])
def test_archives_are_acknowledged_and_completed_once_when_prefect_fails(
    parts: Installation, survives: Callable[..., None], fault: Fault
) -> None:
    way = parts.ways["prefect"]

    def _fault() -> None:
        before = way.heal()
        way.spoil(fault)
        time.sleep(_LASTS_S)
        assert way.heal() > before, "nothing passed while Prefect was away"

    survives(parts, _fault)
