"""Gives lines of the access log to a file, or to a syslog server over TLS (RFC 5424 in the frames of RFC 5425)."""

import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from adapters.observation.log_file import open_log
from adapters.peers.addresses import tls_context
from models.errors import Transient

_TIMEOUT_S = 10
_RECEIVED_BYTES = 1 << 14
_PRIORITY = 110
"""Facility 13, log audit, and severity 6, informational."""
Line = tuple[datetime, bytes]


def give(url: str, lines: Sequence[Line]) -> None:
    """Give lines to the place that a URL names, and return when it has them.

    Raises Transient if the place does not take them. It may have some.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            _append(Path(parts.path), b"".join(line + b"\n" for _, line in lines))
        else:
            _send(str(parts.hostname), int(parts.port or 0), b"".join(_frame(*each) for each in lines))
    except OSError as error:
        raise Transient(f"{parts.scheme} of CELLAR_ACCESS_LOG_URL takes nothing: {type(error).__name__}") from error


def _append(path: Path, data: bytes) -> None:
    """Append data whole: what a full disk took of it would spoil the next line."""
    with os.fdopen(open_log(path), "ab", buffering=0) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, "the disk took a part")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size_bytes)
            raise


def _frame(at: datetime, line: bytes) -> bytes:
    head = f"<{_PRIORITY}>1 {at:%Y-%m-%dT%H:%M:%S.%fZ} {socket.gethostname()} cellar - access - "
    message = head.encode() + line
    return b"%d %b" % (len(message), message)


def _send(host: str, port: int, data: bytes) -> None:
    """Send data, and wait until the server has closed: syslog answers nothing. A server that died has reset, and one
    that wants a certificate of ours says so only now: Python's own sockets would take that for its farewell.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(incoming, outgoing, server_hostname=host)
    with socket.create_connection((host, port), _TIMEOUT_S) as plain:

        def _done(work: Callable[[], object]) -> None:
            while True:
                with suppress(ssl.SSLWantReadError):
                    work()
                    plain.sendall(outgoing.read())
                    return
                plain.sendall(outgoing.read())
                received = plain.recv(_RECEIVED_BYTES)
                if received:
                    incoming.write(received)
                else:
                    incoming.write_eof()

        _done(tls.do_handshake)
        _done(lambda: tls.write(data))
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()  # our farewell
        with suppress(TimeoutError, ssl.SSLZeroReturnError, ssl.SSLEOFError):  # or it closes without a farewell
            _done(lambda: tls.read(1))
