"""Checks what this machine gives cellar: Python, settings, the modes of files, and the ports."""

import shlex
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from adapters.files.store import storage_at
from adapters.peers import prefect_facts, receiver
from adapters.settings.settings import settings
from models.errors import Transient
from models.views.health import Check, Verdict
from services.health.bounded import Probe

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 11), (3, 13)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_NAMED = 5
_CONNECT_WITHIN_S = 2


def installation_probes() -> list[Probe]:
    return [
        Probe("Python", _python, "make the virtual environment again with Python 3.11 to 3.13: `make up` does"),
        Probe("settings", _settings, "see the table of settings in the README"),
        Probe("data folder", _data_folder, "set CELLAR_DATA_DIR to a folder of the user who runs cellar"),
        Probe("ports", _ports, "stop the other program, or set the port to a free port"),
        Probe("file modes", _modes, "check that this user may look into data, inbox and store"),
    ]


def _python() -> Check:
    version = sys.version_info[:2]
    found = f"{version[0]}.{version[1]} at {sys.executable}"
    if not _OLDEST_PYTHON <= version <= _NEWEST_PYTHON:
        raise Transient(found)
    return Check(name="Python", verdict=Verdict.OK, found=found)


def _settings() -> Check:
    """Report which settings differ from their defaults. Wrong values stop every command before this check."""
    made = sorted(name.upper() for name in settings().model_fields_set)
    if settings().notify_allow_private:
        found, to_do = "endpoints on private addresses are allowed", "unset CELLAR_NOTIFY_ALLOW_PRIVATE in production"
        return Check(name="settings", verdict=Verdict.WARNING, found=found, to_do=to_do)
    return Check(name="settings", verdict=Verdict.OK, found=f"set: {', '.join(made) or 'none, all are defaults'}")


def _data_folder() -> Check:
    """Write a file where cellar keeps its own data. A program makes the folder when it needs it."""
    folder = settings().data_dir.absolute()
    if not folder.is_dir():
        if not _is_kept_in(folder):
            text = f"{folder} does not exist, and nothing is kept there: data and secrets lie elsewhere"
            return Check(name="data folder", verdict=Verdict.OFF, found=text)
        to_do = "start `cellar up` here, or set CELLAR_DATA_DIR to the folder of the installation"
        return Check(name="data folder", verdict=Verdict.WRONG, found=f"{folder} does not exist", to_do=to_do)
    probe = folder / ".probe"
    try:
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        raise Transient(f"{folder} cannot be written: {error.strerror}") from error
    return Check(name="data folder", verdict=Verdict.OK, found=f"{folder} can be written")


def _is_kept_in(folder: Path) -> bool:
    """Return whether a part of the installation lies in its data folder. Secrets that are not set are files there."""
    made = settings()
    secrets = made.webhook_secrets, made.api_tokens, made.link_secret, made.seal_keys, made.anchor_key
    locations = made.database_location, made.inbox_location, made.store_location
    return not all(secrets) or any(f"{folder}/" in each for each in locations)


def _ports() -> Check:
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
    return Check(name="ports", verdict=Verdict.OK, found=f"no other program listens on {used}")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _CONNECT_WITHIN_S).close()
    except OSError:
        return False
    return True


def _modes() -> Check:
    """Check that no other user of the machine may open what people keep private."""
    is_open = [path for path in _private_paths() if path.stat().st_mode & _OTHERS and not _is_sticky(path)]
    if is_open:
        named = [str(path) for path in is_open[:_MOST_NAMED]]
        found = f"other users may open {', '.join(named)}"
        to_do = f"run `chmod go= {shlex.join(named)}`, or start `cellar up`, which does so for all"
        return Check(name="file modes", verdict=Verdict.WRONG, found=found, to_do=to_do)
    return Check(name="file modes", verdict=Verdict.OK, found="only this user may open data, inbox, store and secrets")


def _private_paths() -> list[Path]:
    data = settings().data_dir.absolute()
    storages = [storage_at(each) for each in (settings().inbox_location, settings().store_location)]
    folders = [path for each in storages for path in each.suited(folder=lambda it: [it.path], bucket=lambda _: [])]
    secrets = sorted((data / "secrets").glob("*"))
    scheme, _, database = settings().database_location.partition(":///")
    files = [Path(database)] if scheme == "sqlite" else []
    return [path for path in (data, *folders, *secrets, *files) if path.exists()]


def _is_sticky(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_ISVTX)
