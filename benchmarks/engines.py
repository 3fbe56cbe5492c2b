"""The programs of each engine: cellar's worker, and Prefect's stock process worker."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.settings.environment import POOL
from adapters.settings.settings import Settings
from cli.programs import up
from cli.programs.supervisor import Program

RUNS_AT_ONCE = 4
_PREFECT = [sys.executable, "-P", "-m", "prefect"]
_PREFECT_FILE = Path(__file__).parents[1] / "prefect.yaml"
_ASK_EVERY_S = "1"  # the default is 10 s


def cellar(settings: Settings) -> list[Program]:
    """Return the worker as `cellar up` starts it."""
    return [up._worker(settings)]


def stock(settings: Settings) -> list[Program]:
    """Return the stock worker, after the commands that make its pool and the deployments of `prefect.yaml`."""
    environment = up._environment(settings) | {"PREFECT_WORKER_QUERY_SECONDS": _ASK_EVERY_S}
    commands = {
        "pool": ["work-pool", "create", POOL, "--type", "process"],
        "deploy": ["--no-prompt", "deploy", "--all", "--prefect-file", str(_PREFECT_FILE)],
        "worker": ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(RUNS_AT_ONCE)],
    }
    return [Program(name, [*_PREFECT, *command], environment) for name, command in commands.items()]


ENGINES: dict[str, Callable[[Settings], Sequence[Program]]] = {"cellar": cellar, "stock": stock}
"""By engine: the programs that run to their end, and last the program that stays."""
