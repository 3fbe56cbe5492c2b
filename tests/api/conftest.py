"""Starts real receivers, each as a process on a free port with its own data folder, and fills one with archives.

Prefect does not answer, because its port is closed, unless a test starts it.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.inbox.inbox import deliveries
from adapters.inbox.quarantine import refused
from adapters.settings.settings import settings
from models.runs.receipt import Delivery, RefusedDelivery
from tests.conftest import LONGEST_S, answers, make_tables, wait_until
from tests.forked import Forked, forked_receiver
from tests.installations import archived, database_that_is_away, installed
from tests.samples import sample_body, sample_document

SECRET, TOKEN, LINK_KEY = (
    "the sender's secret",
    "the readers' token of 32 characters",
    "the key of links with 32 characters",
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver, and the files that it has written."""

    process: Forked
    port: int
    inbox: Path
    log: Path
    client: httpx.Client
    secret: str
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def visitor(self) -> httpx.Client:
        """Return another client, with cookies of its own."""
        return _client(self.url)

    def read(self, token: str) -> None:
        """Wait until the receiver has read a token, and all that were made before, from the store.

        On a busy machine that takes longer than a request waits for it.
        """

        def _is_known() -> bool:
            headers = from_a_new_address() | {"authorization": f"Bearer {token}"}
            return self.client.get("/api/archives", headers=headers).status_code != 401

        wait_until(_is_known)

    def post(self, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        presented = {"authorization": f"Bearer {self.secret}"} if headers is None else headers
        return self.client.post("/webhooks/cellosign", content=content, headers=presented)

    def waiting(self) -> set[str]:
        """Return the names of all files in `waiting/`, including unfinished files."""
        return {path.name for path in (self.inbox / "waiting").glob("*")}

    def deliveries(self) -> list[Delivery]:
        with installed(self.log.parent, inbox_url=self.inbox):
            return list(deliveries())

    def deliveries_of(self, receipt_id: str) -> list[Delivery]:
        return [delivery for delivery in self.deliveries() if delivery.receipt_id == receipt_id]

    def body_of(self, receipt_id: str) -> bytes:
        return (self.inbox / "waiting" / f"{receipt_id}.body").read_bytes()

    def quarantine(self) -> dict[str, RefusedDelivery]:
        with installed(self.log.parent, inbox_url=self.inbox):
            return {entry.receipt_id: entry for entry in refused()}

    def kept(self) -> tuple[set[str], set[str]]:
        """Return the names of everything in the inbox, to compare."""
        return self.waiting(), set(self.quarantine())


_hosts = count(1)


def from_a_new_address() -> dict[str, str]:
    """Return a header that makes a request come from an address of its own: wrong tokens of an address are limited."""
    return {"x-forwarded-for": f"2001:db8:{next(_hosts):x}::1"}


def _client(url: str) -> httpx.Client:
    """Return a client that leaves an idle connection before the receiver does, after 5 s.

    Else a request may meet the end of its connection.
    """
    limits = httpx.Limits(keepalive_expiry=1)
    return httpx.Client(base_url=url, timeout=LONGEST_S, limits=limits, trust_env=False)


@contextmanager
def started(output: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver with the settings of this process. It logs to `output`, or to a file beside the data folder."""
    made, log = settings(), settings().data_dir.parent / "receiver.log"
    log.touch()
    url = f"http://127.0.0.1:{made.port}"
    with (
        forked_receiver(output or log) as process,
        _client(url) as client,
    ):
        wait_until(lambda: process.poll() is not None or answers(f"{url}/healthz"))
        assert process.poll() is None, log.read_text()
        secret, token = made.active_webhook_secrets()[0], made.active_api_tokens()[0]
        yield Receiver(process, made.port, Path(made.inbox_location), log, client, secret, token)


@contextmanager
def receiving(folder: Path, *, is_migrated: bool = True, **values: object) -> Iterator[Receiver]:
    """Run a receiver with its own settings and folder."""
    with ExitStack() as stack:
        with installed(folder, **values):
            if is_migrated:
                make_tables()
            receiver = stack.enter_context(started())
        yield receiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with default settings."""
    with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with a small size limit and short timeouts."""
    with receiving(tmp_path_factory.mktemp("narrow"), max_body_bytes=100_000, body_timeout_s=3) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver without database and store, which answers errors with 200 and issues no public links."""
    folder = tmp_path_factory.mktemp("without_database")
    (folder / "no-store").write_bytes(b"")
    values = {
        "store_url": str(folder / "no-store"),
        "database_url": database_that_is_away(),
        "error_http": "200",
        "public_link": "none",
        "webhook_secrets": f"{SECRET}, the next secret of the sender",
        "api_tokens": TOKEN,
        "link_secret": LINK_KEY,
    }
    with receiving(folder, is_migrated=False, **values) as receiver:
        yield receiver


@dataclass(frozen=True, slots=True)
class Library:
    """A receiver whose database holds a completed archive of each reference."""

    receiver: Receiver
    folder: Path
    settings: dict[str, Any]
    references: list[str]

    def get(self, path: str) -> httpx.Response:
        return self.receiver.client.get(path, headers={"authorization": f"Bearer {TOKEN}"})

    def post(self, path: str) -> httpx.Response:
        return self.receiver.client.post(path, headers={"authorization": f"Bearer {TOKEN}"})


HOSTILE = [
    *("branch/7/contract", "with space", "הסכם 7", "50%", "100%25", "%2F", "/", "//", "...", ".hidden"),
    *("tail/rerun", f"tail/files/{'0' * 64}", "tail/files/x", "a?b#c", "a+b&c=d", "back\\slash", "line\nbreak", "'\""),
    *("😀", "x" * 255),
]
"""References that are plain text to cellar but have a meaning in a path, a URL or a database."""
WITH_DOT_SEGMENTS = ["..", ".", "../../etc/passwd"]
"""References that are kept like others, but that no path may hold."""

FILENAMES = {
    "contract.pdf": "contract.pdf",
    "חוזה סופי.pdf": "חוזה סופי.pdf",
    'the "final" one.pdf': "the _final_ one.pdf",
    "x.pdf\r\nSet-Cookie: a=b": "x.pdf  Set-Cookie_ a=b",
    "../../etc/passwd": "_.._etc_passwd",
    "semi; filename=other.exe": "semi; filename=other.exe",
    "100%.pdf": "100_.pdf",
    "it's.pdf": "it's.pdf",
    "a\\b.pdf": "a_b.pdf",
    "😀.png": "😀.png",
    "invoice\u202efdp.exe": "invoicefdp.exe",
    "\u2066contract\u2069\u200f.pdf": "contract.pdf",
    "..%2F..%2Fpasswd": "_2F.._2Fpasswd",
    "\u202e": "unnamed.png",
    ".htaccess": "htaccess",
    "NUL.pdf": "_NUL.pdf",
}
"""File names as sent, and the names of their downloads."""
PERSON = "Marker-314159"
"""Stands for the personal data in the archive `contract`."""


Libraries = Callable[[str], Library]


@pytest.fixture(scope="session")
def libraries(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, migrated_database: str
) -> Iterator[Libraries]:
    """Return a function that returns the library on a kind of database. Each is filled once, since that takes long."""
    made: dict[str, Library] = {}
    with ExitStack() as stack:

        def _library(kind: str) -> Library:
            if kind not in made:
                values = {}
                if kind == "postgres":
                    values["database_url"] = stack.enter_context(new_database(postgres_server, migrated_database))
                made[kind] = stack.enter_context(_open_library(tmp_path_factory.mktemp("library"), values))
            return made[kind]

        yield _library


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def library(request: pytest.FixtureRequest, libraries: Libraries) -> Library:
    """A library of archives, once on each kind of database."""
    return libraries(request.param)


@contextmanager
def _open_library(folder: Path, its: dict[str, str]) -> Iterator[Library]:
    values: dict[str, Any] = its | {"webhook_secrets": SECRET, "api_tokens": TOKEN}
    values |= {"link_secret": LINK_KEY, "public_link_days": 1}
    with ExitStack() as stack:
        with installed(folder, **values):
            make_tables()
            references = _fill()
            receiver = stack.enter_context(started())
        yield Library(receiver, folder, values, references)


def contract(**members: Any) -> bytes:
    """Return an archive with personal data, a warning and a discrepancy."""
    document = json.loads(sample_body("contract"))
    document["sessions"][0] |= {"author": PERSON, "labels": {PERSON: PERSON}}
    document["sessions"][0]["recipient"]["name"] = PERSON
    document["signatures"][0]["signed_by"] = {"id": "17", "name": PERSON}
    document["attachments"][0]["filename"] = PERSON
    document["payments"][0]["amount"] = 2101
    return json.dumps(document | members).encode()


def _fill() -> list[str]:
    """Store the archives of the library, `contract` in two versions. Return their references."""
    bodies = {reference: sample_body(reference) for reference in (*HOSTILE, *WITH_DOT_SEGMENTS)}
    named = [attachment(b"%d" % number, filename=name) for number, name in enumerate(FILENAMES)]
    bodies["filenames"] = sample_body("filenames", attachments=named)
    bodies["another"] = sample_body("another", attachments=[attachment(b"held by another")])
    bodies["page"] = sample_body("page", attachments=[attachment(b"<script>alert(1)</script>", mimetype="text/html")])
    for day, (reference, body) in enumerate(bodies.items()):
        archived(reference, body, datetime(2023, 2, 1 + day // 3, tzinfo=UTC))
    for number, city, name in ((1, "חיפה", "רון"), (2, "a=b", "דנה")):
        archived(f"twin {number}", _twin(number, city, name), datetime(2023, 1, 1 + number, tzinfo=UTC))
    archived("contract", earlier_contract(), datetime(2023, 3, 1, tzinfo=UTC))
    archived("contract", contract(event={"type": "WHP_ARCHIVE", "timestamp": "2024-01-01T00:00:00"}))
    return [*bodies, "twin 1", "twin 2", "contract"]


def earlier_contract() -> bytes:
    """Return `contract` before anything was signed, paid or attached, and with another value in a field."""
    document = json.loads(contract(signatures=[], payments=[], attachments=[]))
    document["data"][0]["value"] = "not decided"
    return json.dumps(document).encode()


def _twin(number: int, city: str, name: str) -> bytes:
    session = sample_document()["sessions"][0]
    session |= {
        "id": f"session-of-twin-{number}",
        "template": {"id": "twins"},
        "labels": {"BRANCH": city, "KIND": "twin"},
    }
    session |= {"process_number": 4710 + number, "transaction_number": 4710 + number, "recipient": {"name": name}}
    return sample_body(f"twin {number}", sessions=[session])


def attachment(content: bytes, **members: str) -> dict[str, str]:
    return {"id": "A1", "filename": "a.png", "mimetype": "image/png", "content": b64encode(content).decode()} | members


@contextmanager
def new_database(server: str, template: str) -> Iterator[str]:
    name = f"library_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
    base, _, query = server.partition("?")
    yield f"{base.rpartition('/')[0]}/{name}{'?' + query if query else ''}"
