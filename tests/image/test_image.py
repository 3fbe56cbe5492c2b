"""The image is built, and every role in it works as a user without rights, with a read-only root."""

import hashlib
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from packageurl import PackageURL

from tests.conftest import answers, bucket_at, free_port, wait_until
from tests.image.building import Image
from tests.image.container import Container, container
from tests.samples import PDF, sample_body

pytestmark = [pytest.mark.faults, pytest.mark.timeout(4000)]  # it builds an image, which takes minutes

SECRET, TOKEN = "a-secret-of-the-sender", "a-token-of-the-api-with-32-characters"
SECRETS = {"CELLAR_WEBHOOK_SECRETS": SECRET, "CELLAR_API_TOKENS": TOKEN}
_MOST_BYTES, _MOST_OF_LAKE_BYTES = 600_000_000, 750_000_000
_STARTED_WITHIN_S = 300


def test_image_is_small_and_has_no_rights(image: Image, lake_image: Image) -> None:
    sizes = f"{image.size_bytes / 1e6:.0f} MB, with what the lake needs {lake_image.size_bytes / 1e6:.0f} MB"
    print(f"\nimage: {sizes} uncompressed")  # noqa: T201

    assert image.size_bytes <= _MOST_BYTES
    assert lake_image.size_bytes <= _MOST_OF_LAKE_BYTES
    assert image.config["User"] == lake_image.config["User"] == "10001:10001"
    set_id = [
        path for path in (image.root / "opt").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000
    ]
    assert set_id == []


def test_release_has_the_image_the_wheel_and_lists_of_what_is_in_them(image: Image) -> None:
    (listed,) = image.dist.glob("cellosign_cellar-*.image.cdx.json")
    parts = {each["purl"] for each in json.loads(listed.read_text())["components"]}

    (packages,) = (image.root / "opt" / "cellar" / "lib").glob("python3*/site-packages")
    expected = {
        str(PackageURL("pypi", None, each.metadata["Name"], each.version))
        for each in distributions(path=[str(packages)])
    }
    assert expected == {each for each in parts if each.startswith("pkg:pypi/")}
    assert {"libc6", "base-files"} <= {each.split("@")[0].removeprefix("pkg:deb/debian/") for each in parts}
    sums = dict(line.split("  ")[::-1] for line in (image.dist / "SHA256SUMS").read_text().splitlines())
    assert {each: hashlib.sha256((image.dist / each).read_bytes()).hexdigest() for each in sums} == sums
    assert sorted(each.rpartition(".")[2] for each in sums) == ["json", "json", "json", "tar", "whl"]


def test_up_answers_an_archive_and_keeps_it_in_a_bucket(image: Image, s3_server: str, tmp_path: Path) -> None:
    port, prefect_port, data = free_port(), free_port(), tmp_path / "data"
    ports = {"CELLAR_PORT": str(port), "CELLAR_PREFECT_PORT": str(prefect_port), "CELLAR_HOST": "127.0.0.1"}
    ports |= {"CELLAR_WORKER_METRICS_PORT": str(free_port()), "CELLAR_TIMEZONE": "Asia/Jerusalem"}
    store = {"CELLAR_STORE_URL": "s3://archives/image", **bucket_at(s3_server)}
    with container(image, data, "up", **ports, **store, **SECRETS) as up:
        wait(up, lambda: "cellar is up" in up.log.read_text())
        assert acknowledged(port, sample_body("in-a-container")) == "0"
        wait(up, lambda: read(port, "in-a-container").get("state") == "completed")

        archive = read(port, "in-a-container")
        assert archive["signed_document_verdict"]["outcome"] == "sound"
        (document,) = [each for each in archive["files"] if each["role"] == "signed_document"]
        assert document["size_bytes"] == len(PDF)
        page = httpx.get(f"http://127.0.0.1:{prefect_port}/v2/", headers={"accept": "text/html"}, trust_env=False)
        assert (page.status_code, "<html" in page.text) == (200, True)
        exported = up.run("cellar", "export-table", "payments", "--to", "/var/lib/cellar/payments.parquet")
        assert (exported.returncode, exported.stderr.strip()) == (0, "")
        assert pq.read_table(data / "payments.parquet").num_rows == 1
        assert up.run("cellar", "verify").returncode == 0
        assert up.check_health().returncode == 0
        assert "Read-only" in up.run("sh", "-c", "touch /var/lib/forbidden").stderr
        stop(up)


def test_receiver_alone_acknowledges(image: Image, s3_server: str, tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    places = {"CELLAR_INBOX_URL": "s3://archives/image-inbox", **bucket_at(s3_server)}
    listening = {"CELLAR_PORT": str(port), "CELLAR_HOST": "127.0.0.1"}
    migrate(image, data)
    began, used_s = time.monotonic(), children_s()
    with container(image, data, "api", **listening, **places, **SECRETS) as receiver:
        wait(receiver, lambda: acknowledged(port, sample_body("first")) == "0", each_s=0.02)
        took_s = time.monotonic() - began
        wait(receiver, lambda: receiver.check_health().returncode == 0)
        stop(receiver)
    load, used_s = os.getloadavg()[0], children_s() - used_s
    print(f"\nfirst acknowledgement after {took_s:.1f} s, load {load:.1f}; {used_s:.1f} s of processor time")  # noqa: T201


def test_lake_is_written_in_its_own_image_and_the_other_names_it(
    image: Image, lake_image: Image, tmp_path: Path
) -> None:
    port, data = free_port(), tmp_path / "data"
    settings = {
        "CELLAR_PORT": str(port),
        "CELLAR_HOST": "127.0.0.1",
        "CELLAR_LAKE_URL": "/var/lib/cellar/lake",
        **SECRETS,
    }
    publish = ["python3", "-c", "from services.publishing import publish; publish()"]
    migrate(image, data)
    with container(image, data, "api", **settings) as receiver:
        wait(receiver, lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        assert "is built with `--target cellar-lake`" in receiver.run(*publish).stderr
        stop(receiver)
    with container(lake_image, data, "api", **settings) as receiver:
        wait(receiver, lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        written = receiver.run(*publish)
        assert (written.returncode, written.stderr) == (0, "")
        assert DeltaTable(data / "lake" / "dictionary").to_pyarrow_table().num_rows > 0
        stop(receiver)


def test_server_of_prefect_and_a_worker_work_in_containers_of_their_own(image: Image, tmp_path: Path) -> None:
    port, metrics_port = free_port(), free_port()
    api = f"http://127.0.0.1:{port}/api"
    listening = {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(port)}
    with container(image, tmp_path / "prefect", "prefect", "server", "start", "--no-services", **listening) as server:
        wait(server, lambda: answers(f"{api}/health"))
        assert server.check_health().returncode == 0
        assert "not be available" not in server.log.read_text()
        assert "Available Services" in server.run("prefect", "server", "services", "ls").stdout
        worker_settings = {"CELLAR_WORKER_METRICS_PORT": str(metrics_port), "CELLAR_HOST": "127.0.0.1"}
        worker_settings |= {"PREFECT_API_URL": api, **SECRETS}
        migrate(image, tmp_path / "data")
        with container(image, tmp_path / "data", "worker", **worker_settings) as worker:
            wait(worker, lambda: answers(f"http://127.0.0.1:{metrics_port}/healthz"))
            assert worker.check_health().returncode == 0
            stop(worker)
        stop(server)


def migrate(image: Image, data: Path) -> None:
    with container(image, data, "migrate") as migration:
        assert migration.engine.wait(_STARTED_WITHIN_S) == 0, migration.log.read_text()


def wait(running: Container, condition: Callable[[], bool], each_s: float = 0.2) -> None:
    """Wait until a condition is true, and fail with the log if the container ends before."""
    deadline = time.monotonic() + _STARTED_WITHIN_S
    while not condition():
        assert running.engine.poll() is None, running.log.read_text()
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(each_s)


def stop(running: Container) -> None:
    """Stop a container as engines do: SIGTERM to its process 1."""
    os.kill(running.first, signal.SIGTERM)
    wait_until(lambda: running.engine.poll() is not None, timeout_s=60)
    assert running.engine.returncode == 0, running.log.read_text()


def acknowledged(port: int, body: bytes) -> str | None:
    """Return the status that the receiver answers, and None while it does not listen."""
    headers = {"authorization": f"Bearer {SECRET}"}
    url = f"http://127.0.0.1:{port}/webhooks/cellosign"
    try:
        status: str = httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False).json()["status"]
    except httpx.ConnectError:
        return None
    return status


def read(port: int, reference: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{port}/api/archives/{reference}"
    answer: dict[str, Any] = httpx.get(url, headers=headers, timeout=30, trust_env=False).json()
    return answer


def children_s() -> float:
    """Return the processor time of the processes that this process has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
