"""Has files scanned for malware by ClamAV's daemon, if `CELLAR_CLAMD` names a daemon.

Source: clamd(8), "COMMANDS", INSTREAM and PING.
"""

import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from models.errors import System, Transient
from models.said import Sentence

_COPY_BYTES = 256 << 10
_TIMEOUT_S = 120
_PING_WITHIN_S = 5
_LONGEST_ANSWER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Scanned:
    """The result of a scan. `infection` names the malware found. `is_whole` is false if the file is too large."""

    infection: str | None
    is_whole: bool


SOUND = Scanned(None, True)


def scanned(path: Path) -> Scanned:
    """Have a file scanned. Without a daemon in the settings, it counts as sound.

    Raises Transient if the daemon does not answer, or cannot scan now.
    """
    address = settings().clamd
    if not address:
        return SOUND
    try:
        with _connected(address) as daemon, path.open("rb") as file:
            answer = _asked(daemon, file)
    except OSError as error:
        raise _away(address, type(error).__name__) from error
    if answer == "stream: OK":
        return SOUND
    if answer.endswith(" FOUND"):
        return Scanned(answer.removeprefix("stream: ").removesuffix(" FOUND"), True)
    if "size limit exceeded" in answer:
        return Scanned(None, False)
    raise Transient(Sentence.clamd_fails(address=address, answer=answer), system=System.CLAMAV)


def ping() -> None:
    """Ask the daemon for a sign of life. Does nothing without a daemon in the settings.

    Raises Transient if the daemon does not answer.
    """
    address = settings().clamd
    if not address:
        return
    try:
        with _connected(address) as daemon:
            daemon.settimeout(_PING_WITHIN_S)
            daemon.sendall(b"zPING\0")
            answer = daemon.recv(_LONGEST_ANSWER_BYTES)
    except OSError as error:
        raise _away(address, type(error).__name__) from error
    if not answer.startswith(b"PONG"):
        raise _away(address, "no PONG")


def _away(address: str, reason: str) -> Transient:
    return Transient(Sentence.clamd_silent(address=address, reason=reason), system=System.CLAMAV)


def _connected(address: str) -> socket.socket:
    """Connect to `HOST:PORT`, or to a socket by its path."""
    if address.startswith("/"):
        daemon = socket.socket(socket.AF_UNIX)
        daemon.settimeout(_TIMEOUT_S)
        try:
            daemon.connect(address)
        except OSError:
            daemon.close()
            raise
        return daemon
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S)


def _asked(daemon: socket.socket, file: BinaryIO) -> str:
    try:
        daemon.sendall(b"zINSTREAM\0")
        while chunk := file.read(_COPY_BYTES):
            checkpoint()
            daemon.sendall(struct.pack(">I", len(chunk)) + chunk)
        daemon.sendall(struct.pack(">I", 0))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the daemon has already answered that the file is too large
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < _LONGEST_ANSWER_BYTES:
        part = daemon.recv(_LONGEST_ANSWER_BYTES)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0").decode(errors="replace")
