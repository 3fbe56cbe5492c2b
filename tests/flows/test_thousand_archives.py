"""A thousand archives, with re-sendings, killed writers and corruptions: they validate, verify, rebuild and export."""

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters import ocfl, receipts, store
from adapters.inbox import Intake
from adapters.settings import Settings, settings
from cli.export import export
from flows.verifying import stored_objects, verify_objects
from models.fixity import Fault
from tests.flows.databases import in_new_database, rows
from tests.installations import finished, stored_body
from tests.judge import judged
from tests.samples import sample_document

PROCESSES = 1000
KILLED = 40
START = datetime(2026, 1, 1, tzinfo=UTC)


def spelled(chance: random.Random, document: dict[str, Any]) -> bytes:
    """The document in one of the ways in which senders write JSON."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return (text.replace("/", r"\/") if chance.random() < 0.3 else text).encode()


def sendings(chance: random.Random, number: int) -> list[tuple[str, bytes]]:
    """What is sent of a process: once, or again with its time, its data or its files changed, in any order."""
    reference = f"process {number} / é" if number % 7 == 0 else f"process-{number}"
    document = sample_document() | {"reference": reference}
    document["sessions"] = [each | {"reference": reference, "process_id": reference} for each in document["sessions"]]
    sent = []
    for again in range(chance.choice([1, 1, 1, 2, 3, 5])):
        document["event"] = document["event"] | {"timestamp": f"2026-{1 + chance.randrange(12):02}-01T00:00:00Z"}
        if again and chance.random() < 0.4:
            document["data"] = document["data"][: chance.randrange(len(document["data"]) + 1)]
        if chance.random() < 0.3:
            content = chance.randbytes(chance.randrange(2000))
            document["attachments"] = [{"id": "a", "filename": "a.bin", "content": base64.b64encode(content).decode()}]
        sent.append((reference, spelled(chance, document)))
    return sent


def received(reference: str, body: bytes, minute: int) -> str:
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    sending = intake.accept(reference, START + timedelta(minutes=minute), {})
    receipts.register(sending)
    return sending.receipt_id


def killed(writes: int, receipt_ids: list[tuple[str, str]]) -> None:
    """Take receipts to their end in a process that is killed before so many writes."""
    pairs = [f"{reference}={receipt_id}" for reference, receipt_id in receipt_ids]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tests.flows.persisted", str(writes), *pairs]
    status = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode
    assert status in (0, -9)


@pytest.mark.filterwarnings("ignore:'count' is passed as positional argument")  # bagit's own, on Python 3.13
@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_thousand_archives_validate_verify_rebuild_and_export(
    configure: Callable[..., Settings], sqlite_installation: Settings, tmp_path: Path
) -> None:
    chance = random.Random(20261125)
    bodies: dict[str, tuple[str, bytes]] = {}
    for number in range(PROCESSES):
        sent = [(reference, received(reference, body, number), body) for reference, body in sendings(chance, number)]
        bodies |= {receipt_id: (reference, body) for reference, receipt_id, body in sent}
        if number % (PROCESSES // KILLED) == 0:
            killed(chance.randrange(30), [(reference, receipt_id) for reference, receipt_id, _ in sent])
        for reference, receipt_id, _ in sent:
            finished(reference, receipt_id)

    assert judged() == []
    assert verify_objects(stored_objects()).findings == ()
    assert all(stored_body(reference, receipt_id) == body for receipt_id, (reference, body) in bodies.items())
    _expect_every_corruption_to_be_found(chance)
    _expect_bags(chance, sorted({reference for reference, _ in bodies.values()}), tmp_path)
    before = rows()
    assert in_new_database(configure) == PROCESSES
    assert rows() == before


def _expect_every_corruption_to_be_found(chance: random.Random) -> None:
    """Damage files of a hundred objects, each in one way, and put them right again."""
    objects = chance.sample([each for each in stored_objects() if each.key], 100)
    whole, expected = {}, {}
    for number, each in enumerate(objects):
        path = chance.choice([path for path in each.sizes if "/content/" in path])
        key = f"{each.key}/{path}"
        whole[key] = store.read_bytes(key)
        match number % 4:
            case 0:
                flipped = bytearray(whole[key] or b"\0")
                flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
                _write(key, bytes(flipped))
                expected[key] = Fault.DAMAGED
            case 1:
                _path(key).unlink()
                expected[key] = Fault.MISSING
            case 2:
                _write(f"{each.key}/v1/content/unknown", b"x")
                expected[f"{each.key}/v1/content/unknown"] = Fault.EXTRA
            case _:
                _write(key, whole[key][:-1] if whole[key] else b"longer")
                expected[key] = Fault.DAMAGED
    found = {finding.key: finding.fault for finding in verify_objects(stored_objects()).findings}
    of_logs = {key for key in found if f"/{ocfl.LOGS}/" in key}  # what rebuilds from a damaged file is damaged too
    assert {key: fault for key, fault in found.items() if key not in of_logs} == expected
    for key, data in whole.items():
        _write(key, data)
    for key, fault in expected.items():
        if fault is Fault.EXTRA:
            _path(key).unlink()
    assert verify_objects(stored_objects()).findings == ()


def _expect_bags(chance: random.Random, references: list[str], folder: Path) -> None:
    bagit = pytest.importorskip("bagit")
    for number, reference in enumerate(chance.sample(references, 20)):
        export(reference, to=folder / f"bag-{number}")
        assert bagit.Bag(str(folder / f"bag-{number}")).validate()


def _path(key: str) -> Path:
    return Path(settings().store_location) / key


def _write(key: str, data: bytes) -> None:
    _path(key).write_bytes(data)
