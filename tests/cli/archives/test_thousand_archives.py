"""Validates, verifies, rebuilds and exports many archives, after repeated deliveries and kills.

Every test run checks a few archives in a folder, and `make test-faults` a thousand, in a folder and in a bucket.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import bagit
import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.objects.deliveries import delivery_path
from adapters.tables.messages import notifications
from adapters.tables.runs import runs
from models.archive.archive import State
from models.runs.receipt import RunState
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from tests.cli.conftest import Cellar
from tests.flows.conftest import received
from tests.flows.databases import in_new_database, rows
from tests.flows.persisted import kill_before_write, writes_of
from tests.installations import finished, stored_body
from tests.ocfl_validator import validation_errors
from tests.records import attempted, run_row
from tests.samples import sample_body

# On Python 3.13 bagit's own source warns.
pytestmark = pytest.mark.filterwarnings("ignore:'count' is passed as positional argument")

MOST_FOLDERS_ABOVE = 3
"""The number of folders above an object. The twin may have made that many more folders."""
START = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Bodies = dict[tuple[str, str], bytes]
"""Bodies by reference and receipt id."""


@dataclass(frozen=True)
class Size:
    """The number of archives; how many are killed, validated after a kill, and exported in each way."""

    archives: int
    killed: int
    validated: int
    exported: int


FEW = Size(archives=8, killed=1, validated=1, exported=1)
THOUSAND = Size(archives=1000, killed=100, validated=5, exported=20)


IN_FAULTS = [pytest.mark.faults, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    ("store_kind", "size"),
    [
        pytest.param("folder", FEW, id="few"),
        pytest.param("folder", THOUSAND, id="thousand-folder", marks=IN_FAULTS),
        pytest.param("bucket", THOUSAND, id="thousand-bucket", marks=IN_FAULTS),
    ],
    indirect=["store_kind"],
)
def test_archives_validate_verify_rebuild_and_export(
    configure: Callable[..., Settings],
    sqlite_installation: Settings,
    store_kind: str,
    size: Size,
    cellar: Cellar,
    tmp_path: Path,
) -> None:
    configure(notify_urls="https://downstream.example/hook", notify_secret=SECRET)
    chance = random.Random(20261125)

    bodies = _archived(chance, size, cellar)

    assert all(stored_body(*receipt) == body for receipt, body in bodies.items())
    _expect_sound(cellar, size)
    _expect_exports(chance, size, cellar, bodies, tmp_path)
    before = rows()
    assert before["run"]
    assert before["notification_attempt"]
    assert in_new_database(configure) == size.archives
    assert rows() == before
    assert validation_errors() == []


def _archived(chance: random.Random, size: Size, cellar: Cellar) -> Bodies:
    """Archive all processes, some of them after a kill.

    The twin of a killed archive is archived first. It gives the number of writes from which the kill is chosen.
    """
    all_bodies: Bodies = {}
    step = size.archives // size.killed
    for number in range(size.archives):
        reference = f"process {number} / é" if number % 7 == 0 else f"process-{number}"
        is_twin, is_killed = number % step == 1, number % step == 2
        if not is_killed:
            seed = chance.randrange(1 << 32)
        bodies = list(_bodies_of(reference, random.Random(seed), payer=number // 10 if number % 10 in (3, 7) else None))
        sent = {(reference, _received(reference, body, number)): body for body in bodies}
        all_bodies |= sent
        if is_twin:
            writes = writes_of([*sent])
        if is_killed:
            number_of_write = chance.randrange(writes)
            assert kill_before_write(number_of_write, [*sent]) or number_of_write >= writes - MOST_FOLDERS_ABOVE
            _expect_valid_or_interrupted(reference, cellar if number < step * size.validated else None)
        for receipt in sent:
            _run(*receipt)
        if chance.random() < 0.1:
            _run(reference, _received(reference, chance.choice(bodies), number))
    return all_bodies


def _received(reference: str, body: bytes, minute: int) -> str:
    return received(reference, body, START + timedelta(minutes=minute)).receipt_id


def _run(reference: str, receipt_id: str) -> None:
    """Archive a receipt, and record what a run of the flow records: the run, and its notification of downstream."""
    now = datetime.now(UTC)
    run = run_row(str(uuid4()), receipt_id, reference=reference, started_at=now)
    runs.begin(run)
    finished(reference, receipt_id)
    for message_id in notifications.undelivered(receipt_id):
        attempted(message_id, 204, now)
    runs.end(run.flow_run_id, 1, RunState.COMPLETED, State.COMPLETED, now)
    history.keep(reference, receipt_id)


def _bodies_of(reference: str, chance: random.Random, *, payer: int | None) -> Iterator[bytes]:
    """Yield the bodies of a process: one, or several with another time, other data or other files.

    Processes with the same `payer` name the same transaction. Most bodies have no signed document, because examining
    its signatures takes longer than all the rest.
    """
    document = json.loads(sample_body(reference))
    if chance.random() < 0.8:
        del document["signed_document"]
    if payer is not None:
        document["payments"][0]["transaction_id"] = f"of-payer-{payer}"
    for again in range(chance.choice([1, 1, 1, 2, 3, 5])):
        document["event"]["timestamp"] = f"2026-{1 + chance.randrange(12):02}-01T00:00:00Z"
        if again and chance.random() < 0.4:
            document["data"] = document["data"][: chance.randrange(len(document["data"]) + 1)]
        if chance.random() < 0.3:
            content = base64.b64encode(chance.randbytes(chance.randrange(2000))).decode()
            document["attachments"] = [{"id": "a", "filename": "a.bin", "content": content}]
        yield _spelled(document, chance)


def _spelled(document: dict[str, Any], chance: random.Random) -> bytes:
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return (text.replace("/", r"\/") if chance.random() < 0.3 else text).encode()


def _expect_sound(cellar: Cellar, size: Size) -> None:
    done = cellar("verify", "--json")
    reported = json.loads(done.output)
    assert (done.status, reported["objects"], reported["findings"]) == (0, size.archives, [])


def _expect_valid_or_interrupted(reference: str, cellar: Cellar | None) -> None:
    """Check what a kill has left in this archive and, if `cellar` is given, in the whole store."""
    stored = object_of(reference)
    assert not stored.sizes or verify_object(stored).is_sound
    if cellar:
        done = cellar("verify", "--json")
        assert done.status == 0, done.output
        assert not stored.sizes or json.loads(done.output)["findings"] or validation_errors() == []


def _expect_exports(chance: random.Random, size: Size, cellar: Cellar, bodies: Bodies, folder: Path) -> None:
    references = sorted({reference for reference, _ in bodies})
    for number, reference in enumerate(chance.sample(references, size.exported)):
        for name in (f"{number}", f"{number}.zip"):
            assert cellar("export", reference, "--to", str(folder / name)).status == 0
        ZipFile(folder / f"{number}.zip").extractall(folder / "unpacked")
        for bag in (folder / f"{number}", folder / "unpacked" / f"{number}"):
            assert bagit.Bag(str(bag)).validate()
    kept = {receipt: f"{ocfl.object_key(receipt[0])}/{delivery_path(receipt[1])}" for receipt in bodies}
    deliveries = [receipt for receipt in bodies if store().size(kept[receipt]) is not None]
    versions = [receipt for receipt in bodies if receipt not in set(deliveries)]
    for kind in (deliveries, versions):
        for reference, receipt_id in chance.sample(kind, size.exported):
            to = folder / f"{receipt_id}.json"
            assert cellar("export", reference, "--raw", "--receipt", receipt_id, "--to", str(to)).status == 0
            assert to.read_bytes() == bodies[reference, receipt_id]
