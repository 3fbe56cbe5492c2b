"""`cellar verify` tells by its exit status what people and scripts must know."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import ocfl, store
from adapters.settings import Settings, settings
from flows.verifying import object_of
from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _installation(sqlite_installation: Settings, store_kind: str) -> None:
    for reference in ("one", "two"):
        archived(reference, sample_body(reference))


def damage(reference: str) -> str:
    found = ocfl.inventory(reference)
    assert found
    key = ocfl.content_key(reference, found, next(iter(found.manifest)))
    store.overwrite_bytes(b"damaged", key)
    return key


def test_sound_store_exits_with_0(cellar: Cellar) -> None:
    done = cellar("verify")

    assert (done.status, "2 archives" in done.output, "sound" in done.output) == (0, True, True)
    assert not (settings().data_dir / "verify.json").exists()


def test_damage_is_named_and_exits_with_1(cellar: Cellar) -> None:
    key = damage("one")

    done = cellar("verify", "--json")

    assert done.status == 1
    told = json.loads(done.output)
    assert [(each["key"], each["fault"]) for each in told["findings"]] == [(key, "damaged")]
    assert not told["is_sound"]
    assert key in cellar("verify").output


def test_single_archives_are_verified(cellar: Cellar) -> None:
    damage("one")

    assert cellar("verify", "two").status == 0
    assert cellar("verify", "one", "two").status == 1


def test_single_archive_that_has_lost_a_delivery_exits_with_1(cellar: Cellar) -> None:
    archived("one", json.dumps(json.loads(sample_body("one")), indent=1).encode())
    assert cellar("verify", "one").status == 0
    for path in object_of("one").sizes:
        if path.startswith("logs/receipts/"):
            store.remove(f"{ocfl.object_key('one')}/{path}")

    done = cellar("verify", "one")

    assert (done.status, "missing" in done.output) == (1, True)


def test_check_that_was_broken_off_goes_on_where_it_was(cellar: Cellar) -> None:
    damage("one")
    first, second = sorted(ocfl.object_key(each) for each in ("one", "two"))
    noted = {"last_key": first, "objects": 1, "files": 5, "size_bytes": 7, "findings": []}
    (settings().data_dir / "verify.json").write_text(json.dumps(noted))

    told = json.loads(cellar("verify", "--resume", "--json").output)

    assert told["objects"] == 2
    assert told["is_sound"] is (second != ocfl.object_key("one"))
    assert not (settings().data_dir / "verify.json").exists()


def test_sample_of_nothing_is_refused(cellar: Cellar) -> None:
    done = cellar("verify", "--sample", "0")

    assert (done.status, "share" in done.errors) == (1, True)


def test_note_that_is_damaged_is_told(cellar: Cellar) -> None:
    (settings().data_dir / "verify.json").write_text("{")

    done = cellar("verify", "--resume")

    assert (done.status, "verify.json" in done.errors) == (1, True)
    assert cellar("verify").status == 0


def test_process_that_is_not_archived_yet_is_told(cellar: Cellar) -> None:
    done = cellar("verify", "unknown")

    assert (done.status, "NOT_ARCHIVED" in done.errors) == (1, True)


def test_store_that_cannot_be_read_is_not_called_sound(
    cellar: Cellar, configure: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    configure(store_url=str(tmp_path / "a file"))

    assert cellar("verify").status != 0
