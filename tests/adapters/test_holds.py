"""Holds that have grown old are told of until they are charged or released."""

import pytest

from adapters import catalogue, discrepancies
from models.discrepancy import HOLD_CODES
from tests.adapters.settlements import imported, line, report
from tests.installations import archived
from tests.samples import sample_body, sample_document


@pytest.mark.usefixtures("sqlite_installation")
def test_hold_that_a_report_settles_is_old_no_more() -> None:
    hold = sample_document()["payments"][0] | {"type": "hold"}
    archived("process-1", sample_body("process-1", payments=[hold]))
    assert [each.code for each in discrepancies.standing("process-1", HOLD_CODES).values()] == ["AGING_HOLD"]
    archive = catalogue.archive("process-1")
    assert archive
    paid_on = archive.payments[0].paid_on

    imported(report(line(hold["provider_transaction_result"]["cguid"], paid=paid_on, settled=paid_on)))

    assert discrepancies.standing("process-1", HOLD_CODES) == {}
