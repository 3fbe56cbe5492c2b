"""Messages to downstream systems are signed, go to public addresses only, and time out."""

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.peers.downstream import post, public_addresses
from adapters.settings.settings import Settings
from models.errors import Refused, Transient
from tests.peers import Answer, break_off, drip, gush, hang, listening

Configure = Callable[..., Settings]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"reference":"תהליך"}'.encode()


@pytest.fixture
def private_allowed(configure: Configure) -> None:
    configure(notify_secret=SECRET, notify_allow_private="true")


def sent(url: str, *, timeout_s: float = 5) -> int:
    return asyncio.run(post(url, "msg_1", BODY, datetime.now(UTC), timeout_s=timeout_s))


@pytest.mark.usefixtures("private_allowed")
def test_message_is_signed_according_to_standard_webhooks(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("", status=204)

    assert sent(httpserver.url_for("/hook?a=b")) == 204

    ((request, _),) = httpserver.log
    assert request.data == BODY
    assert request.query_string == b"a=b"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "msg_1"
    assert Webhook(SECRET).verify(request.data, dict(request.headers)) == {"reference": "תהליך"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.data + b" ", dict(request.headers))


@pytest.mark.usefixtures("private_allowed")
def test_peer_receives_the_host_name_and_basic_auth_credentials(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")

    sent(f"http://user:pass@localhost:{httpserver.port}/hook")

    ((request, _),) = httpserver.log
    assert request.headers["host"] == f"localhost:{httpserver.port}"
    assert request.headers["authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("status", [200, 202, 400, 401, 410, 429, 500, 503])
def test_every_status_is_returned(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=status)

    assert sent(httpserver.url_for("/hook")) == status


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=status, headers={"location": "/elsewhere"})

    assert sent(httpserver.url_for("/hook")) == status
    assert [request.path for request, _ in httpserver.log] == ["/hook"]


PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "localhost",
    "LOCALHOST",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[fd00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "0",
    "user:pass@127.0.0.1",
    "93.184.216.34@127.0.0.1",
    "93.184.216.34\\@127.0.0.1",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_address_is_refused_in_every_spelling(configure: Configure, host: str) -> None:
    configure(notify_secret=SECRET)

    with pytest.raises(Refused) as refused:
        sent(f"http://{host}:1/hook")

    assert refused.value.code == "PRIVATE_ENDPOINT"
    assert host not in str(refused.value)


@pytest.mark.parametrize("host", ["0177.0.0.1", "[::1", "", "[fe80::1%25lo]"])
def test_malformed_address_is_refused(configure: Configure, host: str) -> None:
    configure(notify_secret=SECRET)

    with pytest.raises((Refused, Transient)):
        sent(f"http://{host}:1/hook")


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:2800:220:1::1]", "[64:ff9b::5db8:d822]", "1572395042"])
def test_public_address_may_be_called(configure: Configure, host: str) -> None:
    configure(notify_secret=SECRET)

    address = ip_address(asyncio.run(public_addresses(f"https://{host}/hook"))[0])

    assert address.is_global
    if host.isdecimal():
        assert address == IPv4Address("93.184.216.34")


def test_private_address_receives_no_request(configure: Configure, httpserver: HTTPServer) -> None:
    configure(notify_secret=SECRET)
    httpserver.expect_request("/hook").respond_with_data("")

    with pytest.raises(Refused):
        sent(httpserver.url_for("/hook"))

    assert httpserver.log == []


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "//erp.example/hook",
        "ftp://erp.example/",
        "file:///etc/passwd",
        "http://",
        "http://h:99999/",
        "x" * 70_000,
    ],
)
def test_malformed_endpoint_url_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        sent(url)

    assert refused.value.code == "BAD_ENDPOINT"


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 64 + ".example"])
def test_name_that_does_not_resolve_is_transient(host: str) -> None:
    with pytest.raises(Transient):
        sent(f"http://{host}/hook")


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("answer", [hang, drip, break_off])
def test_peer_without_an_answer_is_transient_after_the_timeout(answer: Answer) -> None:
    async def call() -> None:
        async with listening(answer) as url:
            await post(url, "msg_1", BODY, datetime.now(UTC), timeout_s=0.5)

    started = time.monotonic()
    with pytest.raises(Transient):
        asyncio.run(call())
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("private_allowed")
def test_peer_that_is_down_is_transient() -> None:
    with pytest.raises(Transient):
        sent("http://127.0.0.1:1/hook")


@pytest.mark.usefixtures("private_allowed")
def test_endless_answer_is_not_read() -> None:
    async def call() -> int:
        async with listening(gush) as url:
            return await post(url, "msg_1", BODY, datetime.now(UTC), timeout_s=5)

    started = time.monotonic()
    assert asyncio.run(call()) == 200
    assert time.monotonic() - started < 3


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return a server's context with a throwaway certificate for a name, and write `folder/cert.pem`."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("name", "reached"), [("localhost", True), ("erp.example", False)])
def test_certificate_must_match_the_host_name_despite_the_pinned_address(
    configure: Configure, tmp_path: Path, name: str, reached: bool
) -> None:
    context = certificate(tmp_path, name)
    configure(notify_secret=SECRET, notify_allow_private="true", SSL_CERT_FILE=tmp_path / "cert.pem")
    with HTTPServer(host="localhost", port=0, ssl_context=context) as peer:
        peer.expect_request("/hook").respond_with_data("")

        if reached:
            assert sent(peer.url_for("/hook")) == 200
        else:
            with pytest.raises(Transient):
                sent(peer.url_for("/hook"))
            assert peer.log == []
