"""The checks of anchors, as `cellar status` shows them."""

from datetime import UTC, datetime

import pytest

from adapters.settings.settings import settings
from models.views.health import Verdict
from services.anchors.making import make
from services.health.anchoring import anchor_probes
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def verdict() -> Verdict:
    [probe] = [each for each in anchor_probes() if each.name == "anchor key"]
    return probe.try_out().verdict


def test_key_that_is_gone_after_the_first_anchor_is_a_warning() -> None:
    assert verdict() is Verdict.OFF  # the first anchor generates it
    archived("process-1", sample_body("process-1"))
    make(datetime.now(UTC))
    assert verdict() is Verdict.OK

    settings().secret_path("anchor").unlink()

    assert verdict() is Verdict.WARNING
