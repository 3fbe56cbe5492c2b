"""People's addresses: a chat that takes JSON by HTTP, and a mail server."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from tests.conftest import Configure, free_port


@dataclass
class Chat:
    """A service that takes letters as JSON. `url` is its address."""

    server: HTTPServer

    @property
    def url(self) -> str:
        return self.server.url_for("/chat").replace("http://", "json://")

    @property
    def titles(self) -> list[str]:
        return [json.loads(request.data)["title"] for request, _ in self.server.log]

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.data)["message"] for request, _ in self.server.log]


@pytest.fixture
def chat(configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer) -> Chat:
    return chatting(configure, httpserver)


@pytest.fixture
def chat_anywhere(configure: Configure, installation: Settings, httpserver: HTTPServer) -> Chat:
    return chatting(configure, httpserver)


def chatting(configure: Configure, httpserver: HTTPServer) -> Chat:
    httpserver.expect_request("/chat").respond_with_data("")
    made = Chat(httpserver)
    configure(people_urls=made.url)
    return made


@dataclass
class Mailbox:
    """What a mail server has taken."""

    port: int
    letters: list[str] = field(default_factory=list)
    is_full: bool = False

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.is_full:
            return "552 the mailbox of dana@example.com is full"
        self.letters.append((envelope.content or b"").decode() if isinstance(envelope.content, bytes) else "")
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=cellar@example.com&to=dana@example.com&mode=insecure"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox(free_port())
    server = Controller(made, hostname="127.0.0.1", port=made.port)
    server.start()
    yield made
    server.stop()
