"""`cellar doctor` remarks on sources that send nothing, and on disabled sources whose senders go on."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.tables.runs import receipts
from models.sources import StatedTerms
from models.views.health import Check, Verdict
from services import sources
from services.health.bounded import examined
from services.health.sources import source_probes
from tests.api.conftest import started
from tests.conftest import make_tables, wait_until
from tests.installations import installed
from tests.records import delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def check() -> Check:
    [found] = examined(source_probes(), 10)
    return found


@pytest.mark.usefixtures("installation")
def test_source_without_any_delivery_is_a_remark_until_something_comes() -> None:
    assert check().verdict is Verdict.OFF
    sources.add("retail", StatedTerms(), "a test", NOW)
    silent = check()

    receipts.register(replace(delivery("r"), source="retail"))

    assert (silent.verdict, silent.found) == (Verdict.WARNING, "nothing has come from retail")
    assert (check().verdict, check().found) == (Verdict.OK, "1 source has a URL of its own")
    sources.disable("retail", "a test", NOW)
    assert (check().verdict, check().found) == (Verdict.OK, "1 source has a URL of its own, 1 disabled")


def test_disabled_source_whose_sender_goes_on_is_a_remark(tmp_path: Path) -> None:
    with installed(tmp_path):
        make_tables()
        secret = sources.add("retail", StatedTerms(), "a test", NOW).secret
        sources.disable("retail", "a test", NOW)
        with started() as receiver:
            path, presented = "/webhooks/cellosign/retail", {"authorization": secret}
            wait_until(lambda: receiver.client.get("/readyz").json()["sources"] == "ok")
            assert receiver.client.post(path, content=b"{}", headers=presented).status_code == 401

            found = check()

    assert (found.verdict, found.found) == (Verdict.WARNING, "retail is disabled and was refused 1 times")
