"""Runs the servers to measure, each a process that keeps bodies in a folder of its own.

Each gets SIGTERM when the benchmark is killed.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from adapters.platform.processes import command_of_child
from cli.programs.api import MALLOC

SECRET = "the benchmark's secret"
TOKEN = "the benchmark's token of 32 characters"
_IDLE_S = 0.02
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_UVICORN = [sys.executable, "-m", "uvicorn", "--no-access-log", "--http", "httptools", "--log-level", "warning"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    folder: Path
    """Where the server keeps bodies."""
    process: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def empty(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def memory(self, name: str) -> int:
        """Return `VmRSS` or `VmHWM` in bytes, of the process or of the children that do its work."""
        return sum(memory_of(pid, name) for pid in self._pids())

    def forget_peak(self) -> None:
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def wait_until_idle(self) -> None:
        """Wait until cellar has registered its receipts in the background: it must not slow the next server."""
        before_s = -1.0
        while (spent_s := sum(self.spent_s())) - before_s > _IDLE_S:
            before_s = spent_s
            time.sleep(10 * _IDLE_S)

    def spent_s(self) -> list[float]:
        """Return the processor time of each process that does the work."""
        return [_spent_s(pid) for pid in self._pids()]

    def _pids(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children] or [pid]


def _spent_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int, name: str) -> int:
    """Return `VmRSS` or `VmHWM` of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def cellar(work: Path, python: str = sys.executable) -> Iterator[Server]:
    """Run the receiver as delivered. Prefect is away, as after an outage: only the receiver runs.

    `python` is the interpreter of the installation to measure.
    """
    data, port = work / "cellar", free_port()
    values = {"DATA_DIR": data, "PORT": port, "WEBHOOK_SECRETS": SECRET, "API_TOKENS": TOKEN, "SWEEP_INTERVAL_S": 3600}
    environment = {f"CELLAR_{name}": str(value) for name, value in values.items()}
    environment |= MALLOC | {"PREFECT_API_URL": "http://127.0.0.1:1/api"}
    command = [python, "-P", "-m", "cli.main"]
    subprocess.run([*command, "migrate"], env=os.environ | environment, check=True, capture_output=True)
    folder = data / "inbox" / "waiting"
    folder.mkdir(parents=True, exist_ok=True)
    with _running("cellar", port, folder, [*command, "api"], environment) as server:
        yield server


@contextmanager
def signed_in(url: str) -> Iterator[httpx.Client]:
    """Provide a client of a receiver with TOKEN that has signed in, and that the JSON API knows too."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=600, trust_env=False) as client:
        found = _CSRF.search(client.get("/console/login").text)
        assert found
        form = {"name": "benchmark", "token": TOKEN, "csrf": found[1]}
        client.post("/console/login", data=form, headers={"sec-fetch-site": "same-origin"})
        yield client


@contextmanager
def floor(work: Path) -> Iterator[Server]:
    port, folder = free_port(), work / "floor"
    folder.mkdir()
    with _running("floor", port, folder, [sys.executable, "-m", "benchmarks.floor", str(port), str(folder)]) as server:
        yield server


@contextmanager
def reference(name: str, work: Path) -> Iterator[Server]:
    """Run a server of `benchmarks.references`."""
    port, folder = free_port(), work / name
    folder.mkdir()
    command = [*_UVICORN, "--port", str(port), f"benchmarks.references:{name}"]
    with _running(name, port, folder, command, MALLOC | {"FOLDER": str(folder)}) as server:
        yield server


@contextmanager
def nginx(work: Path) -> Iterator[Server]:
    """Run nginx's upload to file: each body lies in a file when nginx asks the upstream, which is nginx itself."""
    port, folder = free_port(), work / "nginx"
    folder.mkdir()
    folder.chmod(0o777)
    configuration = work / "nginx.conf"
    configuration.write_text(_NGINX.format(port=port, folder=folder, socket=work / "upstream.socket", work=work))
    command = [str(shutil.which("nginx")), "-c", str(configuration), "-e", str(work / "nginx.log")]
    with _running("nginx", port, folder, command) as server:
        yield server


_NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; client_body_in_file_only on; client_body_temp_path {folder};
  client_body_buffer_size 1m;
  server {{ listen unix:{socket}; return 200 '{{"status":"0"}}'; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://unix:{socket}; proxy_pass_request_body off; proxy_set_header Content-Length 0; }}
  }}
}}
"""


@contextmanager
def _running(
    name: str, port: int, folder: Path, command: list[str], environment: dict[str, str] | None = None
) -> Iterator[Server]:
    with (folder.parent / f"{name}.output").open("wb") as output:
        process = subprocess.Popen(
            command_of_child(command),
            env=os.environ | (environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for(port, process)
        yield Server(name, port, folder, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            raise ChildProcessError(f"a server ended at its start: {process.args!r}")
        time.sleep(0.1)
    raise TimeoutError(f"a server does not listen after 30 s: {process.args!r}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
