"""Validates the store with an independent OCFL validator, `ocfl-py`, run from its command line."""

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.files.bucket import client
from adapters.settings.settings import settings
from adapters.store.ocfl import OBJECT_DECLARATION, ROOT, root_files
from tests.installations import objects_below


def validation_errors() -> list[str]:
    """Return what the validator finds wrong in the store of the settings, with objects and digests checked.

    The validator must have seen every object, and at least one.
    """
    location = f"{settings().store_location}/{ROOT}"
    if "://" not in location:
        return _errors_below(Path(location))
    with TemporaryDirectory() as folder:
        _download(location, Path(folder))
        return _errors_below(Path(folder))


def validator_path(object_id: str) -> str:
    """Return where the validator expects an object in a storage root that has our configuration."""
    place: str = _layout().identifier_to_path(object_id)
    return place


@cache
def _layout() -> Any:
    with warnings.catch_warnings(action="ignore"):  # pkg_resources warns
        from ocfl.layout_registry import get_layout  # noqa: PLC0415
    (config,) = (json.loads(text) for key, text in root_files().items() if key.endswith("config.json"))
    layout = get_layout(config["extensionName"])
    layout.check_and_set_layout_params(config)
    return layout


def _download(location: str, folder: Path) -> None:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")

    def download(name: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(client().get_object(Bucket=bucket, Key=f"{prefix}/{name}")["Body"].read())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(download, objects_below(location)))


def _errors_below(root: Path) -> list[str]:
    validator = Path(sys.executable).with_name("ocfl-root.py")
    command = [sys.executable, "-W", "ignore", str(validator), "validate", "--root", str(root)]
    done = subprocess.run(
        [*command, "--validate-objects", "--check-digests"], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    # Its exit status means nothing, and it calls a root valid in which it has found no object.
    number = sum(1 for _ in root.rglob(OBJECT_DECLARATION))
    sound = [f"Objects checked: {number} / {number} are VALID", f"Storage root {root} is VALID"]
    return [] if number and lines[-2:] == sound else [f"{number} objects are there", *lines, done.stderr]
