"""What executes the runs: cellar's worker, Prefect's stock process worker, and `flow.serve()`, four runs at once."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.platform.environment import POOL
from adapters.platform.settings import Settings
from cli.programs import up
from cli.programs.supervisor import Program

RUNS_AT_ONCE = 4
_PREFECT = [sys.executable, "-P", "-m", "prefect"]
_PREFECT_FILE = Path(__file__).parents[1] / "prefect.yaml"
_ASK_EVERY_S = "1"  # for the references too, which by themselves ask every 10 s


def cellar(settings: Settings) -> list[Program]:
    """As `cellar up` starts it."""
    return [up._worker(settings)]


def stock(settings: Settings) -> list[Program]:
    """Pool and deployment are made as `prefect.yaml` says."""
    environment = up._environment(settings) | {"PREFECT_WORKER_QUERY_SECONDS": _ASK_EVERY_S}
    commands = {
        "pool": ["work-pool", "create", POOL, "--type", "process"],
        "deploy": ["--no-prompt", "deploy", "--all", "--prefect-file", str(_PREFECT_FILE)],
        "worker": ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(RUNS_AT_ONCE)],
    }
    return [Program(name, [*_PREFECT, *command], environment) for name, command in commands.items()]


def serve(settings: Settings) -> list[Program]:
    """The deployment has the name that the receiver triggers."""
    environment = up._environment(settings) | {"PREFECT_RUNNER_POLL_FREQUENCY": _ASK_EVERY_S}
    return [Program("worker", [sys.executable, "-m", "benchmarks.served", str(RUNS_AT_ONCE)], environment)]


ENGINES: dict[str, Callable[[Settings], Sequence[Program]]] = {"cellar": cellar, "stock": stock, "serve": serve}
"""For each, the programs to run to their end, and last the one that stays."""
