"""Discrepancies of a damaged settlement report stay open until it is imported again or removed."""

from datetime import UTC, datetime

import pytest

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store.settlement_reports import report_key
from models.discrepancies import DiscrepancyRow
from models.settlements.settlement import SettlementReportRow
from models.store.fixity import Fault
from models.views.archives.payments import Explanation
from services.custody.objects import stored_objects
from services.custody.rebuilding import Rebuilt, rebuild
from services.custody.verifying_records import verify_beside
from services.payments.discrepancies import explain
from services.payments.recorded import not_closed_by_id
from services.settlements.importing import reconcile_all_archives
from tests.conftest import Configure, make_tables
from tests.installations import archive_of, archived, finished
from tests.samples import sample_body, sample_document
from tests.settlements import imported, line, report, reported, rows

pytestmark = pytest.mark.usefixtures("sqlite_installation")

NOW = datetime.now(UTC)
REPORT = report(line("69796709", amount="20.00", paid="2022-12-21", settled="2022-12-23"), line("of nobody"))
OTHER = report(
    line("of nobody either", paid="2022-12-01", settled="2022-12-02"),
    line("nor this one", paid="2022-12-31", settled="2022-12-31"),
)


def body(timestamp: str = "2026-01-01T00:00:00Z", amount: int = 2100) -> bytes:
    """Return an archive with a charge whose amount differs from that in the report."""
    (payment,) = sample_document()["payments"]
    result = payment["provider_transaction_result"] | {"total": str(amount)}
    charge = payment | {"type": "charge", "amount": amount, "provider_transaction_result": result}
    event = sample_document()["event"] | {"timestamp": timestamp}
    return sample_body("process-1", event=event, payments=[charge])


def explained() -> list[dict[str, object]]:
    return [each for each in rows(DiscrepancyRow) if each["state"] == "explained"]


def damaged(kind: str) -> str:
    """Damage the only report, and return the key that names it in findings."""
    (row,) = rows(SettlementReportRow)
    key = report_key(row["report_id"])
    store().overwrite_bytes(b"{", key.replace(".json", kind))
    return key


def rebuilt(configure: Configure) -> Rebuilt:
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()
    return rebuild(stored_objects(), lambda _: None)


@pytest.mark.parametrize("kind", [".json", ".imported"])
def test_damaged_report_closes_nothing_until_it_is_imported_again(configure: Configure, kind: str) -> None:
    receipt_id = archived("process-1", body())
    imported(REPORT, now=NOW)
    for discrepancy_id in (*not_closed_by_id("process-1"), *not_closed_by_id(None)):
        explain(discrepancy_id, Explanation(by="Dana", why="agreed"), NOW)
    before = explained()
    assert sorted(str(each["code"]) for each in before) == ["MISSING_IN_ARCHIVE", "SETTLED_AMOUNT_MISMATCH"]
    key = damaged(kind)

    assert [each.fault for each in verify_beside().findings] == [Fault.DAMAGED]
    assert [each for each, _ in rebuilt(configure).damaged] == [key]
    reconcile_all_archives(NOW)
    imported(OTHER, now=NOW)
    finished("process-1", receipt_id)

    assert explained() == before
    assert ("process-1", "MISSING_IN_SETTLEMENT") in reported()  # new discrepancies are reported
    imported(REPORT, now=NOW)
    assert explained() == before
    assert ("process-1", "MISSING_IN_SETTLEMENT") not in reported()


@pytest.mark.parametrize("mended", ["removed", "imported again"])
def test_discrepancies_close_once_the_damaged_report_is_removed_or_repaired(configure: Configure, mended: str) -> None:
    archived("process-1", body())
    imported(REPORT, now=NOW)
    key = damaged(".json")
    rebuilt(configure)
    assert ("process-1", "SETTLED_AMOUNT_MISMATCH") in reported()

    if mended == "removed":
        for each in (key, key.replace(".json", ".imported")):
            store().remove(each)
        reconcile_all_archives(NOW)
        assert reported() == []
    else:
        imported(REPORT, now=NOW)
        archived("process-1", body("2026-02-01T00:00:00Z", amount=2000))
        assert reported() == [(None, "MISSING_IN_ARCHIVE")]
        assert [each.standing for each in archive_of("process-1").payments] == ["settled"]
