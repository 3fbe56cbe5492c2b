"""The bucket of inbox and store is down, hangs, is slow, breaks off uploads, or answers 500 and 503 SlowDown."""

import time
from collections.abc import Callable

import pytest

from tests.faults.installation import Installation
from tests.faults.way import Fault

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15


@pytest.mark.parametrize(
    "fault",
    [
        Fault.CUT,
        Fault.HUNG,
        Fault.SLOW,
        Fault.RESET_IN_MID_REQUEST,
        Fault.REPLY_DROPPED,
        Fault.STATUS_500,
        Fault.STATUS_503,
    ],
)
def test_archives_are_completed_once_when_the_bucket_fails(
    distributed_parts: Installation, survives: Callable[..., None], fault: Fault
) -> None:
    way = distributed_parts.ways["s3"]

    def _fault() -> None:
        time.sleep(2)  # some archives are acknowledged already, and their runs are on their way
        before = way.heal()
        way.spoil(fault)
        time.sleep(_LASTS_S)
        assert way.heal() > before, "nothing passed while the bucket was away"

    survives(distributed_parts, _fault)
