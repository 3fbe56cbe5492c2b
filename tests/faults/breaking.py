"""Runs strace on a part, to see its system calls or to make them fail, and mounts small disks."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import wait_until
from tests.faults.parts import Part


@contextmanager
def traced(receiver: Part, output: Path, *options: str) -> Iterator[None]:
    """Trace a receiver and all its threads during the block, if it lives so long."""
    said = output.with_suffix(".said")
    command = ["strace", "-f", "-o", str(output), *options, "-p", str(receiver.pid)]
    with said.open("wb") as says, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=says) as tracing:
        wait_until(lambda: _is_traced(receiver.pid) or tracing.poll() is not None, timeout_s=30)
        assert tracing.poll() is None or not receiver.is_alive(), said.read_text()
        try:
            yield
        finally:
            tracing.terminate()


def _is_traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/task")
    return all("TracerPid:\t0" not in (each / "status").read_text() for each in status.iterdir())


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[Path]:
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, f"this test needs root, to mount a small disk: {done.stderr.decode()}"
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
