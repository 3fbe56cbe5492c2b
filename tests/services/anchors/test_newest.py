"""An archive is held against what this installation knows of anchors, without a root that somebody noted."""

import base64
import json
import secrets
import shutil
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from services.anchors.anchors import against_newest
from services.anchors.making import make
from tests.conftest import Configure
from tests.installations import archived
from tests.prepared import Prepared
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _archives(sqlite_installation: Settings, prepared: Prepared) -> None:
    prepared.copy(one_archive)


def one_archive() -> None:
    archived("process-1", sample_body("process-1"))


def anchored(days: int = 0) -> None:
    make(datetime.now(UTC) + timedelta(days=days))


def folder() -> Path:
    return Path(settings().store_location)


def forget_note() -> None:
    (settings().data_dir / "last-anchor.json").unlink()


def found() -> list[str]:
    return [each.expected for each in against_newest("process-1")]


def forged() -> None:
    """Write another time of arrival into the inventory of the object."""
    key = f"{ocfl.object_key('process-1')}/{ocfl.INVENTORY}"
    inventory = json.loads(store().read_bytes(key))
    inventory["versions"]["v1"]["created"] = "2026-01-01T00:00:00+00:00"
    store().overwrite_bytes(json.dumps(inventory, indent=1).encode(), key)


def test_nothing_speaks_against_archives_without_anchors_and_anchored_changed_and_new_ones() -> None:
    assert found() == []
    anchored()
    assert found() == []

    archived("process-1", sample_body("process-1", data=[]))
    archived("process-2", sample_body("process-2"))
    assert (found(), against_newest("process-2")) == ([], ())


def test_nothing_speaks_against_an_archive_while_anchors_are_made(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "witness").mkdir()
    configure(witness_url=tmp_path / "witness")
    with ThreadPoolExecutor(1) as threads:
        making = threads.submit(lambda: deque(map(anchored, [0] * 20)))
        while not making.done():
            assert against_newest("process-1") == ()
        making.result()


def test_rewritten_object_is_found_also_after_the_next_anchor() -> None:
    anchored()
    forged()

    assert [each.key for each in against_newest("process-1")] == [f"{ocfl.object_key('process-1')}/{ocfl.INVENTORY}"]
    make(datetime.now(UTC), whole=True)
    assert "as in anchor 1" in str(found())


@pytest.mark.parametrize("has_witness", [False, True])
def test_removed_anchor_is_found_by_the_note_of_this_machine_or_by_the_witness(
    configure: Configure, tmp_path: Path, has_witness: bool
) -> None:
    (tmp_path / "witness").mkdir()
    configure(**({"witness_url": tmp_path / "witness"} if has_witness else {}))
    anchored()
    anchored(1)
    if has_witness:
        forget_note()
    shutil.rmtree(folder() / "anchors" / "000002")

    expected = "the anchors of the witness" if has_witness else "the anchor that this machine made last"
    assert found() == [expected]


def test_anchor_of_another_key_is_found_by_a_machine_that_has_not_made_it(configure: Configure) -> None:
    anchored()
    forget_note()
    assert found() == []

    configure(anchor_key=base64.b64encode(secrets.token_bytes(32)).decode())
    assert found() == ["a signature by the key of this installation; if the key was changed, run `cellar anchor`"]

    anchored(1)
    assert found() == []


def test_machine_without_key_and_note_says_nothing_of_the_signature() -> None:
    anchored()
    forget_note()
    settings().secret_path("anchor").unlink()

    assert found() == []
    assert not settings().secret_path("anchor").exists()


def test_missing_earlier_anchor_is_found() -> None:
    for day in range(3):
        anchored(day)
    shutil.rmtree(folder() / "anchors/000001")

    assert [each.key for each in against_newest("process-1")] == ["anchors/000001/statement"]


def test_damaged_statement_is_found() -> None:
    anchored()
    store().overwrite_bytes(b"{}", "anchors/000001/statement")

    assert found() == ["whole anchors"]
