"""`cellar worker`: executes flow runs from Prefect's work pool `cellar`."""

import os
import socket
from typing import Annotated

import typer

from adapters.database.outages import Program, connect_as
from adapters.files.private import shut_folders
from adapters.inbox.restore_mark import check_complete
from adapters.observation.log import adopt_loggers
from adapters.platform.imports import uncollected
from adapters.settings.environment import prefect_defaults, prefect_environment, settings_environment
from adapters.settings.settings import settings
from models.errors import CellarError


def worker(
    name: Annotated[str, typer.Option(help="The worker's name in Prefect. Default: host name and process id.")] = "",
    sole: Annotated[
        bool, typer.Option(help="Take over a killed worker's runs at once. Only without other workers in this pool.")
    ] = False,
) -> None:
    """Execute flow runs from Prefect's work pool `cellar`. Creates or updates the pool and its deployments first."""
    shut_folders(settings())
    connect_as(Program.WORKER)
    check_complete()
    # Prefect reads the environment when it is imported.
    for variable, value in prefect_defaults().items():
        os.environ.setdefault(variable, value)
    os.environ.update(settings_environment(settings()) | prefect_environment(settings()))
    with uncollected():
        from flows.worker.metrics_listener import metrics_listening  # noqa: PLC0415
        from flows.worker.serving import serve  # noqa: PLC0415

    adopt_loggers()  # Prefect has configured its own
    try:
        with metrics_listening(settings().worker_metrics_port):
            serve(name or f"{socket.gethostname()}-{os.getpid()}", sole=sole)
    except CellarError as error:
        typer.echo(f"cellar worker: {error.in_full()}", err=True)
        raise typer.Exit(1) from error
