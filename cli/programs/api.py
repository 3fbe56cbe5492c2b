"""`cellar api`: sets malloc's settings, then runs the receiver.

The receiver is imported behind the settings: they start the process again, which would import everything twice.
"""

import os
import sys

from adapters.platform.imports import uncollected

# Bodies are large and short-lived. Blocks below 64 MiB come from the heap, which keeps up to 256 MiB, instead of a new
# mmap each: 1.13-1.35 times as fast at 200 MB.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "67108864", "MALLOC_TRIM_THRESHOLD_": "268435456"}


def api() -> None:
    """Run the receiver: webhook, JSON API and public links."""
    _set_up_malloc()
    with uncollected():
        from cli.programs.receiver import run  # noqa: PLC0415 -- after the process has started again

    run()


def _set_up_malloc() -> None:
    """Start this process again if malloc's settings are missing.

    They are variables of libc, not settings of cellar: libc reads them before Python starts.
    """
    missing = {name: value for name, value in MALLOC.items() if name not in os.environ}
    if missing:  # the program and its arguments are this process's own, and no shell reads them
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | missing)  # noqa: S606
