"""An anchor names what has changed, is dated by the authorities, and comes to the witness, also after an outage."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from adapters.anchors import anchors, many_leaves
from adapters.anchors.anchors import Anchor
from adapters.anchors.witness import LastAnchor
from adapters.database.transactions import writing
from adapters.files.store import storage_at, store
from adapters.settings.kept_secrets import kept_secret
from adapters.settings.settings import Settings, settings
from adapters.store import last_records, ocfl, tombstones
from adapters.store.objects import judgements
from models.access import CELLAR
from models.discrepancies import DiscrepancyEventRow
from models.erasures import TombstoneRow
from models.errors import Conflict, Locked
from models.runs.receipt import DeliveryRow, ReceiptRow
from models.store.anchor import Leaf
from services.anchors.anchors import hold, proof_of
from services.anchors.making import Made, make
from services.custody.judging_again import judge_object
from services.custody.objects import object_of
from services.views import archive_view
from tests import pdfs
from tests.conftest import Configure
from tests.installations import archived
from tests.prepared import Prepared
from tests.samples import sample_body
from tests.settlements import imported, line, report

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _archives(request: pytest.FixtureRequest, sqlite_installation: Settings, prepared: Prepared) -> None:
    """Make three archives. Tests that use `store_kind` run on each kind of store."""
    if "store_kind" in request.fixturenames:
        request.getfixturevalue("store_kind")
    prepared.copy(three_archives)


def three_archives() -> None:
    for number in range(3):
        archived(f"process-{number}", sample_body(f"process-{number}"))


def leaves(made: Made) -> dict[str, Leaf]:
    found = anchors.leaves_of(store(), made.anchor)
    return {leaf.key: leaf for leaf in found if not leaf.key.startswith("anchors/")}


def test_archive_knows_the_newest_anchor_that_has_it() -> None:
    first = make(later(1), whole=True).anchor.statement.at
    assert [anchored_at(f"process-{number}") for number in range(3)] == [first] * 3

    archived("process-1", sample_body("process-1"), later(9))
    newest = make(later(10)).anchor.statement.at

    assert [anchored_at(f"process-{number}") for number in range(3)] == [first, newest, first]


def anchored_at(reference: str) -> datetime | None:
    archive = archive_view.archive(reference, CELLAR)
    return archive.anchored_at if archive else None


def later(days: int) -> datetime:
    """Return a time after which nothing has changed: archives of a test are as old as the test."""
    return datetime.now(UTC) + days * DAY


def keys(*references: str) -> set[str]:
    return {ocfl.object_key(each) for each in references}


@pytest.mark.usefixtures("store_kind")
def test_first_anchor_names_every_object() -> None:
    imported(report(line("of nobody")))
    made = make(later(0))

    (entries, imported_at) = sorted(key for key, _ in store().listed("settlements"))
    found = leaves(made)
    (happened,) = {key.rpartition("/")[0] for key, _ in store().listed("happened")}  # the import, and what it found
    beside = {entries, imported_at, happened}
    assert found.keys() == keys("process-0", "process-1", "process-2") | beside
    assert list(found) == sorted(found)
    leaf = found[ocfl.object_key("process-1")]
    inventory = store().read_bytes(f"{leaf.key}/v1/inventory.json")
    assert (leaf.version, leaf.inventory_sha256) == (1, hashlib.sha256(inventory).hexdigest())
    assert leaf.receipt_ids == (hashlib.sha256(sample_body("process-1")).hexdigest(),)
    assert len(leaf.facts) == 2  # its receipt and its delivery
    assert found[entries].inventory_sha256 == store().digest_of(entries)
    assert made.is_whole


def test_later_anchor_names_what_has_changed_and_follows_the_anchor_before() -> None:
    first = make(later(1))
    second = make(later(2))
    archived("process-1", sample_body("process-1", data=[]), later(2))
    third = make(later(3))

    assert (leaves(second), second.anchor.statement.before) == ({}, first.anchor.root)
    assert (third.anchor.statement.number, third.anchor.statement.before) == (3, second.anchor.root)
    assert leaves(third).keys() == keys("process-1")
    assert leaves(third)[ocfl.object_key("process-1")].version == 2
    (day,) = {key.rpartition("/")[0] for key, _ in store().listed("happened")}
    assert leaves(make(later(4), whole=True)).keys() == keys("process-0", "process-1", "process-2") | {day}


def test_archive_is_proved_by_the_newest_anchor_that_has_its_versions() -> None:
    made = make(later(0))
    proof = proof_of("process-1")
    assert proof
    assert proof.inclusion.statement == made.anchor.statement

    archived("process-1", sample_body("process-1", data=[]))
    assert proof_of("process-1") is None
    assert proof_of("process-0")
    assert proof_of("unknown") is None


@pytest.mark.usefixtures("store_kind")
def test_damaged_object_is_named_and_not_anchored() -> None:
    store().overwrite_bytes(b"{", f"{ocfl.object_key('process-0')}/inventory.json")
    made = make(later(0))

    assert made.damaged == (ocfl.object_key("process-0"),)
    assert leaves(made).keys() == keys("process-1", "process-2")


def test_other_processes_read_the_same_leaves_and_damage_as_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes read a store of many objects."""
    store().overwrite_bytes(b"{", f"{ocfl.object_key('process-0')}/inventory.json")

    def _read() -> tuple[list[bytes], list[str]]:
        damaged: list[str] = []
        return list(many_leaves.every_text(damaged.append)), damaged

    here = _read()
    monkeypatch.setattr(many_leaves, "_FEW_TUPLES", 0)

    assert _read() == here
    assert (len(here[0]), here[1]) == (2, [ocfl.object_key("process-0")])


@pytest.mark.usefixtures("store_kind")
def test_witness_has_the_same_files_also_after_it_was_away(configure: Configure, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text("no folder")
    configure(witness_url=str(away))
    made = make(later(0))
    assert len(made.lacks) == 1
    assert made.lacks[0].startswith("the witness does not have the newest anchor")
    found = last_records.find(LastAnchor)
    assert found
    assert found.lacks == made.lacks

    away.unlink()
    (lacks,) = make(later(1)).lacks
    assert "is not there; mount its disk, or make it" in lacks
    away.mkdir()
    assert make(later(1)).lacks == ()
    there = storage_at(str(away))
    assert dict(there.listed("anchors")) == dict(store().listed("anchors"))
    assert all(there.read_bytes(key) == store().read_bytes(key) for key, _ in there.listed("anchors"))
    assert make(later(2)).lacks == ()


def removed(anchor: Anchor) -> None:
    for key, _ in list(store().listed("anchors")):
        if key.startswith(f"anchors/{anchor.statement.number:06}/"):
            store().remove(key)


def test_removed_anchor_is_noticed_by_this_machine_and_by_the_witness(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "witness").mkdir()
    configure(witness_url=str(tmp_path / "witness"))
    make(later(0))
    made = make(later(1))
    removed(made.anchor)

    with pytest.raises(Conflict, match="this machine made anchor 2, and the store has no such anchor"):
        make(later(2))
    (settings().data_dir / "last-anchor.json").unlink()
    with pytest.raises(Conflict, match="the witness has anchor 2, and the store lacks it"):
        make(later(2))


def test_rewritten_anchor_is_noticed(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "witness").mkdir()
    configure(witness_url=str(tmp_path / "witness"))
    removed(make(later(0)).anchor)
    (settings().data_dir / "last-anchor.json").unlink()
    configure(witness_url="")
    make(later(1))
    configure(witness_url=str(tmp_path / "witness"))

    with pytest.raises(Conflict, match="the witness has another anchor 1 than the store"):
        make(later(2))


def test_anchor_names_an_archive_whose_only_news_is_a_judgement(
    installation: Settings, configure: Configure, tmp_path: Path
) -> None:
    archived("process-1", sample_body("process-1"))
    archived("process-2", sample_body("process-2"))
    make(later(0))
    with writing() as session:  # a month ago
        for table in (ReceiptRow, DeliveryRow):
            session.execute(update(table).values(received_at=later(-30)))
        session.execute(update(ReceiptRow).values(completed_at=later(-30)))
        session.execute(update(DiscrepancyEventRow).values(at=later(-30)))
    assert leaves(make(later(0))).keys() == set()

    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    configure(trust_roots=str(tmp_path / "root.pem"))
    judge_object(ocfl.object_key("process-1"))
    made = make(later(0))
    assert leaves(made).keys() == keys("process-1")
    assert held(made) == []
    (path,) = filter(judgements.is_judgement, object_of("process-1").sizes)
    store().remove(f"{ocfl.object_key('process-1')}/{path}")
    assert held(made)


def held(made: Made) -> list[str]:
    return [each.found for each in hold(made.anchor.root).findings]


def test_anchor_after_a_clock_that_was_ahead_names_everything_again() -> None:
    make(later(30))
    archived("process-3", sample_body("process-3"))

    made = make(later(0))
    assert leaves(made).keys() == keys(*(f"process-{number}" for number in range(4)))


def test_lost_key_is_never_replaced_by_another() -> None:
    first = make(later(0))
    path = settings().secret_path("anchor")
    text = path.read_text()
    path.unlink()
    kept_secret.cache_clear()

    with pytest.raises(Locked, match=r"the key that signs anchors, .*, is gone; restore the file from a backup"):
        make(later(1))
    assert not path.exists()
    path.write_text(text)
    assert make(later(1)).fingerprint == first.fingerprint


def test_anchor_has_no_leaf_of_an_archive_that_was_erased_while_it_was_made() -> None:
    tombstone: dict[str, Any] = {"batch_id": "b", "ground": "asked", "erased_by": "ann", "confirmed_by": "bob"}
    with writing() as session:
        digest = tombstones.digest_of("process-1")
        row = TombstoneRow(digest=digest, erased_at=later(0), **tombstone)
        tombstones.insert(session, "process-1", row)

    made = make(later(0))

    assert ocfl.object_key("process-1") not in leaves(made)
    assert keys("process-0", "process-2") <= leaves(made).keys()
    held = hold(made.anchor.root)
    assert (held.findings, held.erased) == ((), 0)  # the erasure goes on
