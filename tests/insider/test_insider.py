"""Rewrites by an insider are found by `cellar verify --against ROOT` and by the daily comparison, and `cellar export`
hands none of them out.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.anchors.anchors import FOLDER
from adapters.anchors.erasing import erase_leaves, leaves_about
from adapters.database import connections
from adapters.database.noted import note
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import happened, ocfl, session_events, tombstones
from adapters.store.lines import digest_of, erase_lines, kept_digest
from models.erasures import TombstoneRow
from services.custody.comparing import compare
from tests.cli.conftest import Cellar
from tests.insider.anchors import anchor, note_newest, sign_with_the_key
from tests.insider.cases import FOLDERS, KINDS, WHOLE_STORE, WITHOUT_ANCHOR, Copies, carry_out, copied
from tests.insider.database import adapt_rows, rebuild_database, rewrite_rows
from tests.insider.installation import added, fill_first_week, fill_second_week, reference_of
from tests.insider.stores import remove_object
from tests.installations import installed
from tests.records import put

ROWS = (("payment", "amount_minor"), ("receipt", "received_at"), ("archive", "state"))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Copies:
    return filled(tmp_path_factory.mktemp("few"), migrated_file, 8)


def filled(folder: Path, migrated: Path, archives: int) -> Copies:
    """Fill an installation during two weeks, with an anchor at the end of each, and return copies of it."""
    earlier, witness = folder / "earlier", folder / "witness"
    witness.mkdir()
    with installed(folder, witness_url=witness):
        settings().data_dir.mkdir()
        shutil.copy(migrated, settings().data_dir / "cellar.db")
        fill_first_week(archives)
        anchor()
        connections.engine().dispose()
        shutil.copytree(settings().data_dir, earlier)
        fill_second_week(archives)
        root = anchor()
        connections.engine().dispose()
        references = [reference_of(each) for each in range(archives)]
        return Copies(settings().data_dir, earlier, witness, migrated, references, root)


def verified(cellar: Cellar, *options: str) -> set[str]:
    """Return the places with findings of `cellar verify`: objects, or folders beside them."""
    done = cellar("verify", *options, "--json")
    findings = json.loads(done.output)["findings"]
    assert done.status == bool(findings), done.errors
    return set(map(place, (each["key"] for each in findings)))


def place(key: str) -> str:
    """Return the object that has a file of the store, or the folder beside the objects."""
    return "/".join(key.split("/")[:5]) if key.startswith(ocfl.ROOT) else key.split("/", maxsplit=1)[0]


def compared(witness: Path | None) -> set[str]:
    """Return the places with findings of the daily comparison."""
    with pytest.MonkeyPatch.context() as patch:
        if witness:
            patch.setenv("CELLAR_WITNESS_URL", str(witness))
        settings.cache_clear()
        found = compare(datetime.now(UTC))
    settings.cache_clear()
    assert not found.failure
    return {place(each.key) for each in found.findings}


def exported(cellar: Cellar, reference: str, bag: Path) -> bool:
    """Return whether export hands an archive out. It refuses an archive only if it does not prove, or is gone."""
    done = cellar("export", reference, "--to", str(bag))
    if done.status == 0:
        return True
    assert (done.status, bag.exists()) == (1, False)
    assert "the archive does not prove" in done.errors or "UNKNOWN_ARCHIVE" in done.errors
    return False


@pytest.mark.parametrize("rebuilds", [False, True])
def test_untouched_store_is_sound_and_is_exported(cellar: Cellar, few: Copies, tmp_path: Path, rebuilds: bool) -> None:
    """Also after its rows were made again in the ways of the forger."""
    with copied(few, tmp_path / "copy"):
        for reference in few.references:
            adapt_rows(reference)
        if rebuilds:
            rebuild_database(few.migrated.read_bytes())
        assert verified(cellar, "--against", few.root) == set()
        assert all(exported(cellar, reference, tmp_path / reference) for reference in few.references)


@pytest.mark.parametrize("kind", KINDS)
def test_rewrite_is_found_and_not_exported_and_with_the_key_only_the_witness_has_it_found(
    cellar: Cellar, few: Copies, tmp_path: Path, kind: str
) -> None:
    with copied(few, tmp_path / "copy"):
        reference = carry_out(kind, few)
        assert is_right(kind, compared(None), reference)
        assert exported(cellar, reference, tmp_path / "bag") == (kind in FOLDERS)

        sign_with_the_key()
        note_newest()
        told = {ocfl.object_key(reference)} if kind == "removed" else set()  # by its discrepancies, which are left
        assert (compared(None), verified(cellar)) == (set(), told)
        found = compared(few.witness)
        assert FOLDER in found
        assert kind in WHOLE_STORE or found == {FOLDER} | places_of_rewrite(kind, reference)


@pytest.mark.faults
@pytest.mark.parametrize(("table", "column"), ROWS)
def test_rewritten_row_is_found_and_not_exported(
    cellar: Cellar, few: Copies, tmp_path: Path, table: str, column: str
) -> None:
    with copied(few, tmp_path / "copy"):
        reference = rewrite_rows(table, column)
        assert verified(cellar, "--against", few.root) == {ocfl.object_key(reference)}
        assert not exported(cellar, reference, tmp_path / "bag")


def test_forged_erasure_is_found_unless_the_forger_has_the_keys_of_the_host(
    cellar: Cellar, few: Copies, tmp_path: Path
) -> None:
    """With the keys, the forger's tombstone is one that was made: people are told of it, and the next anchor has it."""
    with copied(few, tmp_path / "copy"):
        reference, against = few.references[0], ("--against", few.root)
        hashes = leaves_about([reference])[reference]
        remove_object(reference)
        adapt_rows(reference)
        erase_leaves([reference])
        told = {ocfl.object_key(reference)}  # by its discrepancies, which are left
        assert (verified(cellar, *against), compared(None)) == ({FOLDER} | told, {FOLDER})
        assert FOLDER in compared(few.witness)

        about: dict[str, Any] = {"batch_id": "b", "ground": "asked", "erased_by": "ann", "confirmed_by": "bob"}
        digest, at = "0" * 64, datetime.now(UTC)
        put(TombstoneRow(digest=digest, erased_at=at, ended_at=at, lines=hashes, **about))
        assert verified(cellar, *against) == {FOLDER, happened.FOLDER} | told  # of the row, nothing is in the store
        with writing() as session:
            note(session, TombstoneRow)
        happened.keep()
        assert verified(cellar, *against) == {FOLDER} | told  # the digests are not keyed
        tombstones.add_lines(digest, map(kept_digest, hashes))
        happened.keep()
        assert (verified(cellar, *against), compared(None)) == (told, set())
        assert "erased: 1" in cellar("verify", *against).output


def test_line_that_was_replaced_without_a_tombstone_is_found(cellar: Cellar, few: Copies, tmp_path: Path) -> None:
    with copied(few, tmp_path / "copy"):
        for folder in (happened.FOLDER, session_events.FOLDER):
            key = next(key for key, _ in store().listed(folder) if key.endswith(".jsonl"))
            erase_lines(key, [digest_of(store().read_bytes(key).split(b"\n")[0])])
        assert verified(cellar) == {happened.FOLDER, session_events.FOLDER}


def test_archive_that_was_never_sent_is_outside_the_anchor(cellar: Cellar, few: Copies, tmp_path: Path) -> None:
    """No anchor can know it. What contradicts it is the sender, who has no answer with its receipt id."""
    with copied(few, tmp_path / "copy"):
        added("forged")
        done = cellar("verify", "--against", few.root)
    assert (done.status, "not covered: 1" in done.output) == (0, True)


def is_right(kind: str, found: set[str], reference: str) -> bool:
    its = places_of_rewrite(kind, reference)
    if kind in WITHOUT_ANCHOR:  # only the witness could name the archives; a receipt id may contradict its request
        return {FOLDER} <= found <= {FOLDER} | its
    return found == its


def places_of_rewrite(kind: str, reference: str) -> set[str]:
    return FOLDERS.get(kind) or {ocfl.object_key(reference)}
