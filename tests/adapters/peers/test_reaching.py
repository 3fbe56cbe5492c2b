"""Whether an endpoint can be reached is found out without sending it anything."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from adapters.peers.addresses import fault_at
from adapters.settings.settings import Settings
from tests.adapters.peers.test_downstream import certificate
from tests.installations import closed_url


def fault(url: str) -> str | None:
    return asyncio.run(fault_at(url, "127.0.0.1"))


def test_server_that_listens_has_no_fault_and_gets_no_request(httpserver: HTTPServer) -> None:
    assert fault(httpserver.url_for("/hook")) is None
    assert httpserver.log == []


def test_port_without_a_server_refuses_the_connection() -> None:
    assert fault(closed_url()) == "the connection is refused: no server listens at its port"


@pytest.mark.parametrize(
    ("name", "is_trusted", "said"),
    [
        ("localhost", True, None),
        ("localhost", False, "its certificate is refused: unable to get local issuer certificate"),
        ("erp.example", True, "its certificate is refused: Hostname mismatch"),
    ],
)
def test_certificate_must_be_trusted_and_match_the_name(
    configure: Callable[..., Settings], tmp_path: Path, name: str, is_trusted: bool, said: str | None
) -> None:
    context = certificate(tmp_path, name)
    configure(**{"SSL_CERT_FILE": tmp_path / "authority.pem"} if is_trusted else {})
    with HTTPServer(host="localhost", port=0, ssl_context=context) as peer:
        found = fault(peer.url_for("/hook"))

    assert found == said or (said is not None and found is not None and found.startswith(said))


def test_server_that_speaks_no_tls_is_at_fault(httpserver: HTTPServer) -> None:
    found = fault(httpserver.url_for("/hook").replace("http://", "https://"))

    assert found == "no connection: SSLError"


def test_server_that_accepts_and_says_nothing_is_at_fault_over_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert fault(f"https://localhost:{silent.getsockname()[1]}") == "no connection within 5 s"
