"""Every list for people can be cut by source."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.peers.prefect_api import tags_of
from adapters.settings.settings import Settings
from adapters.tables.archives import archives
from adapters.tables.runs import receipts, refused
from models.access import CELLAR
from models.archive.archive import State
from models.errors import Refused
from models.runs.batch import BatchKind
from models.runs.receipt import Cause, Identity, RefusedDelivery
from models.said import verbatim
from models.sources import StatedTerms
from models.views.archives.archives import ArchiveFilter, ArchiveQuery
from models.views.archives.payments import DiscrepancyQuery
from models.views.batch import RedeliveryFilter
from models.views.messages import MessageQuery
from models.views.troubles import MissingQuery, RefusedQuery
from services import sources
from services.batches import batches
from services.views import (
    archive_list,
    archive_view,
    message_list,
    troubles,
)
from tests.domain.payloads import read
from tests.installations import archive_of
from tests.records import NOON, delivery, document, loaded

CAUSE = Cause("CONFLICT", "load-metadata", "Conflict", verbatim("two records"))


@pytest.fixture(autouse=True)
def archives_of_two_sources(installation: Settings) -> None:
    """Archive `here` of the source default and `there` of the source retail, which have failed since."""
    assert installation
    for reference, source in (("here", "default"), ("there", "retail")):
        arrived = replace(delivery(reference, reference), source=source)
        receipts.register_all([arrived])
        payload = document(reference)
        payload["payments"][0]["amount"] = 1
        loaded(read(payload), arrived.receipt_id)
        receipts.set_failed(arrived.receipt_id, CAUSE, NOON)
        refused.record(
            [RefusedDelivery(f"refused-{source}", "0" * 64, NOON, 2, "NOT_JSON", "", "no JSON", source=source)]
        )


@pytest.mark.parametrize(("source", "expected"), [("default", ["here"]), ("retail", ["there"])])
def test_archives_of_a_source(source: str, expected: list[str]) -> None:
    assert [each.reference for each in archive_list.page(ArchiveQuery(source=source), CELLAR).items] == expected


def test_archive_shows_its_source_and_that_of_each_delivery() -> None:
    found = archive_view.archive("there", CELLAR)

    assert found
    assert (found.source, [each.source for each in found.deliveries]) == ("retail", ["retail"])
    assert [each.source for each in archive_list.page(ArchiveQuery(reference="there"), CELLAR).items] == ["retail"]


def test_failures_of_a_source() -> None:
    assert [each.archives for each in troubles.failures().items] == [2]
    assert [each.archives for each in troubles.failures("retail").items] == [1]


def test_source_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    sources.add("leasing", StatedTerms(), "a test", NOON)
    filters: list[Callable[[str], object]] = [
        lambda source: archive_list.page(ArchiveQuery(source=source), CELLAR),
        troubles.failures,
        lambda source: troubles.refused_page(RefusedQuery(source=source)),
        lambda source: troubles.discrepancy_page(DiscrepancyQuery(source=source)),
        lambda source: troubles.missing_page(MissingQuery(source=source)),
        lambda source: message_list.page(MessageQuery(source=source)),
        lambda source: batches.plan(BatchKind.RERUN, ArchiveFilter(source=source), "a test"),
        lambda source: batches.plan(BatchKind.REDELIVER, RedeliveryFilter(source=source), "a test"),
    ]
    for each in filters:
        for known in ("default", "retail", "leasing"):  # nothing came from leasing, and the record of retail is lost
            each(known)
        with pytest.raises(
            Refused, match="BAD_PARAMETER at source: no source has this name; known are default, leasing"
        ):
            each("nosuch")


def test_refused_deliveries_of_a_source() -> None:
    assert [each.source for each in troubles.refused_page(RefusedQuery(source="retail")).items] == ["retail"]
    assert len(troubles.refused_page(RefusedQuery()).items) == 2


def test_discrepancies_of_a_source() -> None:
    everywhere = troubles.discrepancy_page(DiscrepancyQuery()).items
    of_retail = troubles.discrepancy_page(DiscrepancyQuery(source="retail")).items

    assert {each.reference for each in everywhere} == {"here", "there"}
    assert {each.reference for each in of_retail} == {"there"}


def test_bulk_re_run_of_a_source() -> None:
    plan = batches.plan(BatchKind.RERUN, ArchiveFilter(state=State.FAILED, source="retail"), "a test")

    assert (plan.planned, plan.filter["source"]) == (1, "retail")


def test_runs_of_a_source_are_tagged_with_it_except_those_of_the_default() -> None:
    assert "source:retail" in tags_of(archives.identity("there"))
    assert not [each for each in tags_of(archives.identity("here")) if each.startswith("source:")]
    assert tags_of(Identity("r")) == ["reference:r"]


def test_earlier_delivery_that_is_registered_later_decides_on_the_source() -> None:
    receipts.register_all([replace(delivery("late", "late", minute=5), source="retail")])
    receipts.register_all([delivery("late", "late", minute=1)])

    assert archives.identity("late").source == "default"
    assert receipts.get(delivery("late", "late").receipt_id).source == "default"
    assert [each.code for each in archive_of("late").warnings] == ["SOURCES_DIFFER"]
