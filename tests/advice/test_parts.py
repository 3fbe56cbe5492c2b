"""What `cellar status --deep` says to do about each part that is not well makes it well."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer

from adapters.anchors.witness import Comparison, LastAnchor
from adapters.settings.settings import Settings, settings
from adapters.store import last_records, ocfl, seals
from adapters.tables.runs import receipts
from api.console.words.telling import part_meaning
from cli.operation.status import prefect_yaml
from models.runs.receipt import Cause
from models.said import verbatim
from models.sources import StatedTerms
from models.store.backup import LastBackup, LastDrill
from models.views.health import Check, Grade
from services import derived, sources
from services.anchors.making import make
from services.custody.comparing import compare
from services.health.agreement import agreement_probes
from services.health.checks import Probe, examined
from services.health.installation import installation_probes
from services.health.systems import system_probes
from services.people.letters import tell
from tests.advice.following import followed, ran
from tests.cli.conftest import Cellar
from tests.conftest import Configure, free_port
from tests.flows.conftest import received
from tests.installations import archived, closed_url, database_that_is_away, finished
from tests.records import registered
from tests.samples import sample_body

NOW = datetime.now(UTC)
Mend = Callable[[], object]


@dataclass(frozen=True)
class World:
    configure: Configure
    cellar: Cellar
    folder: Path
    chat: str

    @property
    def database(self) -> Path:
        return Path(settings().database_location.removeprefix("sqlite:///"))


@pytest.fixture
def world(
    sqlite_installation: Settings, configure: Configure, cellar: Cellar, tmp_path: Path, httpserver: HTTPServer
) -> World:
    """A migrated installation of which no program runs."""
    chat = httpserver.url_for("/chat").replace("http", "json")
    configure(PREFECT_API_URL=closed_url(), port=free_port(), outgoing_proxy=httpserver.url_for(""))
    derived.begin()
    for each in (sqlite_installation.data_dir, *sqlite_installation.data_dir.iterdir()):
        each.chmod(0o700)
    httpserver.expect_request("/chat").respond_with_data("")
    return World(configure, cellar, tmp_path, chat)


def probes() -> list[Probe]:
    agreement = agreement_probes(prefect_yaml())
    return [*installation_probes(), *system_probes(), *agreement]


def check(name: str) -> Check:
    [found] = examined([each for each in probes() if each.name == name], 60)
    return found


def nothing() -> None:
    """Do nothing: the commands that the advice names are all."""


def not_migrated(world: World) -> Mend:
    world.configure()  # closes the database
    for each in world.database.parent.glob(f"{world.database.name}*"):
        each.unlink()
    world.database.touch()
    return nothing


def database(world: World) -> Mend:
    place = settings().database_location
    world.configure(database_url=database_that_is_away())
    return lambda: world.configure(database_url=place)


def search(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    world.configure(search_fields="*")
    return indexed


def search_fills_in(world: World) -> Mend:
    mend = search(world)
    derived.begin()
    return mend


def indexed() -> None:
    """Do as a worker does."""
    while derived.fill():
        pass


def place_of(setting: str) -> Callable[[World], Mend]:
    """Return the situation that a setting names a place whose disk is not there."""

    def _away(world: World) -> Mend:
        place = getattr(settings(), setting.replace("_url", "_location"))
        world.configure(**{setting: world.folder / "disk" / "that is not mounted"})
        return lambda: world.configure(**{setting: place})

    return _away


def store_of_another_disk(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    return place_of("store_url")(world)


def bucket_without_credentials(world: World) -> Mend:
    """The access key is that of nobody here, and no credentials are in the environment of the tests."""
    archived("r", sample_body("r", signed_document=None), source="leasing")
    place = settings().store_location
    world.configure(store_url="s3://archives/x", AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null")
    return lambda: world.configure(store_url=place)


def late_inbox(_world: World) -> Mend:
    receipt_id = received("r", sample_body("r", signed_document=None), NOW - timedelta(hours=1)).receipt_id
    return lambda: finished("r", receipt_id)


def clamav(world: World) -> Mend:
    world.configure(clamd=closed_url().removeprefix("http://"))
    return lambda: world.configure(clamd="")


def silent_source(_world: World) -> Mend:
    sources.add("leasing", StatedTerms(), "a test", NOW)
    return lambda: archived("r", sample_body("r", signed_document=None), source="leasing")


def seal_key(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    seals.fingerprint("a secret")
    key = settings().secret_path("seal")
    key.rename(world.folder / "backup of the key")
    world.configure()
    return lambda: (world.folder / "backup of the key").rename(key)


def old_anchor(_world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    make(NOW)
    found = last_records.find(LastAnchor)
    assert found
    last_records.keep(type(found)(found.number, NOW - timedelta(days=3), found.root, ()))
    archived("s", sample_body("s", signed_document=None))
    return nothing


def old_comparison(_world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    make(NOW)
    last_records.keep(Comparison(NOW - timedelta(days=3), number=1))
    return nothing


def archive_that_was_removed(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    make(NOW)
    place = Path(settings().store_location) / ocfl.object_key("r")
    place.rename(world.folder / "backup of the store")
    compare(NOW)

    def _restored() -> None:
        (world.folder / "backup of the store").rename(place)
        assert world.cellar("anchor").status == 0

    return _restored


def witness_that_is_away(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    make(NOW)
    mend = witness(world)
    compare(NOW)

    def _mounted() -> None:
        mend()
        for _ in range(2):
            world.cellar("anchor")

    return _mounted


def old_backup(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    (world.folder / "backups").mkdir()
    world.configure(backup_url=world.folder / "backups")
    last_records.keep(LastBackup(at=NOW - timedelta(days=3)))
    return nothing


def drill_that_failed(world: World) -> Mend:
    old_backup(world)
    assert world.cellar("backup").status == 0
    last_records.keep(LastDrill(at=NOW, differing=1))
    return nothing


def anchor_key(world: World) -> Mend:
    archived("r", sample_body("r", signed_document=None))
    make(NOW)
    key = settings().secret_path("anchor")
    key.rename(world.folder / "backup of the key")
    return lambda: (world.folder / "backup of the key").rename(key)


def witness(world: World) -> Mend:
    folder = world.folder / "witness"
    world.configure(witness_url=folder)
    return folder.mkdir


def time_zone(world: World) -> Mend:
    """Five archives state a time that is two hours ahead."""
    for number in range(5):
        at = NOW - timedelta(minutes=30 * number)
        event = {"type": "WHP_ARCHIVE", "timestamp": f"{at + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}"}
        archived(f"r{number}", sample_body(f"r{number}", event=event), at)
    zone = re.search(r"CELLAR_TIMEZONE=(\S+),", check("time zones").to_do)
    assert zone

    def _run_again() -> None:
        world.configure(timezone=zone[1])
        for number in range(5):
            ran(f"r{number}")

    return _run_again


def people(world: World) -> Mend:
    world.configure(people_urls=closed_url().replace("http", "json"))
    receipts.set_failed(registered("r"), Cause("CONFLICT", None, "Conflict", verbatim("two records")), NOW)
    tell(NOW + timedelta(hours=1))
    return lambda: world.configure(people_urls=world.chat)


def private_endpoints(world: World) -> Mend:
    world.configure(notify_allow_private="true")
    return lambda: world.configure(notify_allow_private="false")


def data_folder(world: World) -> Mend:
    place = settings().data_dir
    world.configure(data_dir=world.folder / "elsewhere")
    return lambda: world.configure(data_dir=place)


def ports(world: World) -> Mend:
    free = settings().port
    world.configure(port=urlsplit(world.chat).port)
    return lambda: world.configure(port=free)


def file_modes(_world: World) -> Mend:
    settings().data_dir.chmod(0o755)
    command = re.search(r"`(chmod [^`]*)`", check("file modes").to_do)
    assert command
    return lambda: subprocess.run(command[1], shell=True, check=True)


def proxy_that_refuses(world: World) -> Mend:
    world.configure(time_stamp_urls="https://stamps.invalid")
    return lambda: world.configure(time_stamp_urls="")


SITUATIONS: dict[str, list[Callable[[World], Mend]]] = {
    "database": [database, not_migrated],
    "schema": [not_migrated],
    "search": [search, search_fills_in],
    "store": [place_of("store_url"), store_of_another_disk, bucket_without_credentials],
    "inbox": [place_of("inbox_url"), late_inbox],
    "ClamAV": [clamav],
    "sources": [silent_source],
    "seal key": [seal_key],
    "last anchor": [old_anchor],
    "last comparison": [old_comparison, archive_that_was_removed, witness_that_is_away],
    "last backup": [old_backup],
    "last drill": [drill_that_failed],
    "anchor key": [anchor_key],
    "witness": [witness],
    "time zones": [time_zone],
    "people": [people],
    "settings": [private_endpoints],
    "data folder": [data_folder],
    "ports": [ports],
    "file modes": [file_modes],
    "outgoing proxy": [proxy_that_refuses],
}
"""What makes each part not well. Each returns what a person does, besides the commands that the advice names."""

OF_PROGRAMS = {
    "receiver",
    "Prefect",
    "workers",
    "housekeeping",
    "Prefect version",
    "Prefect servers",
    "Prefect events",
} | {*("Prefect clock", "Prefect retention", "work pool", "last verify")}
"""`cellar up` ends these: `tests/end_to_end/test_operation.py` finds every part well beside it."""
OF_MACHINES = {"Python", "database clock", "disk of data", "disk of inbox", "disk of store", "connections"} | {
    f"encryption of {place}" for place in ("store", "inbox", "spool", "database", "Prefect's database")
}
"""Of another Python, clock, disk or server. `tests/faults/test_disks.py` fills a disk. No encryption is wrong."""


def test_every_part_has_its_situation(world: World) -> None:
    names = {each.name for each in probes() if "/" not in each.name}  # with a slash: a deployment, as `work pool`
    assert world
    assert names <= SITUATIONS.keys() | OF_PROGRAMS | OF_MACHINES


@pytest.mark.parametrize(
    ("name", "situation"), [(name, each) for name, several in SITUATIONS.items() for each in several]
)
def test_advice_about_a_part_makes_it_well(world: World, name: str, situation: Callable[[World], Mend]) -> None:
    assert check(name).verdict in (Grade.OK, Grade.OFF)
    mend = situation(world)
    found = check(name)
    assert found.verdict in (Grade.WRONG, Grade.WARNING), found
    meaning = part_meaning(found)
    advice = f"{found.found}; {found.to_do}; {meaning.to_do if meaning else ''}"
    assert found.to_do or "`" in found.found

    followed(world.cellar, advice, NAME="leasing")
    mend()

    assert check(name).verdict in (Grade.OK, Grade.OFF), check(name)


def test_bucket_without_credentials_is_one_fault_that_names_them(world: World) -> None:
    bucket_without_credentials(world)

    wrong = [each for each in examined(system_probes(), 60) if each.verdict in (Grade.WRONG, Grade.WARNING)]

    assert [each.name for each in wrong] == ["receiver", "Prefect", "store"]
    assert "AWS_ACCESS_KEY_ID" in wrong[-1].found
    assert not [each for each in wrong if "CELLAR_DATABASE_URL" in each.to_do]
