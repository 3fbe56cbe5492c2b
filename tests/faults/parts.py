"""Programs of an installation that can be killed, paused, stopped and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import answers, free_port, wait_until

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 300


@dataclass
class Part:
    """A program. `is_ready` says whether it serves. Signals reach all its processes."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start the program, and return when it serves."""
        self.begin()
        wait_until(lambda: self.is_ready() or not self.is_alive(), timeout_s=STARTS_WITHIN_S)
        assert self.is_alive(), self.log.read_text()[-4000:]

    def begin(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env={**self.environment, "PYTHONPATH": self.environment.get("PYTHONPATH", str(ROOT))},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
            )

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._wait(10)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self, within_s: float = 60) -> int:
        """Send SIGTERM to the program itself, as systemd and Kubernetes do, and return its exit status."""
        assert self._process
        self._process.terminate()
        return self._process.wait(within_s)

    def interrupt(self, within_s: float = 60) -> int:
        """Send SIGINT to the program itself, and return its exit status."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(within_s)

    def end(self) -> None:
        if self.is_alive():
            self.resume()
            try:
                self.terminate(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def _signal(self, number: int) -> None:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            for each in [parent, *parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    def _wait(self, within_s: float) -> None:
        assert self._process
        self._process.wait(within_s)


@contextmanager
def ending(parts: Sequence[Part]) -> Iterator[None]:
    """End the parts after the block, the last first."""
    try:
        yield
    finally:
        for each in reversed(parts):
            each.end()


def prefect_part(folder: Path, port: int, environment: Mapping[str, str]) -> Part:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "cli.programs.prefect_server"]
    environment = {
        **environment,
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "*",
    }
    url = f"http://127.0.0.1:{port}/api/health"
    return Part("prefect", command, environment, folder, lambda: answers(url))


def s3_part(folder: Path, port: int) -> Part:
    folder.mkdir(exist_ok=True)
    weed = str(Path(sys.executable).with_name("weed"))
    inner = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer", "admin")]
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command = [weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", f"-s3.port={port}", *inner, *off]
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "cellar-test", "AWS_SECRET_ACCESS_KEY": "cellar-test-secret"}
    return Part("s3", command, environment, folder, lambda: answers(f"http://127.0.0.1:{port}/healthz"))
