"""What lies outside is reached by the outgoing proxy, by its name; what is private is not, or never by the proxy."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from pytest_httpserver import HTTPServer

from adapters.peers import people, time_stamps
from adapters.peers.addresses import fault_at
from adapters.peers.downstream import line, public_addresses
from adapters.peers.revocation_servers import fetched
from models.archive.verdict import Wanted
from models.errors import Refused, Transient
from tests.adapters.peers.test_downstream import certificate
from tests.conftest import Configure, free_port, running, wait_until
from tests.forward_proxy import LOGIN
from tests.installations import closed_url

OUTSIDE = "hooks.invalid"  # a name that resolves nowhere here: the proxy resolves names


@dataclass(frozen=True)
class Proxy:
    url: str
    record: Path

    @property
    def lines(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    command = [sys.executable, "-m", "tests.forward_proxy", str(port), str(folder / "lines")]
    with running(command, {}, folder / "output"):
        wait_until(lambda: asyncio.run(fault_at(f"http://127.0.0.1:{port}", "127.0.0.1")) is None)
        yield Proxy(f"http://{LOGIN}@127.0.0.1:{port}", folder / "lines")


@pytest.fixture
def proxy(process: Proxy, configure: Configure) -> Proxy:
    process.record.unlink(missing_ok=True)
    configure(outgoing_proxy=process.url)
    return process


async def posted(url: str) -> int:
    async with line(5) as one:
        return (await one.post(url, {}, b"{}")).status_code


@pytest.mark.parametrize("host", [OUTSIDE, "93.184.216.34"])
def test_endpoint_is_reached_over_tls_by_its_name(
    proxy: Proxy, configure: Configure, tmp_path: Path, host: str
) -> None:
    context = certificate(tmp_path, host)
    configure(SSL_CERT_FILE=tmp_path / "authority.pem")
    with HTTPServer(host="127.0.0.1", port=0, ssl_context=context) as peer:
        peer.expect_request("/hook").respond_with_data("", status=204)
        url = f"https://{host}:{peer.port}/hook"

        assert asyncio.run(posted(url)) == 204
        assert asyncio.run(fault_at(url, None)) is None

    assert proxy.lines == [f"CONNECT {host}:{peer.port} HTTP/1.1"] * 2


def test_all_else_that_lies_outside_is_reached_by_the_proxy(proxy: Proxy, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/crl").respond_with_data(b"list")
    httpserver.expect_request("/chat").respond_with_data("")
    httpserver.expect_request("/stamp").respond_with_data("", status=500)
    outside = f"http://{OUTSIDE}:{httpserver.port}"
    wanted = Wanted(f"{outside}/crl", "")

    assert asyncio.run(fetched([wanted])) == {wanted: b"list"}
    people.send(f"{outside}/chat".replace("http", "json"), "a title", "a text")
    with pytest.raises(Transient, match="answered 500"):
        time_stamps.stamped(f"{outside}/stamp", b"text", [])
    assert asyncio.run(fault_at(f"{outside}/stamp", None)) is None

    asked = (("GET", "crl"), ("POST", "chat"), ("POST", "stamp"), ("HEAD", ""))
    assert proxy.lines == [f"{method} {outside}/{path} HTTP/1.1" for method, path in asked]


def test_token_in_the_place_of_a_host_is_no_address_and_nothing_behind_the_host_is_one(proxy: Proxy) -> None:
    """A name server, or the resolver itself, would take these digits for 127.0.0.1."""
    assert people._proxy("tgram://2130706433:abc/@dana") == {"http_proxy": proxy.url, "https_proxy": proxy.url}
    assert people._proxy("json://127.0.0.1?to=dana@example.com") == {}


def test_private_addresses_are_refused_or_reached_directly(
    proxy: Proxy, configure: Configure, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    inside = httpserver.url_for("/hook")
    wanted = Wanted(inside, "")

    for url in (inside, inside.replace("127.0.0.1", "localhost"), "http://169.254.169.254/", "http://[::1]/"):
        with pytest.raises(Refused, match="PRIVATE_ENDPOINT"):
            asyncio.run(public_addresses(url))
    assert asyncio.run(fetched([wanted])) == {}
    configure(notify_allow_private="true")
    assert asyncio.run(posted(inside)) == 200
    people.send(inside.replace("http", "json"), "a title", "a text")

    assert proxy.lines == []


def test_proxy_that_refuses_or_is_away_is_named_without_its_login(proxy: Proxy, configure: Configure) -> None:
    url = f"https://{OUTSIDE}/"
    configure(outgoing_proxy=proxy.url.replace(LOGIN, quote("wrong:word", safe=":")))
    refused = asyncio.run(fault_at(url, None))
    configure(outgoing_proxy=closed_url())

    assert refused == "the outgoing proxy answers 407"
    assert asyncio.run(fault_at(url, None)) == "the connection is refused: no server listens at its port"
