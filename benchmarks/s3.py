"""Runs an S3 server from a wheel: SeaweedFS, which enforces signatures and conditions."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
import httpx

from benchmarks.programs import running
from benchmarks.servers import free_port
from cli.programs.supervisor import Program

BUCKET = "archives"
_READY_WITHIN_S = 60
_LOOK_AGAIN_S = 0.1
_NAME, _SECRET, _REGION = "cellar-benchmark", "cellar-benchmark-secret", "us-east-1"


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Run a server whose data lie in a folder, and yield its endpoint. The environment gets its user and region."""
    os.environ |= {"AWS_ACCESS_KEY_ID": _NAME, "AWS_SECRET_ACCESS_KEY": _SECRET, "AWS_REGION": _REGION}
    data, port = folder / "data", free_port()
    data.mkdir(parents=True)
    ports = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer", "admin")]
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed = str(Path(sys.executable).with_name("weed"))
    command = [weed, "mini", f"-dir={data}", "-ip=127.0.0.1", f"-s3.port={port}", *ports, *off]
    endpoint = f"http://127.0.0.1:{port}"
    with running(Program("s3", command, dict(os.environ)), folder):
        _wait_for(endpoint)
        boto3.Session(_NAME, _SECRET, region_name=_REGION).client("s3", endpoint_url=endpoint).create_bucket(
            Bucket=BUCKET
        )
        yield endpoint


def _wait_for(endpoint: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{endpoint}/healthz", trust_env=False).is_success:
                return
        time.sleep(_LOOK_AGAIN_S)
    raise TimeoutError("the S3 server is not ready")
