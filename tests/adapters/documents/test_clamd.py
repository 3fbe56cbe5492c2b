"""A real clamd scans files, with a virus signature of our own."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.documents import clamd
from adapters.documents.clamd import Scanned, scanned
from adapters.platform.cancellation import limited
from models.errors import Transient
from tests.conftest import Configure, free_port, wait_until

BAD = b"what the only signature of these tests finds"
LARGEST_BYTES = 1 << 20


@contextmanager
def running_clamd(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a clamd, and yield the addresses of its socket and its port."""
    program = shutil.which("clamd")
    assert program, "clamd is missing: apt-get install clamav-daemon"
    port = free_port()
    (folder / "test.hdb").write_text(f"{hashlib.md5(BAD).hexdigest()}:{len(BAD)}:Test.Bad\n")
    (folder / "clamd.conf").write_text(
        f"DatabaseDirectory {folder}\nLocalSocket {folder}/socket\nTCPSocket {port}\nTCPAddr 127.0.0.1\n"
        f"StreamMaxLength {LARGEST_BYTES}\nForeground yes\nUser root\n"
    )
    process = subprocess.Popen([program, "-c", str(folder / "clamd.conf")], stdout=subprocess.DEVNULL)
    try:
        wait_until((folder / "socket").exists)
        yield str(folder / "socket"), f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with running_clamd(tmp_path_factory.mktemp("clamd")) as addresses:
        yield addresses


@pytest.fixture(params=[0, 1], ids=["socket", "port"])
def address(request: pytest.FixtureRequest, daemon: tuple[str, str], configure: Configure) -> str:
    configure(clamd=daemon[request.param])
    return daemon[request.param]


def look_through(tmp_path: Path, data: bytes) -> Scanned:
    (tmp_path / "file").write_bytes(data)
    return scanned(tmp_path / "file")


@pytest.mark.usefixtures("address")
def test_infected_file_is_reported_with_its_signature(tmp_path: Path) -> None:
    assert look_through(tmp_path, BAD).infection == "Test.Bad.UNOFFICIAL"


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("data", [b"", b"sound", bytes(900_000)], ids=["empty", "small", "in pieces"])
def test_clean_file_is_clean(tmp_path: Path, data: bytes) -> None:
    assert look_through(tmp_path, data) == Scanned(None, True)


@pytest.mark.usefixtures("address")
def test_file_too_large_for_the_daemon_is_not_reported_as_clean(tmp_path: Path) -> None:
    assert look_through(tmp_path, bytes(20 * LARGEST_BYTES)) == Scanned(None, False)


def test_nothing_is_scanned_without_a_configured_daemon(tmp_path: Path, configure: Configure) -> None:
    configure()

    assert look_through(tmp_path, BAD) == Scanned(None, True)


@pytest.mark.parametrize("missing", ["/nowhere/socket", "127.0.0.1:{port}"])
def test_unreachable_daemon_is_transient(tmp_path: Path, configure: Configure, missing: str) -> None:
    configure(clamd=missing.format(port=free_port()))

    with pytest.raises(Transient):
        look_through(tmp_path, b"x")


@pytest.mark.usefixtures("address")
def test_checkpoint_can_stop_a_scan(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    def stop() -> None:
        raise KeyboardInterrupt

    with limited(stop), pytest.raises(KeyboardInterrupt):
        clamd.scanned(tmp_path / "file")
