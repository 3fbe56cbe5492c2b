"""Describes the machine that a benchmark runs on, and gives it a folder to work in."""

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def work_folder() -> Iterator[Path]:
    """Provide a folder on the disk of the current folder, which is no memory, and remove it after the block."""
    with tempfile.TemporaryDirectory(prefix="cellar-benchmark-", dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def described() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
