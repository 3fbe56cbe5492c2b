"""`cellar status` finds what is wrong with an installation: each fault is real."""

import base64
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from adapters.database.migration import migrate
from adapters.store import seals
from adapters.tables.runs import receipts
from models.runs.receipt import Cause
from models.said import verbatim
from tests.cli.conftest import Cellar, Ended
from tests.installations import archived, deployed, installed, store_that_does_not_answer
from tests.records import NOON, registered
from tests.samples import sample_body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A migrated installation of which no program runs."""
    with installed(tmp_path):
        (tmp_path / "data").mkdir(mode=0o700)
        migrate()
    return tmp_path


def verdicts(ended: Ended) -> dict[str, tuple[str, str]]:
    """Return verdict and finding of each check."""
    assert ended.errors == ""
    return {each["name"]: (each["verdict"], each["found"]) for each in json.loads(ended.output)["checks"]}


def test_prefect_and_receiver_away(cellar: Cellar, folder: Path) -> None:
    with installed(folder):
        status, deep = cellar("status", "--json"), cellar("status", "--deep", "--json")

    assert (status.status, deep.status) == (1, 1)
    for found in map(verdicts, (status, deep)):
        assert [found[name][0] for name in ("receiver", "Prefect", "workers")] == ["wrong", "wrong", "off"]
        assert [found[name][0] for name in ("database", "store", "inbox")] == ["ok", "ok", "ok"]
    assert json.loads(status.output)["archives"] == {}
    assert json.loads(status.output)["workers"] is None
    assert verdicts(deep)["process-archive/archive"][0] == "off"


def test_store_that_takes_no_file(cellar: Cellar, folder: Path) -> None:
    with installed(folder, **store_that_does_not_answer("folder", folder)):
        found = verdicts(cellar("status", "--json"))

    assert (found["store"][0], found["inbox"][0]) == ("wrong", "ok")


def test_empty_folder_in_place_of_the_store_of_archives(cellar: Cellar, folder: Path) -> None:
    with installed(folder):
        archived("one", sample_body("one"))
    with installed(folder, store_url=folder / "not mounted"):
        found = verdicts(cellar("status", "--json"))
        assert not (folder / "not mounted").exists()

    assert found["store"][0] == "wrong"
    assert "the store is empty while the database has archives" in found["store"][1]
    assert str(folder / "not mounted") in found["store"][1]


def test_database_that_is_not_migrated(cellar: Cellar, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with installed(tmp_path):
        missing = verdicts(cellar("status", "--json"))
        assert list((tmp_path / "data").glob("cellar.db*")) == []
        (tmp_path / "data" / "cellar.db").touch()
        empty = verdicts(cellar("status", "--deep", "--json"))

    assert missing["database"][0] == "wrong"
    assert "run `cellar migrate`" in missing["database"][1]
    assert empty["database"][0] == "wrong"
    assert empty["schema"][0] == "wrong"
    assert empty["schema"][1].startswith("the database has no tables of cellar, this version expects ")


def test_database_of_a_newer_version_asks_for_that_version_and_never_for_a_migration(
    cellar: Cellar, folder: Path
) -> None:
    with closing(sqlite3.connect(folder / "data" / "cellar.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with installed(folder):
        deep, migrated = cellar("status", "--deep", "--json"), cellar("migrate")

    (schema,) = [each for each in json.loads(deep.output)["checks"] if each["name"] == "schema"]
    assert schema["verdict"] == "wrong"
    assert schema["found"].startswith("the database has revision 9999, which this version does not know")
    assert schema["to_do"].startswith("start that version again, or restore the database of before its upgrade")
    assert migrated.status == 1
    assert f"mostly a newer one; {schema['to_do']}" in migrated.errors


@pytest.mark.parametrize("other", [{}, {"seal_keys": base64.b64encode(bytes(64)).decode()}])
def test_master_key_that_is_gone_or_another(cellar: Cellar, folder: Path, other: dict[str, str]) -> None:
    with installed(folder):
        before = verdicts(cellar("status", "--json"))["seal key"]
        archived("one", sample_body("one"))
        seals.fingerprint("a secret")
        after = verdicts(cellar("status", "--json"))["seal key"]
        key = folder / "data" / "secrets" / "seal"
        key.unlink()
    with installed(folder, **other):
        lost = verdicts(cellar("status", "--json"))["seal key"]

    assert (before[0], after) == ("off", ("ok", str(key)))
    assert lost[0] == "wrong"
    assert "no key of CELLAR_SEAL_KEYS opens keys/fingerprint.json" in lost[1]


def test_folder_without_an_installation_stays_empty(cellar: Cellar, tmp_path: Path) -> None:
    with installed(tmp_path):
        found = verdicts(cellar("status", "--deep", "--json"))
        cellar("status")

    assert [found[name][0] for name in ("data folder", "store", "inbox")] == ["wrong"] * 3
    assert list(tmp_path.iterdir()) == []


def test_data_folder_may_be_missing_where_everything_lies_elsewhere(cellar: Cellar, tmp_path: Path) -> None:
    elsewhere = {
        "CELLAR_DATABASE_URL": f"sqlite:///{tmp_path / 'database'}",  # begins like the data folder, and is none of it
        "CELLAR_INBOX_URL": str(tmp_path / "inbox"),
        "CELLAR_STORE_URL": str(tmp_path / "store"),
        "CELLAR_WEBHOOK_SECRETS": "w" * 16,
        "CELLAR_API_TOKENS": "t" * 32,
        "CELLAR_LINK_SECRET": "a" * 43,
        "CELLAR_SEAL_KEYS": base64.b64encode(bytes(64)).decode(),
    }
    with installed(tmp_path, **elsewhere):
        without_a_secret = verdicts(cellar("status", "--deep", "--json"))
    with installed(tmp_path, **elsewhere, CELLAR_ANCHOR_KEY=base64.b64encode(bytes(32)).decode()):
        found = verdicts(cellar("status", "--deep", "--json"))

    assert without_a_secret["data folder"][0] == "wrong"
    assert found["data folder"][0] == "off"
    assert "nothing is kept there" in found["data folder"][1]


def test_no_worker_and_deployments_of_another_version(cellar: Cellar, folder: Path, prefect_server: str) -> None:
    with installed(folder, PREFECT_API_URL=prefect_server), deployed(prefect_server):
        found = verdicts(cellar("status", "--deep", "--json"))

    assert (found["Prefect"][0], found["Prefect version"][0], found["Prefect clock"][0]) == ("ok", "ok", "ok")
    assert found["workers"] == ("wrong", "no worker is online")
    assert found["process-archive/archive"][0] == "wrong"
    assert "another version" in found["process-archive/archive"][1]


def test_another_program_at_the_address_of_prefect_is_one_fault(cellar: Cellar, folder: Path) -> None:
    with HTTPServer() as other, installed(folder, PREFECT_API_URL=other.url_for("/api")):
        other.expect_request(re.compile("")).respond_with_data("another program", status=404)
        found = verdicts(cellar("status", "--deep", "--json"))

    assert "does not answer as Prefect's API; check PREFECT_API_URL" in found["Prefect"][1]
    wrong = [name for name, (verdict, _) in found.items() if verdict == "wrong"]
    assert [name for name in wrong if name not in ("receiver", "file modes")] == ["Prefect"]
    assert found["process-archive/archive"] == ("off", "not known while the Prefect server does not answer")


def test_failed_archive_makes_the_status_1(cellar: Cellar, folder: Path) -> None:
    with installed(folder):
        receipts.set_failed(registered(), Cause("CONFLICT", "load-metadata", "Conflict", verbatim("two records")), NOON)
        ended, found = cellar("status"), json.loads(cellar("status", "--json").output)

    assert (ended.status, found["is_well"]) == (1, False)
    assert "ARCHIVE_FAILED: 1 archive, CONFLICT in load-metadata" in ended.output
    assert found["archives"] == {"failed": 1}
