"""In a bucket with Object Lock, nobody removes what cellar writes once, and cellar replaces the rest."""

import secrets
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from adapters.files.store import store
from adapters.settings.settings import Settings
from tests.adapters.files.keeping import keep
from tests.conftest import bucket_at


@pytest.fixture
def locked(configure: Callable[..., Settings], s3_server: str) -> tuple[Any, str]:
    name = f"locked-{secrets.token_hex(4)}"
    configure(store_url=f"s3://{name}/store", store_lock_days=1, **bucket_at(s3_server))
    client = boto3.Session("cellar-test", "cellar-test-secret", region_name="us-east-1").client(
        "s3", endpoint_url=s3_server
    )
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return client, name


def test_what_is_written_once_is_locked(locked: tuple[Any, str]) -> None:
    client, name = locked
    keep(b"content", "archives/a/v1/content/small", store())
    keep(bytes(20 << 20), "archives/a/v1/content/large", store())
    assert store().keep_first(b"{}", "archives/a/v1/inventory.json")
    store().overwrite_bytes(b"{}", "archives/a/inventory.json")
    store().overwrite_bytes(b"[]", "archives/a/inventory.json")

    for key in ("v1/content/small", "v1/content/large", "v1/inventory.json"):
        found = client.head_object(Bucket=name, Key=f"store/archives/a/{key}")
        assert found["ObjectLockMode"] == "COMPLIANCE", key
        with pytest.raises(ClientError):
            client.delete_object(Bucket=name, Key=f"store/archives/a/{key}", VersionId=found["VersionId"])
    assert "ObjectLockMode" not in client.head_object(Bucket=name, Key="store/archives/a/inventory.json")
    assert store().read_bytes("archives/a/inventory.json") == b"[]"
