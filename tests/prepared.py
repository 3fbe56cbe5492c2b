"""Installations that are made once in a session and copied for each test, which may change or damage its copy."""

import os
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.files.bucket import client
from adapters.settings.settings import settings
from tests.conftest import bucket_at, make_tables
from tests.installations import installed, objects_below

Make = Callable[[], object]
"""Makes the archives of an installation, which has a migrated SQLite database and an empty store."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A prepared installation: its data folder, and where its store is if that is a bucket."""

    data: Path
    store_url: str | None


class Prepared:
    """The prepared installations of a session, by what makes them and by the kind of their store."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._made: dict[tuple[Make, str], _Made] = {}

    def copy(self, make: Make) -> None:
        """Copy an installation into the empty one of the settings, which has the same kind of store."""
        endpoint = settings().store_url and os.environ["AWS_ENDPOINT_URL"]
        kept = self._made.get((make, endpoint or ""))
        if not kept:
            kept = self._made[make, endpoint or ""] = self._prepare(make, endpoint)
        shutil.copytree(kept.data, settings().data_dir, dirs_exist_ok=True)
        if kept.store_url:
            _copy_objects(kept.store_url, settings().store_location)

    def _prepare(self, make: Make, endpoint: str | None) -> _Made:
        folder = self._folders.mktemp("prepared")
        url = f"s3://archives/{secrets.token_hex(8)}" if endpoint else None
        values = {"store_url": url, **bucket_at(endpoint)} if endpoint else {}
        with installed(folder, **values):
            make_tables()
            make()
        return _Made(folder / "data", url)


def _copy_objects(source: str, target: str) -> None:
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    old_bucket, _, old_prefix = source.removeprefix("s3://").partition("/")

    def copy(key: str) -> None:
        client().copy_object(Bucket=bucket, Key=f"{prefix}/{key}", CopySource=f"{old_bucket}/{old_prefix}/{key}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(copy, objects_below(source)))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory)
