"""Checks what cellar is given: Python, settings, the modes of files, ports, and the connections of the database."""

import asyncio
import shlex
import socket
import stat
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from adapters.database import facts
from adapters.database.facts import Connections
from adapters.database.outages import Program, most_connections
from adapters.files.encryption import encryption_of
from adapters.files.store import storage_at
from adapters.peers import prefect_facts, receiver
from adapters.peers.addresses import fault_at, host_and_port, proxy_to
from adapters.settings.database_urls import database_place
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings
from adapters.tables.messages import endpoints
from models.errors import System, Transient
from models.said import Said, Sentence
from models.views.health import Grade
from services.health.checks import Found, Probe, plain, wrong

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 11), (3, 13)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_NAMED = 5
_CONNECT_WITHIN_S = 2
_FOR_COMMANDS = 4
_MARGIN = 20
_RECEIVER, _WORKER = Program.RECEIVER, Program.WORKER


def installation_probes() -> list[Probe]:
    is_file = settings().database_location.startswith("sqlite")
    return [
        Probe("Python", _python),
        Probe("settings", _settings),
        Probe("data folder", _data_folder),
        Probe("ports", _ports),
        Probe("file modes", _modes),
        *(Probe(f"encryption of {name}", partial(_encryption, ask)) for name, ask in _places().items()),
        *([] if is_file else [Probe("connections", _connections, (System.DATABASE,))]),
        *([Probe("outgoing proxy", _outgoing_proxy, (System.DATABASE,))] if settings().outgoing_proxy else []),
    ]


def _python() -> Found:
    version = sys.version_info[:2]
    found = f"{version[0]}.{version[1]} at {sys.executable}"
    if not _OLDEST_PYTHON <= version <= _NEWEST_PYTHON:
        raise Transient(found)
    return plain(Grade.OK, found)


def _settings() -> Found:
    """Report which settings differ from their defaults. Wrong values stop every command before this check."""
    made = sorted(name.upper() for name in settings().model_fields_set)
    if settings().notify_allow_private:
        return plain(Grade.WARNING, "endpoints on private addresses are allowed")
    hint = "a token of CELLAR_API_TOKENS opens everything; `cellar tokens add NAME` gives a machine its own"
    return plain(Grade.OK, f"set: {', '.join(made) or 'none, all are defaults'}; {hint}")


def _data_folder() -> Found:
    """Write a file where cellar keeps its own data. A program makes the folder when it needs it."""
    folder = settings().data_dir.absolute()
    if not folder.is_dir():
        if not _is_kept_in(folder):
            text = f"{folder} does not exist, and nothing is kept there: data and secrets lie elsewhere"
            return plain(Grade.OFF, text)
        return wrong(Sentence.no_data_folder, path=str(folder))
    probe = folder / ".probe"
    try:
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        raise Transient(f"{folder} cannot be written: {error.strerror}") from error
    return plain(Grade.OK, f"{folder} can be written")


def _is_kept_in(folder: Path) -> bool:
    """Return whether a part of the installation lies in its data folder. Secrets that are not set are files there."""
    made = settings()
    secrets = made.webhook_secrets, made.api_tokens, made.link_secret, made.seal_keys, made.anchor_key
    locations = made.database_location, made.inbox_location, made.store_location
    return not all(secrets) or any(f"{folder}/" in each for each in locations)


def _ports() -> Found:
    """Check that no other program has a port of ours."""
    ports: dict[str, tuple[str, int, Callable[[], object]]] = {
        "CELLAR_PORT": (settings().host, settings().port, receiver.readiness)
    }
    if settings().prefect_api_url is None:
        if settings().port == settings().prefect_port:
            raise Transient(f"CELLAR_PORT and CELLAR_PREFECT_PORT are both {settings().port}")
        ports["CELLAR_PREFECT_PORT"] = ("127.0.0.1", settings().prefect_port, prefect_facts.server)
    for name, (host, port, ask) in ports.items():
        if _listens(host, port):
            try:
                ask()
            except Transient as error:
                raise Transient(f"port {port} ({name}) does not answer as cellar's: {error}") from error
    used = ", ".join(f"{port} ({name})" for name, (_, port, _) in ports.items())
    return plain(Grade.OK, f"no other program listens on {used}")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _CONNECT_WITHIN_S).close()
    except OSError:
        return False
    return True


def _modes() -> Found:
    """Check that no other user of the machine may open what people keep private."""
    modes = [(path, path.stat().st_mode) for path in _private_paths()]
    is_open = [path for path, mode in modes if mode & _OTHERS and not mode & stat.S_ISVTX]
    if is_open:
        named = [str(path) for path in is_open[:_MOST_NAMED]]
        found = f"other users may open {', '.join(named)}"
        to_do = f"run `chmod go= {shlex.join(named)}`, or start `cellar up`, which does so for all"
        return plain(Grade.WRONG, found, to_do)
    return plain(Grade.OK, "only this user may open data, inbox, store and secrets")


def _private_paths() -> list[Path]:
    data = settings().data_dir.absolute()
    storages = [storage_at(each) for each in (settings().inbox_location, settings().store_location)]
    folders = [path for each in storages for path in each.suited(folder=lambda it: [it.path], bucket=lambda _: [])]
    secrets = sorted((data / "secrets").glob("*"))
    scheme, _, database = settings().database_location.partition(":///")
    files = [Path(database)] if scheme == "sqlite" else []
    return [path for path in (data, *folders, *secrets, *files) if path.exists()]


def _places() -> dict[str, Callable[[], Said]]:
    """Return what says of each place with personal data whether it is encrypted at rest."""
    store, inbox = (storage_at(each) for each in (settings().store_location, settings().inbox_location))
    database, prefect = Path(database_place(settings().database_location)), prefect_file(settings())
    is_file = settings().database_location.startswith("sqlite")
    of_server = partial(Sentence.encryption_unknown, place=str(database), kind="Postgres")
    of_prefect = partial(Sentence.encryption_unknown, place=settings().prefect_url, kind="Prefect")
    return {
        "store": store.encryption,
        "inbox": inbox.encryption,
        "spool": partial(encryption_of, store.spool_folder),
        "database": partial(encryption_of, database.parent) if is_file else of_server,
        "Prefect's database": partial(encryption_of, prefect.parent) if prefect.exists() else of_prefect,
    }


def _encryption(ask: Callable[[], Said]) -> Found:
    said = ask()
    is_so = said.code in (Sentence.encrypted_disk.name, Sentence.encrypted_bucket.name)
    return Found(Grade.OK if is_so else Grade.OFF, said)


def _outgoing_proxy() -> Found:
    """Let the proxy connect to each host that it leads to. Letters are tried by `cellar people test`."""
    logins = [settings().oidc_issuer] if settings().oidc_issuer else []
    urls = [*logins, *settings().time_stamp_urls, *(each.url for each in endpoints.known() if not each.disabled_at)]
    outside = {host_and_port(each)[0]: each for each in urls if proxy_to(each)}
    faults = dict(zip(outside, asyncio.run(_faults(outside.values())), strict=True))
    found = "; ".join(f"{host}: {fault}" for host, fault in sorted(faults.items()) if fault)
    hosts = ", ".join(sorted(faults)) or "no host"
    return plain(Grade.WARNING, found) if found else plain(Grade.OK, f"leads to {hosts}")


async def _faults(urls: Iterable[str]) -> list[str | None]:
    return await asyncio.gather(*(fault_at(each, None) for each in urls))


def _connections() -> Found:
    """Check that the server takes the connections of all programs at their busiest.

    A server that has none left turns programs away one after the other, under load and never before.
    """
    found = facts.connections()
    if found is None:
        return plain(Grade.OFF, "a file has no connections")
    least = {_RECEIVER: settings().receiver_processes, _WORKER: 1}
    processes = {program: max(number, found.processes[program]) for program, number in least.items()}
    return judged(found, processes, {program: most_connections(program) for program in processes})


def judged(found: Connections, processes: dict[Program, int], each: dict[Program, int]) -> Found:
    """Return whether the server takes all that `processes` open, `each` at most, beside the other programs. Pure."""
    needed = sum(number * each[program] for program, number in processes.items()) + _FOR_COMMANDS + found.others
    usable = found.most - found.reserved
    said = (
        f"receivers may open {processes[_RECEIVER]} × {each[_RECEIVER]}, workers {processes[_WORKER]} × "
        f"{each[_WORKER]}, commands {_FOR_COMMANDS}, and other programs have {found.others} now: {needed} of the "
        f"{usable} that the server takes"
    )
    if needed <= usable:
        return plain(Grade.OK, said)
    to_do = (
        f"set max_connections of the server to {needed + found.reserved + _MARGIN} and restart it, or lower "
        "CELLAR_RECEIVER_PROCESSES or CELLAR_WORKER_CONNECTIONS; see docs/scale.md"
    )
    return plain(Grade.WARNING, said, to_do)
