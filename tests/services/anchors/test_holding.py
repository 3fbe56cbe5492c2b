"""Everything that an insider rewrites after an anchor is found; nothing that cellar does itself is called wrong."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.tables.messages import notifications
from adapters.tables.runs import runs
from domain.anchors import statement_text
from models.archive.archive import State
from models.errors import WrongUse
from models.messages.notification import Event, EventType, NotificationRow, NotificationState
from models.runs.receipt import RunState, Trigger
from models.store.fixity import Fault
from models.views.archives.payments import Explanation
from services.anchors.anchors import Held, hold
from services.anchors.making import make
from services.messages.events import event_row
from services.payments import discrepancies, recorded
from tests.conftest import Configure, make_tables
from tests.flows.databases import in_new_database
from tests.insider.objects import opened
from tests.insider.stores import place_of
from tests.installations import archived, finished
from tests.prepared import Prepared
from tests.records import attempted, run_row
from tests.samples import sample_body
from tests.settlements import imported, line, report

NOW = datetime.now(UTC)
BODY = sample_body("process-1")
CHANGED = sample_body("process-1", data=[])
AGAIN = json.dumps(json.loads(CHANGED), indent=1).encode()
UNPAID = sample_body("process-2", payments=[{"transaction_id": "1", "amount": "x"}])


@pytest.fixture(autouse=True)
def _archives(request: pytest.FixtureRequest, sqlite_installation: Settings, prepared: Prepared) -> None:
    """Tests that use `store_kind` run on each kind of store."""
    if "store_kind" in request.fixturenames:
        request.getfixturevalue("store_kind")
    prepared.copy(two_archives)


def two_archives() -> None:
    """Make an archive with two versions, a delivery that says nothing new, a run and a message, and an archive with an
    explanation.
    """
    archived("process-1", BODY)
    archived("process-1", CHANGED)
    ran("process-1", archived("process-1", AGAIN), "run-1")
    archived("process-2", UNPAID)
    explained("process-2", "a tip")


def ran(reference: str, receipt_id: str, flow_run_id: str) -> None:
    """Record a run of a complete receipt, and an attempt at a message."""
    runs.begin(run_row(flow_run_id, receipt_id, reference=reference, trigger=Trigger.RERUN, started_at=NOW))
    runs.end(flow_run_id, 1, RunState.COMPLETED, State.COMPLETED, NOW)
    message = NotificationRow(
        message_id=f"message of {flow_run_id}",
        reference=reference,
        receipt_id=receipt_id,
        endpoint="https://example.com",
        event="archive.completed",
        state=NotificationState.PENDING,
        planned_at=NOW,
    )
    event = Event(EventType.ARCHIVE_COMPLETED, receipt_id, NOW, b"{}", reference)
    notifications.plan(event_row(event), [message])
    attempted(message.message_id, 200, NOW)
    history.keep(reference, receipt_id)


def explained(reference: str, why: str) -> None:
    found = next(iter(recorded.not_closed_by_id(reference)))
    discrepancies.explain(found, Explanation(by="Dana", why=why), NOW)


def anchored(days: int = 0) -> str:
    return make(NOW + timedelta(days=days)).anchor.root


def wrong(held: Held) -> list[tuple[str, str]]:
    """Return each fault with its path within its object."""
    return [(each.fault, "/".join(each.key.split("/")[5:]) or each.key) for each in held.findings]


def key_of(reference: str, path: str) -> str:
    return f"{ocfl.object_key(reference)}/{path}"


def test_untouched_store_fulfils_its_anchor() -> None:
    imported(report(line("of nobody")))
    held = hold(anchored())

    assert (held.number, held.covered, held.newer, held.uncovered, held.findings) == (1, 5, 0, 0, ())


@pytest.mark.usefixtures("store_kind")
def test_what_cellar_does_itself_is_not_wrong(configure: Configure) -> None:
    imported(report(line("of nobody")))
    root = anchored()
    archived("process-1", BODY)  # a known body again
    archived("process-1", sample_body("process-1", signatures=[]))
    ran("process-1", hashlib.sha256(AGAIN).hexdigest(), "run-2")
    finished("process-2", hashlib.sha256(UNPAID).hexdigest())  # a re-run
    explained("process-2", "a tip, as the clerk said")
    imported(report(line("of nobody"), line("of nobody else")), now=NOW)
    archived("process-3", sample_body("process-3"))
    later = anchored(1)

    for each, covered, newer, uncovered in ((root, 5, 1, 1), (later, 8, 0, 0)):
        held = hold(each)
        assert (held.covered, held.newer, held.uncovered, held.findings) == (covered, newer, uncovered, ())

    assert in_new_database(configure) == 3
    archived("process-2", json.dumps(json.loads(UNPAID), indent=1).encode())
    assert hold(root).findings == hold(later).findings == hold(anchored(2)).findings == ()


def test_lost_database_that_is_not_rebuilt_alters_no_told_fact_of_a_receipt(configure: Configure) -> None:
    """The same body is delivered again to an empty database: the earlier times stay in the store."""

    root = anchored()
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()
    archived("process-1", BODY)

    assert hold(root).findings == ()


def rewritten(reference: str, number: int, change: Callable[[bytes], bytes], name: str = "skeleton.json") -> None:
    """Rewrite a content of a version consistently, as an insider does who knows the formats."""
    its = opened(place_of(reference))
    its.replace_content(number, name, change)
    its.write()


def test_forgery_stays_wrong_after_a_later_anchor() -> None:
    anchored()
    rewritten("process-1", 2, lambda text: text.replace(b"100", b"900"))
    root = make(NOW + timedelta(days=1), whole=True).anchor.root

    assert wrong(hold(root)) == [("damaged", "inventory.json")]


@pytest.mark.parametrize("rebuilt", [False, True])
def test_removed_object_is_found(configure: Configure, *, rebuilt: bool) -> None:
    root = anchored()
    store().remove_folder(ocfl.object_key("process-2"))
    if rebuilt:
        in_new_database(configure)

    assert wrong(hold(root)) == [("missing", ocfl.object_key("process-2"))]
    assert wrong(hold(root, ["process-2"])) == [("missing", ocfl.object_key("process-2"))]
    assert wrong(hold(root, ["process-1"])) == []


@pytest.mark.parametrize("rebuilt", [False, True])
def test_object_that_was_rolled_back_whole_is_found(configure: Configure, *, rebuilt: bool) -> None:
    archived("process-3", sample_body("process-3"))
    before = {key: store().read_bytes(key) for key, _ in store().listed(ocfl.object_key("process-3"))}
    archived("process-3", sample_body("process-3", data=[]))
    root = anchored()
    store().remove_folder(ocfl.object_key("process-3"))
    for key, text in before.items():
        store().overwrite_bytes(text, key)
    if rebuilt:
        in_new_database(configure)

    expected = [("missing", ocfl.object_key("process-3")), ("missing", "logs/receipts/"), ("damaged", "logs")]
    assert [(fault, path[:14] if path.startswith("logs/r") else path) for fault, path in wrong(hold(root))] == expected


def forged_rows(key: str, change: Callable[[dict[str, list[dict[str, Any]]]], None]) -> None:
    rows = history.kept_rows(key)
    assert rows
    change(rows)
    history.write(rows, key)


def put_value(rows: dict[str, list[dict[str, Any]]], table: str, column: str, value: object) -> None:
    rows[table][0][column] = value


def test_forged_history_is_found() -> None:
    root = anchored()
    key = key_of("process-1", history.path_of(hashlib.sha256(AGAIN).hexdigest()))
    before = store().read_bytes(key)
    long_ago = "2020-01-01T00:00:00Z"
    forged: dict[str, dict[str, object]] = {
        "delivery": {"received_at": long_ago, "outcome": "new"},
        "receipt": {"completed_at": long_ago, "received_at": long_ago},
        "run": {"state": "Failed", "started_at": long_ago},
        "notification_attempt": {"status_code": 500, "attempted_at": long_ago},
    }
    for table, columns in forged.items():
        for column, value in columns.items():
            forged_rows(key, partial(put_value, table=table, column=column, value=value))
            assert wrong(hold(root, ["process-1"])) == [("damaged", "logs")], (table, column)
            store().overwrite_bytes(before, key)


def test_removed_delivery_and_history_are_found() -> None:
    root = anchored()
    receipt_id = hashlib.sha256(AGAIN).hexdigest()
    store().remove_folder(key_of("process-1", f"logs/receipts/{receipt_id}"))
    store().remove(key_of("process-1", history.path_of(receipt_id)))

    assert wrong(hold(root)) == [("missing", f"logs/receipts/{receipt_id}/receipt.json"), ("damaged", "logs")]


def test_settlement_report_that_was_altered_or_removed_is_found() -> None:
    imported(report(line("of nobody")))
    root = anchored()
    (entries, imported_at) = sorted(key for key, _ in store().listed("settlements"))
    store().overwrite_bytes(b"2020-01-01T00:00:00+00:00", imported_at)
    store().remove(entries)

    assert {each.key: each.fault for each in hold(root).findings} == {
        entries: Fault.MISSING,
        imported_at: Fault.DAMAGED,
    }


@pytest.mark.usefixtures("store_kind")
def test_anchors_that_were_removed_or_rewritten_are_found_and_the_witness_stands_in(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "witness").mkdir()
    configure(witness_url=str(tmp_path / "witness"))
    first = make(NOW).anchor
    archived("process-3", sample_body("process-3"))
    root = anchored(1)
    statement = tmp_path / "witness" / anchors.statement_key(2)
    store().remove_folder("anchors/000002")
    store().overwrite_bytes(b"", first.key("leaves.gz"))
    store().overwrite_bytes(b"another", first.key("signature"))

    for against in (root, str(statement), str(statement.parent)):
        held = hold(against)
        assert (held.covered, held.uncovered) == (4, 0)
        assert sorted({(each.key, each.fault) for each in held.findings}) == [
            (first.key("leaves.gz"), Fault.DAMAGED),
            (first.key("signature"), Fault.DAMAGED),
            (anchors.statement_key(2), Fault.MISSING),
        ]
    configure(witness_url="")
    assert [each.fault for each in hold(str(statement)).findings] == [Fault.MISSING, *[Fault.DAMAGED] * 3]
    held = hold(root)
    assert (held.number, held.covered, [each.key for each in held.findings]) == (None, 0, ["anchors"])


def test_later_anchor_that_does_not_follow_is_found() -> None:
    root = anchored()
    anchored(1)
    statement = anchors.parsed(store().read_bytes(anchors.statement_key(2)))
    forged = statement_text(replace(statement, before="0" * 64))
    store().overwrite_bytes(forged, anchors.statement_key(2))

    assert [(each.key, each.fault) for each in hold(root).findings] == [(anchors.statement_key(2), Fault.DAMAGED)]


def test_root_pins_the_key() -> None:
    made = make(NOW).anchor
    another = Ed25519PrivateKey.generate()
    pem = another.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    store().overwrite_bytes(pem, made.key("pem"))
    store().overwrite_bytes(another.sign(statement_text(made.statement)), made.key("signature"))

    assert [(each.key, each.fault) for each in hold(made.root).findings] == [(made.key("signature"), Fault.DAMAGED)]


def test_many_anchors_are_merged() -> None:
    for day in range(70):
        anchored(day)
    archived("process-3", sample_body("process-3"), NOW + timedelta(days=70))
    held = hold(make(NOW + timedelta(days=71), whole=True).anchor.root)

    assert (held.number, held.covered, held.findings) == (71, 4, ())


def test_other_text_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no statement")
    for against in ("abc", "AB" * 32, str(tmp_path), str(tmp_path / "text")):
        with pytest.raises(WrongUse, match="--against"):
            hold(against)
