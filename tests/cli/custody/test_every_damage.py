"""No face calls a damage well: an archive for each kind of damage, checked once, then asked of every face."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from adapters.database.connections import engine
from adapters.inbox import session_events
from adapters.settings.settings import settings
from adapters.store import ocfl, seals
from models.access import Role
from models.sources import StatedTerms
from models.templates import Names, TemplateWords, key_of
from models.views.messages import NewEndpoint
from services import sources, templates
from services.access import tokens
from services.anchors.making import make
from services.completeness.session_events import take_in
from services.custody.verifying_records import verify_beside
from services.messages import endpoints
from tests.api.conftest import TOKEN, started
from tests.api.console.conftest import Console
from tests.cli.conftest import Cellar
from tests.conftest import make_tables
from tests.installations import archived, installed
from tests.samples import sample_body
from tests.session_events import body as event_body
from tests.session_events import journaled

NOW = datetime.now(UTC)
Damage = Callable[[Path], None]
_AT_ONCE = 4  # an archive waits for the disk and for a process that reads its document


def delete(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    _write(path, bytes(data))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    """Put a link to the same bytes in the place of a file or a folder."""
    elsewhere = settings().data_dir / path.relative_to(_object_above(path)).as_posix().replace("/", "-")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def swap(path: Path) -> None:
    """Swap a file with the next of its folder."""
    other = next(each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path)
    mine, theirs = path.read_bytes(), other.read_bytes()
    _write(path, theirs)
    _write(other, mine)


def of_another(path: Path) -> None:
    """Put the same file of an archive that is whole in the place of a file, or its key in the place of a key."""
    above = _object_above(path)
    whole = _key(WHOLE)
    if above != Path(settings().store_location):
        theirs = _object(WHOLE) / path.relative_to(above)
        whole = theirs if theirs.exists() else next(theirs.parent.glob("*.json"))
    _write(path, whole.read_bytes())


def remove_folder(path: Path) -> None:
    shutil.rmtree(path)


def file_in_place(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"x")


def extra_file(path: Path) -> None:
    (path / "strange").write_bytes(b"x")


def _write(path: Path, data: bytes) -> None:
    """Replace a file. Its bytes may be shared by a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


DAMAGES: Mapping[str, tuple[Damage, ...]] = {
    "v1/content/files/*": (delete, flip, folder, link, pipe, swap),
    "v1/content/skeleton.json": (delete, flip, folder, link, of_another),
    "v1/content/cuts.json": (delete, of_another),
    "v1/content/signatures.json": (delete, flip),
    "inventory.json": (delete, flip, folder, link, of_another),
    "inventory.json.sha256": (delete, of_another),
    "v1/inventory.json": (delete, of_another),
    "0=ocfl_object_1.1": (delete, flip),
    "logs/history/*.json": (delete, flip, link, of_another),
    "logs/receipts/*/skeleton.json": (flip,),
    "logs/receipts/*/receipt.json": (delete, flip),
    "v1": (remove_folder, extra_file),
    "v1/content/files": (remove_folder, link, extra_file),
    "logs": (remove_folder, file_in_place, extra_file),
    ".": (remove_folder, file_in_place, extra_file),
}
"""What is damaged, by a pattern below the object of an archive."""
KEY = (delete, flip, link, of_another)
"""What is done to the key of an archive, beside which its sealed values are lost."""
ROWS = {
    "payment": "amount_minor = 1",
    "file": "filename = 'another.pdf'",
    "form_field": "value = '\"another\"'",
    "session": "recipient_name = 'another'",
    "receipt": "received_at = '2020-01-01 00:00:00'",
}
"""What somebody writes into the database of an archive, by table."""
BESIDE: Mapping[str, Damage] = {
    "archives/0=ocfl_1.1": delete,
    "archives/ocfl_layout.json": flip,
    "archives/extensions/*/config.json": flip,
    "archives": extra_file,
    "keys/fingerprint.json": flip,
    "sources/shop.json": flip,
    "tokens/bi.json": flip,
    "sources/lost.json": delete,
    "endpoints/crm.json": flip,
    f"templates/{key_of('lease')}.json": flip,
    f"templates/{key_of('lost')}.json": delete,
    "events/*/*/*/*.jsonl": flip,
}
"""What is damaged beside the archives."""
ANCHORS: Mapping[str, Damage] = {
    "anchors/000001/*.leaves.gz": flip,
    "anchors/000002/*.index": delete,
    "anchors/000003/*.signature": flip,
    "anchors/000004/statement": flip,
}
"""What is damaged of anchors, at last: no archive is handed out beside a damaged anchor."""
WHOLE = "whole"


def _object(reference: str) -> Path:
    return Path(settings().store_location) / ocfl.object_key(reference)


def _key(reference: str) -> Path:
    return Path(settings().store_location) / seals.key_location(reference)


def _object_above(path: Path) -> Path:
    """Return the folder of the object that a path is in, or the store."""
    store = Path(settings().store_location)
    return next((each for each in (path, *path.parents) if each.name.startswith("urn%3acellar")), store)


@dataclass(frozen=True, slots=True)
class Damaged:
    """What was done: to an archive, by its reference, or to a file beside the archives, by its key."""

    what: str
    reference: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Damages:
    """A damaged installation after one check of its whole store: what verify has found, and a browser of a person."""

    damages: tuple[Damaged, ...]
    findings: list[dict[str, str]]
    console: httpx.Client

    def get(self, path: str) -> str:
        return self.console.get(path, headers={"authorization": f"Bearer {TOKEN}"}).raise_for_status().text

    def faults_of(self, damage: Damaged) -> list[str]:
        """Return the faults that verify has found where a damage is."""
        keys = damage.key or ocfl.object_key(damage.reference), seals.key_location(damage.reference)
        return [each["fault"] for each in self.findings if each["key"].startswith(keys)]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damages]:
    folder = tmp_path_factory.mktemp("damages")
    with installed(folder, api_tokens=TOKEN):
        make_tables()
        damages = tuple(_damaged())
        command = [sys.executable, "-m", "cli.main", "verify", "--json"]
        verified = subprocess.run(command, capture_output=True, check=False, text=True)
        with started() as receiver, Console(receiver, folder, {}).person() as console:
            yield Damages(damages, json.loads(verified.stdout)["findings"], console)


def _damaged() -> Iterator[Damaged]:
    """Make the archives and what lies beside them, then damage each in its own way."""
    ways = [(pattern, way) for pattern, its in DAMAGES.items() for way in its]
    references = [f"object-{number}" for number in range(len(ways))]
    references += [WHOLE, *(f"key-{each.__name__}" for each in KEY), *(f"row-{each}" for each in ROWS)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda reference: archived(reference, sample_body(reference)), references))
    for number, (pattern, _) in enumerate(ways):
        if pattern.startswith("logs/receipts"):
            body = json.loads(sample_body(f"object-{number}"))
            archived(f"object-{number}", json.dumps(body, indent=1).encode())
    _make_beside()
    for number, (pattern, way) in enumerate(ways):
        reference = f"object-{number}"
        way(_object(reference) if pattern == "." else sorted(_object(reference).glob(pattern))[0])
        yield Damaged(f"{way.__name__} {pattern}", reference)
    for way in KEY:
        way(_key(f"key-{way.__name__}"))
        yield Damaged(f"{way.__name__} key", f"key-{way.__name__}")
    for table, change in ROWS.items():
        with engine().begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {change} WHERE reference = 'row-{table}'")
        yield Damaged(f"row of {table}", f"row-{table}")
    yield from _damaged_beside(BESIDE)


def _damaged_beside(damages: Mapping[str, Damage]) -> Iterator[Damaged]:
    store = Path(settings().store_location)
    for pattern, way in damages.items():
        (path,) = store.glob(pattern)
        way(path)
        yield Damaged(f"{way.__name__} {pattern}", key=str(path.relative_to(store)))


def _make_beside() -> None:
    for name in ("shop", "lost"):
        sources.add(name, StatedTerms(), "a test", NOW)
    tokens.add("bi", Role.DATA, None, None, "a test", NOW)
    archived("of-lost", sample_body("of-lost"), source="lost")
    endpoints.add(NewEndpoint(url="https://books.example.com/hook", name="crm"), "a test", NOW)
    templates.name(dict.fromkeys(("lease", "lost"), TemplateWords(name=Names(en="Lease"))), "a test", NOW)
    journaled([event_body()])
    take_in(session_events.batches())
    for _ in ANCHORS:
        make(datetime.now(UTC), whole=True)


def test_verify_names_each_damage_and_nothing_that_is_whole(installation: Damages) -> None:
    assert [each.what for each in installation.damages if not installation.faults_of(each)] == []
    assert installation.faults_of(Damaged("", WHOLE)) == []


def test_no_face_of_an_archive_calls_its_damage_well(installation: Damages, cellar: Cellar, tmp_path: Path) -> None:
    faces = _faces_of_archives(installation, cellar, tmp_path)
    damaged = [each for each in installation.damages if each.reference]

    assert [(each.what, face) for each in damaged for face, is_well in faces.items() if is_well(each.reference)] == []
    assert [face for face, is_well in faces.items() if not is_well(WHOLE)] == []


def _faces_of_archives(installation: Damages, cellar: Cellar, folder: Path) -> Mapping[str, Callable[[str], bool]]:
    """Return the faces of an archive, each as a function that tells whether it calls the archive well."""
    listed = json.loads(cellar("list", "--attention", "--limit", "200", "--json").output)
    attention = {each["reference"] for each in listed["items"]}

    def dossier(reference: str) -> bool:
        """Return whether the page names no condition, or calls a signature sound beside a damaged file."""
        page = installation.get(f"/console/archives/{reference}")
        return not re.search("FILE_|ROWS_", page) or ("FILE_" in page and ">Sound<" in page)

    def export(reference: str) -> bool:
        """Return whether an archive is handed out without a word, or denied as one that never was."""
        done = cellar("export", reference, "--to", str(folder / reference))
        if "UNKNOWN_ARCHIVE" in done.errors:
            return True
        return done.status == 0 and "The key of the archive is missing or damaged" not in done.errors

    return {
        "list": lambda reference: reference not in attention,
        "show": lambda reference: not re.search("FILE_|ROWS_", cellar("show", reference).output),
        "api": lambda reference: not json.loads(installation.get(f"/api/archives/{reference}"))["conditions"],
        "dossier": dossier,
        "export": export,
    }


def test_every_face_of_the_installation_counts_the_damages(installation: Damages, cellar: Cellar) -> None:
    archives = {each.reference for each in installation.damages if each.reference}
    status = json.loads(cellar("status", "--json").output)
    failures = json.loads(cellar("failures", "--json").output)
    overview = json.loads(installation.get("/api/overview"))
    page, metrics = installation.get("/console/"), installation.get("/metrics")

    groups = status["conditions"]
    assert {each["kind"] for each in groups} == {"archive", "store"}
    assert sum(each["subjects"] for each in groups if each["kind"] == "archive") >= len(archives)
    assert {each["name"]: each["verdict"] for each in status["checks"]}["last verify"] == "wrong"
    assert (status["is_well"], failures["conditions"], overview["attention"]["conditions"]) == (False, groups, groups)
    assert "No archive has failed" not in cellar("failures").output
    for each in groups:
        labels = ",".join(f'{label}="{each[label]}"' for label in ("code", "kind", "severity"))
        counted = f"cellar_conditions{{{labels}}} {float(each['subjects'])}"
        assert counted in metrics, each
        assert f"condition={each['code']}" in page or each["kind"] == "store"
    assert "Checks of the store have found damage" in page


def test_verify_names_each_damaged_anchor(installation: Damages) -> None:
    whole = {each.key for each in verify_beside().findings}
    damaged = {f"{each.key.rpartition('/')[0]}/statement" for each in _damaged_beside(ANCHORS)}

    assert damaged <= {each.key for each in verify_beside().findings} - whole
