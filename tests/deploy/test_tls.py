"""Every form asks Postgres, Redis and buckets for a certificate of the authority that `deploy/make-secrets` makes."""

import socket
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore.exceptions
import httpx
import pytest
import redis

from tests.conftest import LONGEST_S, Configure, free_port, running, wait_until
from tests.deploy.forms import DEPLOY, composed, environment_of, made_secrets, variables_in

SERVICES = composed()["services"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the secrets of engines on loopback."""
    return made_secrets(tmp_path_factory.mktemp("here") / "secrets", "127.0.0.1", "127.0.0.1")


def of_compose() -> Iterator[tuple[str, dict[str, str]]]:
    for name, service in SERVICES.items():
        if any(each.startswith(("CELLAR_", "PREFECT_")) for each in environment_of(service)):
            yield name, environment_of(service)


def test_postgres_must_show_a_certificate_in_every_form() -> None:
    forms = dict(of_compose())
    unit = (DEPLOY / "systemd" / "cellar-.service.d" / "all.conf").read_text()
    for name in ("cellar.env", "prefect-addresses.env"):
        forms[f"kubernetes/{name}"] = variables_in(DEPLOY / "kubernetes" / "base" / name)

    assert len(forms) == 8
    assert {name: each.get("PGSSLMODE") for name, each in forms.items()} == dict.fromkeys(forms, "verify-full")
    assert all(each["PGSSLROOTCERT"].endswith("/ca.pem") for each in forms.values())
    assert "Environment=PGSSLMODE=verify-full\nEnvironment=PGSSLROOTCERT=%d/ca.pem\n" in unit


def test_redis_and_buckets_are_called_over_tls_in_every_form(here: Path) -> None:
    told = variables_in(here / "prefect-server.env")
    urls = [value for name, value in told.items() if "REDIS" in name or "DOCKET" in name]
    endpoints = [each["AWS_ENDPOINT_URL"] for _, each in of_compose() if "AWS_ENDPOINT_URL" in each]
    endpoints += [variables_in(DEPLOY / "kubernetes" / "base" / "cellar.env")["AWS_ENDPOINT_URL"]]

    assert [each.partition("://")[0] for each in urls] == ["rediss"] * 3
    assert {each.partition("://")[0] for each in endpoints} == {"https"}


@pytest.mark.parametrize("is_of_another", [False, True])
def test_redis_of_another_authority_gets_no_password(
    here: Path, secrets: Path, configure: Configure, is_of_another: bool
) -> None:
    """The client is that of Prefect. The server is played: it answers the first command, whatever that is."""
    shown = secrets if is_of_another else here
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown / "engines.pem", shown / "engines.key")
    configure(SSL_CERT_FILE=here / "ca.pem")

    def _answer(listener: socket.socket) -> bytes:
        try:
            with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                received = connection.recv(1 << 16)
                connection.sendall(b"-ERR played\r\n" * 9)
                return received
        except ssl.SSLError:
            return b""

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:
        received = threads.submit(_answer, listener)
        url = variables_in(here / "prefect-server.env")["PREFECT_REDIS_MESSAGING_URL"]
        url = url.replace(":6379", f":{listener.getsockname()[1]}")
        with pytest.raises(redis.RedisError), redis.Redis.from_url(url, socket_timeout=LONGEST_S) as client:
            client.ping()

    password = (here / "redis-password").read_bytes().strip()
    assert (password in received.result(LONGEST_S)) is not is_of_another


def test_bucket_is_reached_over_tls_with_the_options_of_compose(here: Path, secrets: Path, tmp_path: Path) -> None:
    port = free_port()
    options = [each for each in SERVICES["s3"]["command"] if each.startswith(("-s3.c", "-s3.k"))]
    inner = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer", "admin")]
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed = str(Path(sys.executable).with_name("weed"))
    made = [each.replace("/run/secrets", str(here)) for each in options]
    command = [weed, "mini", f"-dir={tmp_path}", "-ip=127.0.0.1", f"-s3.port={port}", *made, *inner, *off]
    keys = dict(line.split(" = ") for line in (here / "aws-credentials").read_text().splitlines() if " = " in line)

    def _buckets(authority: Path) -> list[str]:
        session = boto3.Session(**keys, region_name="us-east-1")
        client = session.client("s3", endpoint_url=f"https://127.0.0.1:{port}", verify=str(authority))
        client.create_bucket(Bucket="cellar")
        return [each["Name"] for each in client.list_buckets()["Buckets"]]

    with running(command, {}, tmp_path / "log"):
        wait_until(lambda: _is_healthy(port, here / "ca.pem"))
        assert _buckets(here / "ca.pem") == ["cellar"]
        with pytest.raises(botocore.exceptions.SSLError):
            _buckets(secrets / "ca.pem")


def _is_healthy(port: int, authority: Path) -> bool:
    try:
        tls = ssl.create_default_context(cafile=str(authority))
        return httpx.get(f"https://127.0.0.1:{port}/healthz", verify=tls, trust_env=False).is_success
    except httpx.HTTPError:
        return False
