"""An independent judge of the store: the validator of `ocfl-py`, run as a person would run it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from adapters.ocfl import ROOT
from adapters.settings import settings
from tests.installations import objects_below


def judged() -> list[str]:
    """What the judge finds wrong in the store of the settings, with objects and digests checked."""
    location = f"{settings().store_location}/{ROOT}"
    if "://" not in location:
        return _judged(Path(location))
    with TemporaryDirectory() as folder:
        _download(location, Path(folder))
        return _judged(Path(folder))


def _download(location: str, folder: Path) -> None:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    client = boto3.Session().client("s3")

    def download(name: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(client.get_object(Bucket=bucket, Key=f"{prefix}/{name}")["Body"].read())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(download, objects_below(location)))


def _judged(root: Path) -> list[str]:
    validator = Path(sys.executable).with_name("ocfl-root.py")
    command = [sys.executable, "-W", "ignore", str(validator), "validate", "--root", str(root)]
    done = subprocess.run(
        [*command, "--validate-objects", "--check-digests"], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    # Its exit status tells nothing.
    return [] if lines and lines[-1] == f"Storage root {root} is VALID" else [*lines, done.stderr]
