"""A lost key is never replaced: nothing changes until it is restored, and then everything works again."""

import asyncio
import hashlib
import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from sqlmodel import col, select

from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.settings.kept_secrets import kept_secret
from adapters.settings.settings import settings
from adapters.store import ocfl, seals
from adapters.tables.runs import receipts
from cli.archives.export import export
from models.archive.archive import State
from models.discrepancies import DiscrepancyRow
from models.errors import Conflict, Locked
from models.runs.receipt import Delivery, Trigger
from models.store.fixity import Fault
from models.views.archives.archives import ArchiveView
from models.views.archives.payments import DiscrepancyView, Explanation
from services.custody.objects import object_of, stored_objects
from services.custody.verifying import verify_object, verify_objects
from services.custody.verifying_records import verify_beside
from services.evidence import check
from services.payments.discrepancies import explain
from services.payments.recorded import not_closed_by_id, views_of
from services.processing.persisting import persist
from services.settlements.importing import reconcile_all_archives
from services.triggering.trigger import trigger
from tests.conftest import Configure
from tests.flows.conftest import received
from tests.flows.databases import in_new_database
from tests.installations import archive_of, archived, finished, inventory_of, stored_body
from tests.ocfl_validator import validation_errors
from tests.samples import PDF, sample_document
from tests.settlements import imported, line, report

pytestmark = pytest.mark.usefixtures("sqlite_installation")

FINGERPRINT = "keys/fingerprint.json"


def body(
    timestamp: str = "2026-01-01T00:00:00Z", reference: str = "process-1", *, content: bytes = b"", **secrets: str
) -> bytes:
    document = sample_document()
    document |= {"reference": reference, "event": document["event"] | {"timestamp": timestamp}}
    document["payments"][0]["type"] = "charge"  # needs an authorisation
    document["payments"][0]["provider_transaction_result"] |= secrets
    text = json.dumps(document).encode()
    return text.replace(b64encode(PDF), content) if content else text


def lose(location: str) -> bytes:
    """Remove a key from the store, and return its backup."""
    backup = store().read_bytes(location)
    store().remove(location)
    seals._fingerprint_key.cache_clear()  # as in another process
    return backup


def in_store(*folders: str) -> dict[str, bytes]:
    wanted = folders or (ocfl.ROOT, seals.ROOT)
    return {key: store().read_bytes(key) for folder in wanted for key, _ in store().listed(folder)}


def swept(delivery: Delivery) -> bool:
    return asyncio.run(trigger(delivery, Trigger.SWEEP))


def test_lost_data_key_locks_its_archive_until_it_is_restored() -> None:
    sent = body()
    first = archived("process-1", sent)
    backup = lose(seals.key_location("process-1"))
    before = in_store()

    same = received("process-1", sent)
    newer = received("process-1", newer_body := body("2026-02-01T00:00:00Z"))
    changed = received("process-1", changed_body := body("2026-03-01T00:00:00Z", cguid="another"))
    for delivery in (newer, changed):
        with pytest.raises(Locked, match="is gone"):
            persist("process-1", delivery.receipt_id)
    with structlog.testing.capture_logs() as said:
        assert [swept(same) for _ in range(3)] == [False] * 3
    assert [each["event"] for each in said if each["log_level"] == "error"] == [
        "a complete archive is locked; it waits"
    ]

    assert in_store() == before
    assert all(inbox.has_body(each.receipt_id) for each in (same, newer, changed))

    store().overwrite_bytes(backup, seals.key_location("process-1"))
    assert not swept(same)
    for delivery in (newer, changed):
        finished("process-1", delivery.receipt_id)
    ids = (first, newer.receipt_id, changed.receipt_id)
    assert [stored_body("process-1", each) for each in ids] == [sent, newer_body, changed_body]
    assert not any(map(inbox.has_body, ids))
    assert State(receipts.get(first).state) is State.COMPLETED
    assert verify_object(object_of("process-1")).findings == ()


def test_archive_without_sealed_values_gets_a_new_key() -> None:
    """It precedes sealing, or had no secret yet."""
    plain = json.loads(body())
    plain["payments"] = []
    archived("process-1", json.dumps(plain).encode())
    with suppress(FileNotFoundError):
        lose(seals.key_location("process-1"))

    receipt_id = archived("process-1", body("2026-02-01T00:00:00Z"))

    assert stored_body("process-1", receipt_id) == body("2026-02-01T00:00:00Z")


@pytest.mark.parametrize("left", ["nothing but the archive", "its key", "a settlement report"])
def test_lost_fingerprint_key_is_not_replaced_while_fingerprints_exist(left: str) -> None:
    reported = seals.fingerprint("69796709")
    if left == "a settlement report":
        store().overwrite_bytes(b"{}", f"{seals.SETTLEMENTS}/{'a' * 64}.json")
    else:
        archived("process-1", body())
    if left == "nothing but the archive":
        lose(seals.key_location("process-1"))
    backup = lose(FINGERPRINT)

    with pytest.raises(Locked, match=r"fingerprint\.json is gone"):
        seals.fingerprint("69796709")
    with pytest.raises(Locked):
        persist("process-2", received("process-2", body(reference="process-2")).receipt_id)
    assert store().size(FINGERPRINT) is None

    store().overwrite_bytes(backup, FINGERPRINT)
    assert seals.fingerprint("69796709") == reported


@pytest.mark.parametrize("damage", [None, "A" * 87 + "\n=", "\udcff"])
def test_lost_or_damaged_master_key_locks_and_is_not_replaced(configure: Configure, damage: str | None) -> None:
    receipt_id = archived("process-1", body())
    before, master = in_store(), settings().data_dir.absolute() / "secrets" / "seal"
    whole = master.read_text()
    master.unlink()
    if damage is not None:
        master.write_text(damage, errors="surrogateescape")
    kept_secret.cache_clear()

    with pytest.raises(Locked, match="secrets/seal"):
        stored_body("process-1", receipt_id)
    with pytest.raises(Locked, match="secrets/seal"):
        persist("process-2", received("process-2", body(reference="process-2")).receipt_id)
    assert master.exists() == (damage is not None)
    assert in_store() == before

    master.write_text(whole)
    assert stored_body("process-1", receipt_id) == body()


def findings() -> list[tuple[str, Fault]]:
    fixity = verify_objects(stored_objects()) + verify_beside()
    assert all("CELLAR_SEAL_KEYS" in each.expected for each in fixity.findings)
    return [(each.key, each.fault) for each in fixity.findings]


def test_unavailable_key_is_one_finding_per_archive_and_leaves_other_archives_readable() -> None:
    archived("process-1", body())
    archived("process-1", body("2026-02-01T00:00:00Z"))  # a delivery
    archived("process-1", body("2026-03-01T00:00:00Z", cguid="another"))
    other = archived("process-2", body(reference="process-2"))
    assert findings() == []
    data_key, before = seals.key_location("process-1"), in_store(ocfl.ROOT)

    backups = {location: lose(location) for location in (data_key, FINGERPRINT)}
    assert findings() == [(data_key, Fault.MISSING), (FINGERPRINT, Fault.MISSING)]
    assert [each.version for each in view().versions] == [1, 2]
    assert stored_body("process-2", other) == body(reference="process-2")
    assert in_store(ocfl.ROOT) == before
    assert validation_errors() == []
    for location, damage in ((data_key, b"{"), (FINGERPRINT, store().read_bytes(seals.key_location("process-2")))):
        store().overwrite_bytes(damage, location)
    assert findings() == [(data_key, Fault.DAMAGED), (FINGERPRINT, Fault.DAMAGED)]
    for location, backup in backups.items():
        store().overwrite_bytes(backup, location)
    assert findings() == []


def view() -> ArchiveView:
    return archive_of("process-1")


def transaction(sent: bytes) -> bytes:
    text: str = json.loads(sent)["payments"][0]["transaction_id"]
    return text.encode()


@pytest.mark.parametrize("lost", ["archive", "archive, without its history", "fingerprints"])
def test_rebuilding_without_a_key_keeps_the_archive_and_its_discrepancies(configure: Configure, lost: str) -> None:
    sent = body()
    receipt_id = archived("process-1", sent)
    delivery = archived("process-1", newer := body("2026-02-01T00:00:00Z", content=b"QR=="))
    other = body(reference="process-2").replace(transaction(sent), b"another-transaction")
    archived("process-2", other)
    before = view()
    assert "DUPLICATE_PROVIDER_TRANSACTION" in [each.code for each in before.discrepancies]
    location = FINGERPRINT if lost == "fingerprints" else seals.key_location("process-1")
    backup = lose(location)
    if lost.endswith("history"):
        for path in (Path(settings().store_location) / ocfl.log_key("process-1", "history")).iterdir():
            if path.stem != "discrepancies":
                path.unlink()

    assert in_new_database(configure) == 2

    without = view()
    assert [each.code for each in without.warnings if each.code not in {old.code for old in before.warnings}] == [
        "SECRETS_LOCKED"
    ]
    assert [each.standing for each in without.payments] == ["unknown"]
    assert without.discrepancies == before.discrepancies
    assert (receipts.get(receipt_id).size_bytes, receipts.get(delivery).size_bytes) == (len(sent), len(newer))
    for each in (receipt_id, delivery):
        if lost != "fingerprints":
            with pytest.raises(Locked):
                persist("process-1", each)

    store().overwrite_bytes(backup, location)
    for each in (receipt_id, delivery):
        finished("process-1", each)
    assert view().warnings == before.warnings
    assert [each.standing for each in view().payments] == ["charged"]


@pytest.mark.parametrize(
    ("types", "lost"),
    [("charge=charged+auth", "archive"), ("charge=charged", "archive"), ("charge=charged", "fingerprints")],
)
def test_rebuilding_without_a_key_keeps_the_discrepancies_of_reports(
    configure: Configure, types: str, lost: str
) -> None:
    configure(payment_types=types)
    receipt_id, now = archived("process-1", body()), datetime.now(UTC)
    its_row = line("69796709", amount="20.00", paid="2022-12-21", settled="2022-12-23")
    imported(report(its_row, line("of nobody")), now=now)
    for discrepancy_id in (*not_closed_by_id("process-1"), *not_closed_by_id(None)):
        explain(discrepancy_id, Explanation(by="Dana", why="agreed"), now)
    before = view(), of_nobody()
    assert [each.code for each in before[0].discrepancies] == ["SETTLED_AMOUNT_MISMATCH"]
    location = FINGERPRINT if lost == "fingerprints" else seals.key_location("process-1")
    backup = lose(location)

    in_new_database(configure)
    reconcile_all_archives(now)
    assert (view().discrepancies, of_nobody()) == (before[0].discrepancies, before[1])

    store().overwrite_bytes(backup, location)
    finished("process-1", receipt_id)
    reconcile_all_archives(now)
    assert (view().discrepancies, of_nobody()) == (before[0].discrepancies, before[1])
    assert [each.standing for each in view().payments] == ["settled"]


def of_nobody() -> list[DiscrepancyView]:
    with reading() as session:
        rows = session.exec(select(DiscrepancyRow).where(col(DiscrepancyRow.reference).is_(None))).all()
        return views_of(session, rows)


def test_unmatched_row_is_not_reported_while_it_may_belong_to_a_locked_archive(
    configure: Configure,
) -> None:
    receipt_id, now = archived("process-1", body()), datetime.now(UTC)
    backup = lose(seals.key_location("process-1"))
    in_new_database(configure)
    rows = report(line("69796709", paid="2022-12-21", settled="2022-12-23"), line("of nobody"))

    assert imported(rows, now=now, preview=True).findings == imported(rows, now=now).findings == ()
    assert of_nobody() == []

    store().overwrite_bytes(backup, seals.key_location("process-1"))
    finished("process-1", receipt_id)
    reconcile_all_archives(now)
    assert [(each.code, each.state) for each in of_nobody()] == [("MISSING_IN_ARCHIVE", "open")]
    assert view().discrepancies == []


def test_bag_without_a_key_proves_the_stored_parts_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archived("process-1", body())
    lose(seals.key_location("process-1"))

    export("process-1", to=tmp_path / "bag")

    assert "its card details cannot be opened" in " ".join(capsys.readouterr().err.split())
    data = tmp_path / "bag" / "data"
    page = (data / "summary.html").read_text()
    assert "The stored parts are whole and unchanged. The card details cannot be opened." in page
    assert "it was not compared with the receipt number" in page
    assert [each for each in ("is the request that", "DAMAGED", "STATUS_CONFLICT") if each in page] == []
    assert "אי אפשר לפתוח את פרטי הכרטיס" in (data / "summary.he.html").read_text()
    assert len(list((data / "files").iterdir())) == 2
    assert not (data / "damaged.json").exists()
    assert check.main([str(tmp_path / "bag")]) == 0
    assert check.OF_SEALED_VALUES in capsys.readouterr().out
    for damaged in (False, True):
        with pytest.raises(Locked, match="restore it from a backup"):
            export("process-1", to=tmp_path / "raw", raw=True, damaged=damaged)
    assert not (tmp_path / "raw").exists()

    inventory = inventory_of("process-1")
    key = ocfl.content_key("process-1", inventory, hashlib.sha256(PDF).hexdigest())
    store().overwrite_bytes(b"damaged", key)
    with pytest.raises(Conflict, match="expected the signed document") as refused:
        export("process-1", to=tmp_path / "another")
    assert "CELLAR_SEAL_KEYS" not in str(refused.value)
    export("process-1", to=tmp_path / "another", damaged=True)
    assert "DAMAGED" in (tmp_path / "another" / "data" / "summary.html").read_text()
    assert check.main([str(tmp_path / "another")]) == 1
