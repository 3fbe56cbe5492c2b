"""Delivers messages to endpoints: signed, bounded, and to no address that an endpoint may not have."""

import asyncio
import gzip
import socket
import ssl
import struct
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
import trustme
from pytest_httpserver import HTTPServer

from adapters.peers.addresses import fault_at
from adapters.peers.downstream import MOST_OF_ANSWER, Answer, Unanswered, line, public_addresses
from models.errors import Refused
from models.messages.notification import Stage
from tests.conftest import Configure
from tests.installations import closed_url
from tests.peers import Answer as Peer
from tests.peers import break_off, drip, gush, hang, listening

HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}
BODY = '{"reference":"תהליך"}'.encode()


@pytest.fixture
def private_allowed(configure: Configure) -> None:
    configure(notify_allow_private="true")


async def post(url: str, timeout_s: float) -> Answer:
    async with line(timeout_s) as one:
        return await one.post(url, HEADERS, BODY, timeout_s=timeout_s)


def answered(url: str, *, timeout_s: float = 5) -> Answer:
    return asyncio.run(post(url, timeout_s))


def sent(url: str) -> int:
    return answered(url).status_code


def failed_at(url: str) -> Stage:
    with pytest.raises(Unanswered) as failure:
        sent(url)
    return failure.value.stage


@pytest.mark.usefixtures("private_allowed")
def test_peer_receives_body_query_headers_its_host_name_and_the_login_of_the_url(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("", status=204)

    assert sent(f"http://user:pass@localhost:{httpserver.port}/hook?a=b") == 204

    ((request, _),) = httpserver.log
    assert (request.data, request.query_string) == (BODY, b"a=b")
    expected = HEADERS | {"host": f"localhost:{httpserver.port}", "authorization": "Basic dXNlcjpwYXNz"}
    assert {name: request.headers[name] for name in expected} == expected


@pytest.mark.usefixtures("private_allowed")
def test_answer_has_its_beginning_and_retry_after(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("x" * 5000, status=429, headers={"retry-after": "7"})

    assert answered(httpserver.url_for("/hook")) == Answer(429, b"x" * MOST_OF_ANSWER, "7")


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("status", [202, 301, 302, 307, 308, 400, 410, 503])
def test_every_status_is_returned_and_no_redirect_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=status, headers={"location": "/elsewhere"})

    assert sent(httpserver.url_for("/hook")) == status
    assert [request.path for request, _ in httpserver.log] == ["/hook"]


PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "0.0.0.0", "10.0.0.1", "172.16.0.1"),
    *("192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "[::1]", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "168.63.129.16", "[64:ff9b::a83f:8110]"),
    *("[::ffff:168.63.129.16]", "[::ffff:93.184.216.34]", "[64:ff9b:1::7f00:1]"),
    *("[2001:0:5db8:d822::80ff:fffe]", "[2001:20::1]", "[2001:4:112::1]", "[2620:4f:8000::1]", "[3fff::1]"),
    *("[5f00::1]", "161.26.0.7", "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1"),
    *("[64:ff9b::c058:6301]", "[fd00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "2130706433"),
    *("0x7f000001", "0x7f.1", "127.1", "0", "user:pass@127.0.0.1", "93.184.216.34@127.0.0.1"),
    *("93.184.216.34\\@127.0.0.1",),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_address_is_refused_in_every_spelling(configure: Configure, host: str) -> None:
    configure()

    with pytest.raises(Refused) as refused:
        sent(f"http://{host}:1/hook")

    assert refused.value.code == "PRIVATE_ENDPOINT"
    assert host not in str(refused.value)


@pytest.mark.parametrize("host", ["0177.0.0.1", "[::1", "", "[fe80::1%25lo]"])
def test_malformed_address_is_refused(configure: Configure, host: str) -> None:
    configure()

    with pytest.raises((Refused, Unanswered)):
        sent(f"http://{host}:1/hook")


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:2800:220:1::1]", "[64:ff9b::5db8:d822]", "1572395042"])
def test_public_address_may_be_called(configure: Configure, host: str) -> None:
    configure()

    address = ip_address(asyncio.run(public_addresses(f"https://{host}/hook"))[0])

    assert address.is_global
    if host.isdecimal():
        assert address == IPv4Address("93.184.216.34")


def test_private_address_receives_no_request(configure: Configure, httpserver: HTTPServer) -> None:
    configure()
    httpserver.expect_request("/hook").respond_with_data("")

    with pytest.raises(Refused):
        sent(httpserver.url_for("/hook"))

    assert httpserver.log == []


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize(
    "url",
    [
        "",
        *["hook", "//erp.example/hook", "ftp://erp.example/", "file:///etc/passwd", "http://", "http://h:99999/"],
        "x" * 70_000,
    ],
)
def test_malformed_endpoint_url_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        sent(url)

    assert refused.value.code == "BAD_ENDPOINT"


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize(
    ("host", "stage"),
    [
        *((host, Stage.RESOLVE) for host in ("no-such-name.invalid", "a..b", "x" * 64 + ".example")),
        ("127.0.0.1:1", Stage.CONNECT),
    ],
)
def test_name_that_does_not_resolve_and_peer_that_is_down_fail_before_any_byte(host: str, stage: Stage) -> None:
    assert failed_at(f"http://{host}/hook") is stage


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection at once, by a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize(
    ("peer", "scheme", "stages"),
    [
        *((peer, "http", {Stage.ANSWER}) for peer in (hang, drip, break_off)),
        (reset, "http", {Stage.ANSWER, Stage.WRITE}),
        (hang, "https", {Stage.TLS}),
    ],
)
def test_peer_without_an_answer_fails_after_the_connection_was_made(
    peer: Peer, scheme: str, stages: set[Stage]
) -> None:
    async def call() -> Answer:
        async with listening(peer) as url:
            return await post(url.replace("http", scheme, 1), 3)

    with pytest.raises(Unanswered) as failure:
        asyncio.run(call())
    assert failure.value.stage in stages


async def confirm_and_drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Confirm, and send a body whose bytes trickle in without an end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("peer", [gush, confirm_and_drip])
def test_endless_answer_confirms_by_its_status_and_only_its_beginning_is_read(peer: Peer) -> None:
    async def call() -> Answer:
        async with listening(peer) as url:
            return await post(url, 10)

    answer = asyncio.run(call())

    assert answer.status_code == 200
    assert len(answer.body) <= MOST_OF_ANSWER


@pytest.mark.usefixtures("private_allowed")
def test_compressed_answer_is_not_unpacked(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(bytes(10 << 20))
    httpserver.expect_request("/hook").respond_with_data(bomb, headers={"content-encoding": "gzip"})

    assert answered(httpserver.url_for("/hook")) == Answer(200, b"")


class Counting:
    """A peer that confirms each message, and counts its connections."""

    def __init__(self) -> None:
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(len(BODY))
            writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()


def test_line_keeps_its_connection_and_checks_its_addresses_again_after_five_seconds(configure: Configure) -> None:
    async def call() -> tuple[list[Answer], int]:
        counting = Counting()
        async with listening(counting) as url, line() as kept:
            configure(notify_allow_private="true")
            answers = [await kept.post(url, HEADERS, BODY) for _ in range(3)]
            configure(notify_allow_private="false")
            await asyncio.sleep(5.1)
            with pytest.raises(Refused):
                await kept.post(url, HEADERS, BODY)
            return answers, counting.connections

    assert asyncio.run(call()) == ([Answer(200, b"ok")] * 3, 1)


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return a server's context with a certificate for a name, and write its authority, `folder/authority.pem`."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return context


@pytest.mark.parametrize(("name", "reached"), [("localhost", True), ("erp.example", False)])
def test_certificate_must_match_the_host_name_despite_the_pinned_address(
    configure: Configure, tmp_path: Path, name: str, reached: bool
) -> None:
    context = certificate(tmp_path, name)
    configure(notify_allow_private="true", SSL_CERT_FILE=tmp_path / "authority.pem")
    with HTTPServer(host="localhost", port=0, ssl_context=context) as peer:
        peer.expect_request("/hook").respond_with_data("")

        if reached:
            assert sent(peer.url_for("/hook")) == 200
        else:
            assert failed_at(peer.url_for("/hook")) is Stage.TLS
            assert peer.log == []


def fault(url: str) -> str | None:
    return asyncio.run(fault_at(url, "127.0.0.1"))


def test_server_that_listens_has_no_fault_and_gets_no_request_and_a_port_without_one_refuses(
    httpserver: HTTPServer,
) -> None:
    assert fault(httpserver.url_for("/hook")) is None
    assert httpserver.log == []
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
    configure: Configure, tmp_path: Path, name: str, is_trusted: bool, said: str | None
) -> None:
    context = certificate(tmp_path, name)
    configure(**{"SSL_CERT_FILE": tmp_path / "authority.pem"} if is_trusted else {})
    with HTTPServer(host="localhost", port=0, ssl_context=context) as peer:
        found = fault(peer.url_for("/hook"))

    assert found == said or (said is not None and found is not None and found.startswith(said))


def test_server_that_speaks_no_tls_or_says_nothing_is_at_fault_over_tls(httpserver: HTTPServer) -> None:
    assert fault(httpserver.url_for("/hook").replace("http://", "https://")) == "no connection: SSLError"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert fault(f"https://localhost:{silent.getsockname()[1]}") == "no connection within 5 s"
