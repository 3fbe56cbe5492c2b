"""Discrepancies are those of the current version, whichever receipt is processed, and of its peers."""

import copy
import json
from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest

from adapters.files.store import store
from adapters.store import happened, ocfl
from models.discrepancies import DiscrepancyCode
from models.errors import Conflict
from services.payments import recorded
from services.processing.completion import complete, load, payload_findings, reconcile_findings
from services.processing.persisting import persist
from services.receipts import stored_archive
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.installations import archive_of, archived, finished, inventory_of
from tests.samples import sample_body, sample_document
from tests.settlements import imported, line, report

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def event(year: int) -> dict[str, str]:
    return {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}


def body(year: int, **members: Any) -> bytes:
    return sample_body("process-1", event=event(year), **members)


def codes(reference: str = "process-1") -> list[str]:
    archive = archive_of(reference)
    return [each.code for each in archive.discrepancies]


def with_amount(amount: int) -> list[dict[str, Any]]:
    return [sample_document()["payments"][0] | {"amount": amount}]


def test_version_that_a_delivery_makes_current_is_reconciled_after_a_killed_run() -> None:
    archived("process-1", body(2023, payments=with_amount(2500)))
    archived("process-1", body(2024))
    assert codes() == []
    again = received("process-1", body(2025, payments=with_amount(2500)))
    persist("process-1", again.receipt_id)
    load(stored_archive("process-1", again.receipt_id))  # and is killed before reconciling

    finished("process-1", again.receipt_id)

    assert codes() == ["AMOUNT_MISMATCH"]


def test_delivery_of_the_current_version_is_current() -> None:
    older, current = (archived("process-1", body(year, payments=with_amount(year))) for year in (2023, 2024))
    delivery = archived("process-1", body(2025, payments=with_amount(2024)))

    says = [reconcile_findings(stored_archive("process-1", each)).is_current for each in (older, current, delivery)]

    assert says == [False, True, True]


def test_archive_is_not_complete_without_its_discrepancies() -> None:
    receipt_id = received("process-1", body(2023, payments=with_amount(2500))).receipt_id
    persist("process-1", receipt_id)
    archived = stored_archive("process-1", receipt_id)
    load(archived)

    with pytest.raises(Conflict):
        complete(archived, payload_findings(archived))


def charge(name: str, transaction_id: str, cguid: str, amount: int = 2100) -> dict[str, Any]:
    """Return a charge whose ids occur in no other archive."""
    payment: dict[str, Any] = copy.deepcopy(sample_document()["payments"][0])
    payment["provider_transaction_result"] |= {"cguid": f"{cguid} of {name}", "total": str(amount)}
    return payment | {"type": "charge", "transaction_id": f"{transaction_id} of {name}", "amount": amount}


RENAMED = {2019: ("first", "1", 2100), 2020: ("other", "1", 2100), 2021: ("other", "2", 2500), 2022: None}


def test_vanished_payment_does_not_depend_on_the_order_of_arrival() -> None:
    for order in [*permutations(RENAMED, 4)][::4]:
        name = "".join("abcd"[year - 2019] for year in order)  # digits might be taken for a card number
        for year in order:
            payments = [charge(name, *made)] if (made := RENAMED[year]) else []
            archived(name, sample_body(name, event=event(year), payments=payments, data=[]))

        (gone,) = recorded.not_closed_by_id(name, [DiscrepancyCode.PAYMENT_VANISHED]).values()

        assert (gone.transaction_id, gone.expected) == (f"other of {name}", "a charge of 25.00 ILS"), order


def damage(version: int) -> None:
    inventory = inventory_of("process-1")
    skeleton = inventory.versions[version - 1].state["skeleton.json"]
    store().overwrite_bytes(b"{", ocfl.content_key("process-1", inventory, skeleton))


def test_damaged_old_version_does_not_close_vanished_payments() -> None:
    archived("process-1", body(2023, payments=[charge("process-1", "first", "1")], data=[]))
    receipt_id = archived("process-1", body(2024, payments=with_amount(2500), data=[]))
    reported = ["AMOUNT_MISMATCH", "PAYMENT_VANISHED", "PAYMENT_WITHOUT_FIELD"]
    assert codes() == reported
    damage(version=1)

    finished("process-1", receipt_id)
    assert codes() == reported

    archived("process-1", body(2025, payments=with_amount(2100), data=[]))
    assert codes() == reported[1:]


def test_damaged_current_version_keeps_its_discrepancies_and_fails_no_late_version() -> None:
    archived("process-1", body(2024, payments=with_amount(2500)))
    damage(version=1)

    late = archived("process-1", body(2023))

    archive = archive_of("process-1")
    assert (archive.state, [each.receipt_id for each in archive.versions][1:], codes()) == (
        "completed",
        [late],
        ["AMOUNT_MISMATCH"],
    )


def test_duplicate_is_recorded_for_both_archives_in_the_store() -> None:
    payments, data = sample_document()["payments"], sample_document()["data"]
    archived("process-1", sample_body("process-1"))
    archived("process-2", sample_body("process-2", payments=payments, data=data))

    assert codes("process-1") == codes("process-2") == ["DUPLICATE_TRANSACTION"]
    kept = [line.row for keys in happened.days(happened.FOLDER) for key in keys for line in happened.lines_in(key)]
    found = {each["reference"]: each["found"] for each in kept if "found" in each}
    assert found == {"process-1": "also in process-2", "process-2": "also in process-1"}

    archived("process-2", sample_body("process-2", payments=[], data=[], note=json.dumps("its next version")))
    assert codes("process-1") == codes("process-2") == []


@pytest.mark.parametrize(
    ("zone", "paid_on", "found"),
    [("Asia/Jerusalem", date(2023, 1, 1), {"CARD_EXPIRED"}), ("", date(2022, 12, 31), {"MISSING_IN_SETTLEMENT"})],
)
def test_days_of_payments_are_in_the_time_zone_of_the_provider(
    configure: Configure, zone: str, paid_on: date, found: set[str]
) -> None:
    """There, it was January: no December report has the payment, and the card, valid until 12/22, has expired."""
    configure(business_timezone=zone)
    session = sample_document()["sessions"][0] | {"submitted_at": "2022-12-31T22:30:00"}
    payment = charge("new year", "t", "c")
    payment["provider_transaction_result"]["card_expiration"] = "1222"
    archived("process-1", body(2023, sessions=[session], payments=[payment]))

    imported(report(line("the last of december", paid="2022-12-31", settled="2023-01-02")))

    archive = archive_of("process-1")
    assert archive.sessions[0].submitted_at == datetime(2022, 12, 31, 22, 30, tzinfo=UTC)
    assert [each.paid_on for each in archive.payments] == [paid_on]
    assert {"CARD_EXPIRED", "MISSING_IN_SETTLEMENT"} & set(codes()) == found
