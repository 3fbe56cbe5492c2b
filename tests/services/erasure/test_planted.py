"""Each of the planted values is found before an erasure, and none afterwards: on SQLite, on Postgres, in a bucket."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select, update

from adapters.database.connections import engine
from adapters.files.bucket import client
from models.access import CELLAR, Action, Caller, Role
from models.archive.archive import ArchiveRow
from models.messages.notification import NotificationRow
from services.access.log import record, searched
from services.anchors.making import make
from services.erasure import removing
from services.evidence.bag import evidence, write_evidence
from services.evidence.package import write_package
from services.views.unmasking import unmask
from tests.conftest import Configure, bucket_at
from tests.records import all_of, change
from tests.services.erasure.planted import MAIL, OTHER, PHONE, REFERENCE, VALUES, plant
from tests.services.erasure.searching import everything, found_in, of_person, served
from tests.services.erasure.test_erase import erased

NOW = datetime.now(UTC)


@pytest.fixture(params=["sqlite", "postgres", "bucket"])
def _installed(request: pytest.FixtureRequest, configure: Configure) -> None:
    if request.param == "postgres":
        configure(database_url=request.getfixturevalue("postgres_installation"))
        return
    request.getfixturevalue("sqlite_installation")
    if request.param == "bucket":
        name = f"planted-{secrets.token_hex(4)}"
        configure(store_url=f"s3://{name}/store", **bucket_at(request.getfixturevalue("s3_server")))
        client().create_bucket(Bucket=name)
        client().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.usefixtures("_installed")
def test_each_planted_value_is_found_before_an_erasure_and_none_afterwards(
    migrated_prefect: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    receipt_id = plant(migrated_prefect)
    _look_at(receipt_id, tmp_path)
    values = VALUES | {"receipt id": receipt_id}
    assert len(values) > 60
    assert len(set(values.values())) == len(values)

    before = found_in([*everything(), *served(values)], values)

    assert values.keys() - before.keys() == set()
    assert of_person(MAIL, PHONE, values["identity number"])

    assert erased(REFERENCE).completed == 1
    change(update(NotificationRow).values(state="delivered"))
    assert removing.forget_told() == 1

    assert found_in([*everything(), *served(values)], values) == {}
    assert not of_person(MAIL, PHONE, values["identity number"])
    assert found_in([("log", "".join(capfd.readouterr()).encode())], values) == {}
    assert [each.reference for each in all_of(select(ArchiveRow))] == [OTHER]


def _look_at(receipt_id: str, folder: Path) -> None:
    """Let people search for the archive, take it out, and read a masked value of it; and anchor it."""
    write_evidence(evidence(REFERENCE, receipt_id, NOW, even_damaged=True), folder / "archive.zip", lambda _: None)
    assert write_package([PHONE], folder / "person.zip", NOW, CELLAR).items
    record(CELLAR, Action.LIST_ARCHIVES, detail={"searched": searched([("q", VALUES["recipient"])])})
    unmask(REFERENCE, "sessions[0].recipient.name", "asked by phone", Caller("vera", Role.VIEWER), NOW)
    make(NOW)
    if engine().dialect.name == "postgresql":
        with engine().begin() as connection:
            connection.execute(text("ANALYZE"))
