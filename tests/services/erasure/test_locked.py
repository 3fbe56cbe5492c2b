"""What the Object Lock of a bucket keeps stays noted, without a reference, and is removed once the lock ends."""

import secrets
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.files.bucket import client
from adapters.settings.environment import prefect_file
from adapters.settings.settings import Settings, settings
from models.erasures import TombstoneRow
from models.runs.batch import BatchItemRow
from models.views.batch import ErasurePlan
from services.batches import batches
from services.erasure import removing
from tests.batches import driven
from tests.conftest import Configure, bucket_at
from tests.installations import archived
from tests.records import all_of
from tests.services.erasure.planted import REFERENCE, VALUES, body, traces
from tests.services.erasure.searching import everything, found_in
from tests.services.erasure.test_erase import planned

LOCKED = ("version: ", "delete marker: ")
"""How places begin that no longer are served."""
LOCKED_FOR = timedelta(seconds=6)


@pytest.fixture
def bucket(configure: Configure, s3_server: str, sqlite_installation: Settings, migrated_prefect: Path) -> str:
    name = f"locked-{secrets.token_hex(4)}"
    configure(store_url=f"s3://{name}/store", **bucket_at(s3_server))
    client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    prefect_file(settings()).parent.mkdir(parents=True)
    shutil.copy(migrated_prefect, prefect_file(settings()))
    return name


def versions(bucket: str) -> list[dict[str, str]]:
    found = client().list_object_versions(Bucket=bucket, Prefix="store/archives/")
    every = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    return [{name: each[name] for name in ("Key", "VersionId")} for each in every if "urn" in each["Key"]]


def test_what_a_lock_keeps_is_removed_once_it_ends(bucket: str, configure: Configure) -> None:
    archived(REFERENCE, body())
    until = datetime.now(UTC) + LOCKED_FOR
    for each in (each for each in versions(bucket) if "/v1/" in each["Key"]):
        lock = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        client().put_object_retention(Bucket=bucket, **each, Retention=lock)
    configure(store_lock_days=1)
    batch_id = planned(REFERENCE)
    plan = batches.view(batch_id).plan
    assert isinstance(plan, ErasurePlan)
    assert plan.locked_until
    batches.freeze(batch_id, "bob")

    assert driven(batch_id).completed == 1

    (item,), (tombstone,) = all_of(select(BatchItemRow)), all_of(select(TombstoneRow))
    assert item.values
    assert datetime.fromisoformat(item.values["until"]) <= until
    assert (tombstone.ended_at, removing.remove_left(until - LOCKED_FOR)) == (None, 0)
    assert versions(bucket)
    served = ((place, data) for place, data in everything() if not place.startswith(LOCKED))
    assert found_in(served, VALUES) == {}

    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 1))
    assert removing.remove_left(datetime.now(UTC)) == 1

    (item,), (tombstone,) = all_of(select(BatchItemRow)), all_of(select(TombstoneRow))
    assert (item.values, tombstone.ended_at is None, versions(bucket)) == (None, False, [])
    assert traces() == {}
