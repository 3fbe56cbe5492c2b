"""`cellar up`: runs all of cellar in the foreground, with embedded defaults."""

import asyncio
import os
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import httpx
import typer
from rich.console import Console
from rich.text import Text

from adapters.inbox.restore_mark import check_complete
from adapters.observation.log_file import human_text
from adapters.observation.metrics import make_shared_folder
from adapters.peers import downstream
from adapters.peers.receiver import local_url
from adapters.platform.processes import end_marked
from adapters.settings.environment import (
    POOL,
    prefect_defaults,
    prefect_environment,
    prefect_file,
    prefect_server_defaults,
    prefect_server_environment,
    settings_environment,
)
from adapters.settings.settings import Settings, settings
from cli.programs.api import MALLOC
from cli.programs.receiver import print_first_login
from cli.programs.supervisor import Listener, Program, Supervisor, require_free, sole_use
from domain.messages.endpoints import shown_url
from models.access import Role
from models.errors import CellarError, Refused, Transient, WrongUse

_READY_WITHIN_S = 90
_LEFTOVERS_END_WITHIN_S = 10
_ANSWER_WITHIN_S = 2
_STOP_WITHIN_S = 15
_WRONG_USE = 2

_HELLO = "hello-cellar"  # the reference of docs/hello.json


def up() -> None:
    """Run the receiver, a Prefect server and a worker in the foreground. Ctrl-C stops them all."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        check_complete()
        asyncio.run(_up(settings(), console))
    except CellarError as error:
        typer.echo(f"cellar up: {error.detail if isinstance(error, Refused) else error}", err=True)
        raise typer.Exit(_WRONG_USE if isinstance(error, (Refused, WrongUse)) else 1) from error


async def _up(settings: Settings, console: Console) -> None:
    began = time.monotonic()
    with sole_use(settings.data_dir.absolute()):
        # Programs that a killed supervisor has left hold our ports and would answer in place of ours.
        await end_marked("=".join(_mark(settings)), within_s=_LEFTOVERS_END_WITHIN_S)
        require_free(_listeners(settings))
        async with Supervisor(_log(settings), partial(_show, console)) as supervisor:
            await _start(settings, supervisor, console)
            for line in await _refused_endpoints(settings):
                console.print(line)
            console.print(_welcome(settings, time.monotonic() - began, shows_secrets=console.is_terminal))
            await asyncio.Event().wait()
    console.print("Everything is stopped.")


def _log(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "logs" / "up.log"


def _show(console: Console, line: str) -> None:
    """Show a line of a program: for people on a terminal, else as it is."""
    if console.is_terminal:
        console.print(Text.from_ansi(human_text(line)))
    else:
        print(line, flush=True)  # noqa: T201 -- a console of rich ends its thread when the output is closed


async def _start(settings: Settings, supervisor: Supervisor, console: Console) -> None:
    """Start all programs and return when all are ready. Programs that do not depend on each other start in parallel."""
    embedded = settings.prefect_api_url is None
    # A start with more processes has left more folders.
    shutil.rmtree(settings.data_dir.absolute() / "metrics", ignore_errors=True)
    async with (
        # A proxy in the environment is for other hosts, not for our own ports.
        httpx.AsyncClient(base_url=local_url(), timeout=_ANSWER_WITHIN_S, trust_env=False) as receiver,
        httpx.AsyncClient(
            base_url=settings.prefect_url, timeout=_ANSWER_WITHIN_S, trust_env=not embedded, auth=settings.prefect_auth
        ) as prefect,
    ):
        since = datetime.now(UTC) if embedded else await _time_of(prefect)
        if embedded:
            _bring_prefect_database(settings)
            await supervisor.start(_prefect_server(settings))
        with _step(console, "Database"):
            await supervisor.run(_cellar(settings, "migrate"))
        await asyncio.to_thread(print_first_login, Role.OWNER)  # who starts all of it alone needs no second person
        await supervisor.start(_worker(settings))
        await supervisor.start(_cellar(settings, "api", **MALLOC, **_metrics(settings, "receiver")))
        if embedded:
            with _step(console, "Prefect server"):
                await supervisor.until("prefect", lambda: _answers(prefect, "/health"), _READY_WITHIN_S)
        with _step(console, "Receiver"):
            await supervisor.until("api", lambda: _answers(receiver, "/readyz"), _READY_WITHIN_S)
        with _step(console, "Deployment and worker"), _advised(_about_the_worker(settings)):
            await supervisor.until("worker", lambda: _serves(prefect, since), _READY_WITHIN_S)


def _bring_prefect_database(settings: Settings) -> None:
    """Give a new Prefect server the empty database that `make` has made: making it takes half of a first start."""
    place = prefect_file(settings)
    made = Path(sys.prefix, "prefect", place.name)
    with suppress(OSError):  # the server makes its own, or says what is wrong with the folder
        if made.exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, place.with_suffix(".new")).rename(place)


def _prefect_server(settings: Settings) -> Program:
    command = [sys.executable, "-P", "-m", "cli.programs.prefect_server"]
    environment = _environment(settings, prefect_server_defaults(settings), prefect_server_environment(settings))
    return Program("prefect", command, environment)


def _worker(settings: Settings) -> Program:
    sole = ["--sole"] if settings.prefect_api_url is None else []
    return _cellar(settings, "worker", "--name", socket.gethostname(), *sole, **MALLOC, **_metrics(settings, "worker"))


def _cellar(settings: Settings, subcommand: str, *options: str, **variables: str) -> Program:
    # -P: a folder `api` or `cli` in the current directory must not take the place of ours.
    command = [sys.executable, "-P", "-m", "cli.main", subcommand, *options]
    return Program(subcommand, command, _environment(settings, made=variables), stop_within_s=_STOP_WITHIN_S)


def _environment(
    settings: Settings, defaults: dict[str, str] | None = None, made: dict[str, str] | None = None
) -> dict[str, str]:
    """Return a child's environment: our defaults, overridden by this process's own, overridden by fixed values."""
    environment = prefect_defaults() | (defaults or {}) | dict(os.environ)
    environment |= settings_environment(settings) | prefect_environment(settings) | (made or {})
    environment |= dict.fromkeys(("NO_PROXY", "no_proxy"), _no_proxy(environment))
    if settings.prefect_api_url is None:
        environment.pop("PREFECT_PROFILE", None)  # names a profile of the user's own PREFECT_HOME
    return environment | dict([_mark(settings)])


def _no_proxy(environment: dict[str, str]) -> str:
    told = environment.get("no_proxy") or environment.get("NO_PROXY")
    return ",".join([*([told] if told else []), "127.0.0.1", "localhost"])


def _metrics(settings: Settings, program: str) -> dict[str, str]:
    """Return the variable by which a program keeps its metrics in a folder; see `adapters.observation.metrics`.

    The folder is empty at the start of `cellar up`, and outlives a restart of the program.
    """
    folder = settings.data_dir.absolute() / "metrics" / program
    return {"PROMETHEUS_MULTIPROC_DIR": make_shared_folder(folder)}


def _mark(settings: Settings) -> tuple[str, str]:
    """Return the environment variable that marks every process that `cellar up` starts."""
    return "CELLAR_UP", str(settings.data_dir.absolute())


def _listeners(settings: Settings) -> list[Listener]:
    listeners = [Listener("the receiver", settings.host, settings.port, "CELLAR_PORT")]
    if settings.prefect_api_url is None:
        listeners.append(Listener("the Prefect server", "127.0.0.1", settings.prefect_port, "CELLAR_PREFECT_PORT"))
    return listeners


async def _answers(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).is_success
    except httpx.HTTPError:
        return False


async def _time_of(prefect: httpx.AsyncClient) -> datetime:
    """Return the time by the Prefect server's clock, to distinguish heartbeats of this start from older heartbeats."""
    try:
        return parsedate_to_datetime((await prefect.get("/health")).headers["date"])
    except (httpx.HTTPError, KeyError, ValueError):
        return datetime.now(UTC)


async def _serves(prefect: httpx.AsyncClient, since: datetime) -> bool:
    """Return whether our worker is ONLINE with a heartbeat after `since`. It makes the deployments before the first."""
    try:
        workers = await prefect.post(f"/work_pools/{POOL}/workers/filter", json={})
    except httpx.HTTPError:
        return False
    if not workers.is_success:
        return False
    ours = [worker for worker in workers.json() if worker["name"] == socket.gethostname()]
    return any(
        worker["status"] == "ONLINE" and datetime.fromisoformat(worker["last_heartbeat_time"]) >= since
        for worker in ours
    )


async def _refused_endpoints(settings: Settings) -> list[str]:
    """Return a warning for each endpoint that is always refused. A host name that does not resolve may do so later."""
    warnings = []
    for url in settings.notify_urls:
        try:
            await downstream.public_addresses(url)
        except Refused as error:
            warnings.append(f"Warning: {shown_url(url)} will get no notification: {error.detail}.")
        except Transient:
            continue
    return warnings


def _welcome(settings: Settings, took_s: float, *, shows_secrets: bool) -> str:
    url = local_url()
    # Also where they are not shown: a missing secret is generated here.
    secret, token = settings.active_webhook_secrets()[0], settings.active_api_tokens()[0]
    if shows_secrets:
        sender, reader = (shlex.quote(f"Authorization: Bearer {each}") for each in (secret, token))
    else:
        sender = _read_by_shell("CELLAR_WEBHOOK_SECRETS", settings.webhook_secrets, settings.secret_path("webhook"))
        reader = _read_by_shell("CELLAR_API_TOKENS", settings.api_tokens, settings.secret_path("api"))
    body = shlex.quote(f"@{_hello()}")
    return f"""
cellar is up after {took_s:.1f} s.

  Receiver    {settings.receiver_url}
  Console     {settings.receiver_url}/console/
  Prefect UI  {settings.prefect_ui_url}{_login_of_prefect(settings)}
  Metrics     {url}/metrics
  Log         {_log(settings)}

Send it an archive:

curl -H {sender} -H 'Content-Type: application/json' {url}/webhooks/cellosign --data-binary {body}

Read it back:

curl -H {reader} {url}/api/archives/{_HELLO}

See it in the console: {settings.dossier_url(_HELLO)}
What needs a person, and all archives: cellar status, cellar list

Ctrl-C stops all programs.
"""


def _login_of_prefect(settings: Settings) -> str:
    """Return where the login is that the embedded Prefect server asks for."""
    if settings.prefect_api_url is not None:
        return ""
    kept = settings.secret_path("prefect")
    return f" (asks once for {'PREFECT_API_AUTH_STRING' if settings.prefect_auth_string else f'the line in {kept}'})"


def _hello() -> Path:
    """Return the archive of the README: in the package when installed from a wheel, else in the project's docs."""
    packaged = Path(__file__).with_name("hello.json")
    return packaged if packaged.exists() else Path(__file__).parents[2] / "docs" / "hello.json"


def _read_by_shell(variable: str, configured: Sequence[str], path: Path) -> str:
    """Return a header for a shell that reads its secret, for output that is kept: a file, a pipe, the journal."""
    if configured:
        return f'"Authorization: Bearer ${{{variable}%%,*}}"'
    return f'"Authorization: Bearer $(cat {shlex.quote(str(path))})"'


def _about_the_worker(settings: Settings) -> str:
    if settings.prefect_api_url is None:
        return "Read the lines of Prefect there too, then start again; a busy machine may only need more time."
    where = f"Prefect at {settings.prefect_ui_url}"
    what_to_do = "check PREFECT_API_URL and PREFECT_API_AUTH_STRING, and its clock against the clock of this machine"
    return f"The worker registers with {where}: {what_to_do}."


@contextmanager
def _advised(what_to_do: str) -> Iterator[None]:
    try:
        yield
    except Transient as error:
        raise Transient(f"{error}\n{what_to_do}") from error


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Show that a step is done, and on a terminal a spinner until then."""
    with console.status(f"{what} ...") if console.is_terminal else nullcontext():
        yield
    console.print(f"\N{CHECK MARK} {what}" if console.is_terminal else f"{what}: ready")
