"""Reads what the files of `deploy/` give to the programs, and knows the names of all variables."""

import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.settings.legacy import _get_valid_setting_names
from prefect.settings.models.root import Settings as PrefectSettings
from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings  # type: ignore[import-untyped]
from prefect_redis.client import RedisMessagingSettings  # type: ignore[import-untyped]

from adapters.settings.settings import Settings, variable_of
from tests.conftest import LONGEST_S

DEPLOY = Path(__file__).parents[2] / "deploy"
CELLAR = {variable_of(name) for name in Settings.model_fields}
REDIS = {
    f"{prefix}_{name.upper()}"
    for prefix, settings in (
        ("PREFECT_REDIS_MESSAGING", RedisMessagingSettings),
        ("PREFECT_REDIS_WORKER_CLEANUP_QUEUE", RedisWorkerCleanupQueueSettings),
    )
    for name in settings.model_fields
}
PREFECT = _get_valid_setting_names(PrefectSettings) | REDIS
OTHERS = {
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "DO_NOT_TRACK",
    "FORWARDED_ALLOW_IPS",  # uvicorn's
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "SSL_CERT_FILE",
}
"""Variables that neither cellar nor Prefect reads as a setting, but that their libraries read."""

_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|_KEYS?$|DATABASE_URL|CONNECTION_URL|AUTH_STRING")
_NO_SECRET = {"CELLAR_SECRETS_DIR", "POSTGRES_PASSWORD_FILE"}
_INTERPOLATED = re.compile(r"\$\{(\w+):-([^}]*)\}")


def composed() -> dict[str, Any]:
    """Return compose.yaml with the defaults of its variables."""
    text = (DEPLOY / "compose.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(_INTERPOLATED.sub(r"\2", text))
    return found


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a service of compose.yaml, its files of variables included."""
    values: dict[str, str] = {}
    for name in service.get("env_file", ()):
        values |= variables_in(DEPLOY / name)
    return values | {name: str(value) for name, value in service.get("environment", {}).items()}


def variables_in(path: Path) -> dict[str, str]:
    """Return the variables of a file with a NAME=value on each line."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def unknown(environment: Collection[str]) -> set[str]:
    return set(environment) - CELLAR - PREFECT - OTHERS


def secret_names(environment: Collection[str]) -> set[str]:
    """Return the names of variables whose value would be a secret, or hold one."""
    return {name for name in environment if _SECRET.search(name) and name not in _NO_SECRET}


def made_secrets(folder: Path, *hosts: str) -> Path:
    """Run `deploy/make-secrets`, and return its folder. `hosts`: of Postgres and Redis."""
    subprocess.run([DEPLOY / "make-secrets", folder, *hosts], check=True, capture_output=True, timeout=LONGEST_S)
    return folder
