"""The access log is sent to a file or a syslog server: all of it, also what was recorded while nobody took it."""

import json
import os
import resource
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from adapters.peers.access_log import give
from adapters.store.tombstones import digest_of
from models.access import Action, Caller, Role
from models.errors import Transient
from services.access.log import record, send_waiting
from tests.conftest import LONGEST_S, Configure, free_port

DANA = Caller("דנה", Role.AUDITOR, None, "192.0.2.7")


@contextmanager
def syslog(port: int, authority: trustme.CA, *, dies: bool = False, asks_who: bool = False) -> Iterator[bytearray]:
    """Listen as a syslog server, and yield what one connection brings, complete after the block. `dies`: the server
    resets the connection before it reads the rows. `asks_who`: it takes none without a certificate of the sender.
    """
    tls, got = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), bytearray()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    tls.verify_mode = ssl.CERT_REQUIRED if asks_who else ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", port)) as listening:

        def _take() -> None:
            plain = listening.accept()[0]
            with tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as stream:
                try:
                    stream.do_handshake()
                except ssl.SSLError:
                    while os.read(stream.fileno(), 1 << 16):  # else the sender is reset before it is told why
                        pass
                    return
                if dies:
                    select.select([stream], [], [], LONGEST_S)  # the rows have come
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                while not dies and (data := stream.recv(1 << 16)):
                    got.extend(data)

        taking = threading.Thread(target=_take)
        taking.start()
        yield got
        taking.join(LONGEST_S)


def unframed(data: bytes) -> list[dict[str, object]]:
    """Read the frames of RFC 5425 and the JSON of their messages."""
    found = []
    while data:
        length, _, rest = data.partition(b" ")
        message, data = rest[: int(length)], rest[int(length) :]
        head, at, _, name, _, kind, _, text = message.split(b" ", 7)
        assert (head, name, kind) == (b"<110>1", b"cellar", b"access")
        found.append(json.loads(text))
        assert str(found[-1]["@timestamp"])[:19] == at.decode()[:19]
    return found


@pytest.mark.usefixtures("installation")
def test_syslog_server_gets_what_was_recorded_while_it_was_away_and_each_row_once(
    configure: Configure, tmp_path: Path
) -> None:
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    record(DANA, Action.LIST_ARCHIVES)  # before the setting
    configure(access_log_url=f"syslog+tls://127.0.0.1:{port}", SSL_CERT_FILE=tmp_path / "authority.pem")
    record(DANA, Action.READ_ARCHIVE, reference="תיק 1", detail={"command": "show"})
    record(DANA, Action.DOWNLOAD_FILE, reference="2", outcome="denied")

    with pytest.raises(Transient, match="CELLAR_ACCESS_LOG_URL takes nothing: ConnectionRefusedError"):
        send_waiting()
    with syslog(port, trustme.CA()), pytest.raises(Transient, match="SSLCertVerificationError"):
        send_waiting()
    with syslog(port, authority, dies=True), pytest.raises(Transient, match=r"takes nothing: [CB]"):
        send_waiting()
    with syslog(port, authority, asks_who=True), pytest.raises(Transient, match="takes nothing: SSLError"):
        send_waiting()
    with syslog(port, authority) as got:
        send_waiting()
    send_waiting()

    first, second = unframed(bytes(got))
    assert first["user"] == {"name": "דנה", "roles": ["auditor"]}
    assert first["source"] == {"ip": "192.0.2.7"}
    assert first["cellar"]["reference_digest"] == digest_of("תיק 1")  # type: ignore[index]
    events = [each["event"] for each in (first, second)]
    assert [(each["action"], each["outcome"], each["type"]) for each in events] == [  # type: ignore[index]
        ("read_archive", "success", ["allowed"]),
        ("download_file", "failure", ["denied"]),
    ]
    assert len({each["id"] for each in events}) == 2  # type: ignore[index]


@pytest.mark.usefixtures("sqlite_installation")
def test_file_gets_a_line_for_each_row_and_a_full_disk_loses_none(configure: Configure, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    configure(access_log_url="file:///dev/full")
    record(DANA, Action.READ_ARCHIVE, reference="1")
    with pytest.raises(Transient, match="OSError"):
        send_waiting()

    configure(access_log_url=f"file://{log}")
    record(DANA, Action.READ_ARCHIVE, reference="2")
    send_waiting()
    record(DANA, Action.READ_ARCHIVE, reference="3")
    send_waiting()

    sent = [json.loads(line)["cellar"]["reference_digest"] for line in log.read_text().splitlines()]
    assert sent == [digest_of(each) for each in "123"]
    assert log.stat().st_mode & 0o777 == 0o600

    before, limit = log.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limit[1]))  # a disk that takes ten bytes more
    try:
        with pytest.raises(Transient, match="OSError"):
            give(f"file://{log}", [(datetime.now(UTC), b"a line of more than ten bytes")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert log.read_bytes() == before
