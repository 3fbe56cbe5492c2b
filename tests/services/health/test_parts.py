"""Each check of `cellar status --deep` finds its fault: many are made in one installation, and looked at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer

from adapters.anchors.witness import Comparison, LastAnchor
from adapters.settings.settings import Settings
from adapters.store import last_records
from adapters.tables.runs import receipts
from models.runs.receipt import Cause
from models.said import verbatim
from models.store.backup import LastBackup, LastDrill
from models.views.health import Check, Grade
from services import derived
from services.anchors.making import make
from services.health.checks import examined
from services.health.installation import installation_probes
from services.health.systems import system_probes
from services.people.letters import tell
from tests.conftest import Configure, free_port
from tests.flows.conftest import received
from tests.installations import archived, closed_url
from tests.records import registered
from tests.samples import sample_body

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=3)
FAULTS = {
    "search": "not all found",
    "inbox": "receipts that wait: 1, the oldest for ",
    "ClamAV": "ConnectionRefusedError",
    "last anchor": "cellar anchor",
    "last comparison": "cellar anchor",
    "last backup": "cellar backup",
    "last drill": "cellar restore --drill",
    "witness": "CELLAR_WITNESS_URL",
    "time zones": "CELLAR_TIMEZONE=",
    "people": "cellar people test",
    "settings": "CELLAR_NOTIFY_ALLOW_PRIVATE",
    "ports": "Stop the other program",
    "file modes": "`chmod ",
    "outgoing proxy": "stamps.invalid",
}
"""What a check says of its fault, in finding or advice."""


@pytest.fixture
def quiet(sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer) -> Settings:
    """A migrated installation of which no program runs."""
    configure(PREFECT_API_URL=closed_url(), port=free_port(), outgoing_proxy=httpserver.url_for(""))
    derived.begin()
    for each in (sqlite_installation.data_dir, *sqlite_installation.data_dir.iterdir()):
        each.chmod(0o700)
    return sqlite_installation


def checks() -> dict[str, Check]:
    found = examined([*installation_probes(), *system_probes()], 60)
    return {each.name: each for each in found}


def not_well(found: dict[str, Check]) -> set[str]:
    return {name for name, each in found.items() if each.verdict in (Grade.WRONG, Grade.WARNING)}


def make_faults_of_records(archives: int) -> None:
    """Let archives state a time that is two hours ahead, and the last of each work be three days old."""
    for number in range(archives):
        at = NOW - timedelta(minutes=30 * number)
        event = {"type": "WHP_ARCHIVE", "timestamp": f"{at + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}"}
        archived(f"r{number}", sample_body(f"r{number}", event=event, signed_document=None), at)
    make(NOW)
    anchor = last_records.find(LastAnchor)
    assert anchor
    last_records.keep(LastAnchor(anchor.number, BEFORE, anchor.root, ()))
    last_records.keep(Comparison(BEFORE, number=1))
    last_records.keep(LastBackup(at=BEFORE))
    last_records.keep(LastDrill(at=NOW, differing=1))
    received("late", sample_body("late", signed_document=None), NOW - timedelta(hours=1))
    receipts.set_failed(registered("failed"), Cause("CONFLICT", None, "Conflict", verbatim("two records")), NOW)


def test_every_fault_is_found_and_has_advice(
    quiet: Settings, configure: Configure, httpserver: HTTPServer, tmp_path: Path
) -> None:
    before = not_well(checks())
    assert before == {"receiver", "Prefect"}

    make_faults_of_records(5)
    quiet.data_dir.chmod(0o755)
    configure(
        search_fields="*",
        clamd=closed_url().removeprefix("http://"),
        backup_url=tmp_path,
        witness_url=tmp_path / "not mounted",
        people_urls=closed_url().replace("http", "json"),
        notify_allow_private="true",
        port=urlsplit(httpserver.url_for("")).port,
        time_stamp_urls="https://stamps.invalid",
    )
    tell(NOW + timedelta(hours=1))
    found = checks()

    assert not_well(found) - before == FAULTS.keys()
    said = {name: f"{found[name].found}; {found[name].to_do}" for name in FAULTS}
    assert [said[name] for name, words in FAULTS.items() if words not in said[name]] == []
    assert [name for name in FAULTS if not found[name].to_do] == []


def test_bucket_without_credentials_is_one_fault_that_names_them(quiet: Settings, configure: Configure) -> None:
    """The access key is that of nobody here, and no credentials are in the environment of the tests."""
    archived("r", sample_body("r", signed_document=None), source="leasing")
    configure(store_url="s3://archives/x", AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null")

    wrong = [each for each in examined(system_probes(), 60) if each.verdict in (Grade.WRONG, Grade.WARNING)]

    assert quiet
    assert [each.name for each in wrong] == ["receiver", "Prefect", "store"]
    assert "AWS_ACCESS_KEY_ID" in wrong[-1].found
    assert not [each for each in wrong if "CELLAR_DATABASE_URL" in each.to_do]
