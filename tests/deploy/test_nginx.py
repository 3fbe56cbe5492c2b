"""nginx with the very file of `deploy/nginx`, in front of two real receivers that share an inbox."""

import json
import signal
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.api.conftest import SECRET, TOKEN, Receiver
from tests.api.senders import assert_refused, head, receipt_id_of
from tests.conftest import LONGEST_S, wait_until
from tests.deploy.proxy import Proxy, proxied
from tests.samples import sample_body


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxied(tmp_path_factory.mktemp("proxy")) as made:
        yield made


def large_body(reference: str) -> bytes:
    """Return an archive that is larger than what nginx takes by default."""
    file = {"id": "large", "filename": "large.bin", "content": b64encode(bytes(6_000_000)).decode()}
    return sample_body(reference, attachments=[file | {"mimetype": "application/octet-stream"}])


@contextmanager
def connected(proxy: Proxy, address: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONGEST_S, source_address=(address, 0)) as plain,
        proxy.tls.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


def lines_of_access(proxy: Proxy) -> list[dict[str, object]]:
    return [json.loads(line) for line in (proxy.folder / "access.log").read_text().splitlines()]


def test_archive_larger_than_the_default_of_nginx_is_acknowledged(proxy: Proxy) -> None:
    body = large_body("through the proxy")

    answer = proxy.post(body)

    assert (answer.status_code, answer.json()["status"]) == (200, "0")
    assert proxy.receivers[0].body_of(receipt_id_of(body)) == body


def test_chunked_body_is_acknowledged(proxy: Proxy) -> None:
    body = sample_body("in chunks")

    with proxy.client() as client:
        answer = client.post("/webhooks/cellosign", content=iter([body]), headers={"authorization": SECRET})

    assert answer.json()["status"] == "0"


def test_wrong_secret_is_refused_before_the_body_arrives(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        connection.sendall(head("wrong", "content-length: 50000000") + b"{")
        answer = connection.recv(1 << 16)

    assert answer.startswith(b"HTTP/1.1 401")


def test_address_is_bounded_and_hinders_no_other(proxy: Proxy) -> None:
    with proxy.client("127.0.0.10") as flood, ThreadPoolExecutor(16) as threads:
        flooded = list(threads.map(lambda _: flood.get("/d/forged"), range(400)))

    refused = [each.json() for each in flooded if each.headers.get("retry-after") == "5"]
    assert {each["errordesc"].partition(":")[0] for each in refused} == {"TOO_MANY_REQUESTS"}
    assert proxy.post(sample_body("beside a flood")).json()["status"] == "0"


def test_receiver_sees_the_address_of_the_sender_and_not_what_the_sender_writes(proxy: Proxy) -> None:
    with proxy.client("127.0.0.9") as client:
        for _ in proxy.receivers:
            client.post("/webhooks/cellosign", content=b"{}", headers={"x-forwarded-for": "203.0.113.7"})

    logs = [each.log for each in proxy.receivers]
    wait_until(lambda: all("127.0.0.9" in log.read_text() for log in logs))
    assert not any("203.0.113.7" in log.read_text() for log in logs)


def test_answers_ask_for_tls_for_a_year(proxy: Proxy) -> None:
    for answer in (proxy.post(sample_body("strict")), proxy.post(b"{}", secret="wrong")):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_tls_1_1_is_refused_by_the_proxy(proxy: Proxy) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONGEST_S) as plain,
        pytest.raises(ssl.SSLError) as refused,
    ):
        old.wrap_socket(plain)

    assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_api_is_open_to_the_networks_of_operators_alone(proxy: Proxy) -> None:
    presented = {"authorization": f"Bearer {TOKEN}"}

    with proxy.client() as near, proxy.client("127.0.0.9") as far:
        assert near.get("/metrics", headers=presented).status_code == 200
        assert far.get("/metrics", headers=presented).status_code == 403
        assert far.get("/api/archives", headers=presented).status_code == 403
        assert far.get("/d/no-such-token").status_code == 404
        sent = {"grant_type": "client_credentials", "client_id": "default", "client_secret": SECRET}
        assert far.post("/oauth/token", data=sent).status_code == 200


CLIMBING = (
    "/api/archives/..%2f..%2f",
    "/api/archives/%2e%2e%2f%2E%2E%2F",
    "/api/archives/.%2e/%2e./",
    "/api/archives/../../",
    "/api/archives/..%2f..%2f/",
    "/api/archives/.%2f..%2f../",
    "/api/archives//.//..%2f..%2F",
    "//api//archives/..//..%2f",
    "/console/%2e./",
    "/metrics%2f..%2f",
)
"""Ways to name a shut path first, and to climb to an open one, whose place nginx chooses."""


@pytest.mark.parametrize("path", ["webhooks/cellosign", "webhooks%2fcellosign", "oauth/token", "d%2ftoken", "readyz"])
@pytest.mark.parametrize("opened", ["nginx", "ingress"])
def test_path_that_climbs_from_a_shut_path_to_an_open_one_is_passed_on_as_the_open_one(
    proxy: Proxy, opened: str, path: str
) -> None:
    plain = answer_to(proxy, opened, f"/{path}")[1][:10]

    assert {each: answer_to(proxy, opened, each + path)[1][:10] for each in CLIMBING} == dict.fromkeys(CLIMBING, plain)


def test_ingress_opens_webhook_tokens_public_page_and_readiness_alone(proxy: Proxy) -> None:
    opened = ["/webhooks/cellosign/", "/oauth/token", "/oauth/token/", "/readyz"]
    shut = ["/webhooks/cellosigns", "/oauth/tokens", "/readyz/x", "/metrics", "/api/archives"]

    found = {path: answer_to(proxy, "ingress", path)[0] for path in (*opened, *shut)}

    assert [path for path, status in found.items() if status != b"404"] == opened


def answer_to(proxy: Proxy, opened: str, path: str) -> tuple[bytes, bytes]:
    """Return the status and body that a path gets, as it stands, from outside the networks of operators."""
    with ExitStack() as stack:
        if opened == "nginx":
            connection: socket.socket = stack.enter_context(connected(proxy, "127.0.0.9"))
        else:
            address = ("127.0.0.1", proxy.ingress_port)
            connection = stack.enter_context(socket.create_connection(address, timeout=LONGEST_S))
        lines = (f"GET {path} HTTP/1.1", "host: cellar", f"authorization: Bearer {TOKEN}", "connection: close", "", "")
        connection.sendall("\r\n".join(lines).encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    first, _, body = received.partition(b"\r\n\r\n")
    return first.split()[1], body


def test_tokens_and_references_are_in_no_log_of_nginx(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.get("/d/token-314159")
        client.get("/api/archives/reference-314159")

    wait_until(lambda: {"d", "api"} <= {each["kind"] for each in lines_of_access(proxy)})
    logs = {path.name: path.read_text() for path in proxy.folder.glob("*.log")}
    assert {"access.log", "error.log"} <= set(logs)
    assert [name for name, text in logs.items() if "314159" in text] == []


def test_body_beyond_the_proxys_limit_has_the_documented_answer(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        connection.sendall(head(SECRET, f"content-length: {3 << 30}"))
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece

    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 413")
    assert json.loads(content)["errordesc"].startswith("TOO_LARGE")


def test_killed_receivers_lose_no_archive_and_get_none_twice(proxy: Proxy) -> None:
    """Stay last: this kills the receivers of all tests here, one while it holds a request, then the other."""
    working, hung = proxy.receivers
    before = {delivery.receipt_id for delivery in working.deliveries()}
    hung.process.send_signal(signal.SIGSTOP)
    bodies = [sample_body(f"{number} of 2") for number in range(2)]

    with ThreadPoolExecutor() as senders:
        answers = [senders.submit(proxy.post, body) for body in bodies]
        wait_until(lambda: any(each.done() for each in answers) and unread_bytes(hung) > 0)
        hung.process.kill()
        found = [each.result() for each in answers]

    refused = next(each for each in found if each.status_code != 200)
    assert_refused(refused, 502, "UNAVAILABLE")
    assert refused.headers["retry-after"] == "5"
    kept = [each.receipt_id for each in working.deliveries() if each.receipt_id not in before]
    assert kept == [receipt_id_of(body) for body, answer in zip(bodies, found, strict=True) if answer is not refused]

    later = [sample_body(f"after-{number}") for number in range(8)]
    assert [proxy.post(body).json()["status"] for body in later] == ["0"] * 8
    assert {each.receipt_id for each in working.deliveries()} >= set(map(receipt_id_of, later))

    working.process.kill()
    working.process.wait()
    assert_refused(proxy.post(sample_body("nobody")), 502, "UNAVAILABLE")


def unread_bytes(receiver: Receiver) -> int:
    """Return the bytes that connections to a receiver have taken, and that its process has not read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if int(row[1].split(":")[1], 16) == receiver.port)
