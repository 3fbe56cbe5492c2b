"""The environment that cellar's own processes are started with: settings, and how Prefect is to behave."""

from pathlib import Path

from pydantic import AliasChoices

from adapters.platform.settings import Settings

POOL = "cellar"  # Prefect's work pool, as in prefect.yaml

_NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}

# Measured: without the batches, task runs appear in the UI up to 27 s after their flow has ended.
_SERVER_TUNING = {
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "20",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    # In whole seconds: Prefect 3.9 cuts the rest off, and with 0 its loop never rests, which takes a core for nothing.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
    # In a burst nearly every run would be marked as late after 15 s, which costs the server as much as a task.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "300",
}


def settings_environment(settings: Settings) -> dict[str, str]:
    """Return every setting that was made, as environment variables, with absolute paths.

    A flow run starts in a temporary folder, where a relative path means another place and there is no `.env` file.
    """
    made = {name: getattr(settings, name) for name in Settings.model_fields if name in settings.model_fields_set}
    made["data_dir"] = settings.data_dir.absolute()
    if settings.inbox_url:
        made["inbox_url"] = settings.inbox_location
    if settings.store_url:
        made["store_url"] = settings.store_location
    if settings.settlement_columns:
        made["settlement_columns"] = settings.settlement_columns.absolute()
    if settings.settlements_url:
        made["settlements_url"] = settings.settlements_location
    if settings.database_url:
        made["database_url"] = _absolute_database(settings.database_url)
    return {_variable(name): _text(value) for name, value in made.items() if value is not None}


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return what every process that talks to Prefect must have."""
    environment = {"PREFECT_API_URL": settings.prefect_url, "PREFECT_CLI_PROMPT": "false"}
    if settings.prefect_api_url is None:
        # The person's own ~/.prefect may hold a profile that points elsewhere.
        environment["PREFECT_HOME"] = str(settings.data_dir.absolute() / "prefect")
    return environment


def prefect_defaults() -> dict[str, str]:
    """Return how we want Prefect to behave where the person at the keyboard has not said otherwise."""
    return {
        **_NO_TELEMETRY,
        # The stock worker asks every 10 s: that would be the waiting time of each archive.
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # Five by default, and a minute until a run learns that its server is away, with its process held all the while.
        "PREFECT_CLIENT_MAX_RETRIES": "2",
        "PREFECT_LOGGING_COLORS": "false",
        # The UI has every line of a run. To write each once more takes a worker 6 % of its time in a burst.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }


def prefect_server_environment(settings: Settings) -> dict[str, str]:
    """Return what the embedded Prefect server must have."""
    port = str(settings.prefect_port)
    environment = {
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": port,
        # `--port` alone does not reach the UI, which would ask port 4200 and show nothing.
        "PREFECT_SERVER_UI_API_URL": settings.prefect_url,
    }
    if settings.prefect_auth_string:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = settings.prefect_auth_string
    return environment


def prefect_server_defaults(settings: Settings) -> dict[str, str]:
    """Return how we want the embedded Prefect server to behave, likewise."""
    hosts = ("127.0.0.1", "localhost")
    return {
        **_SERVER_TUNING,
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # `cli.programs.prefect_server` goes by it; Prefect's own default is any.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}:{settings.prefect_port}" for host in hosts),
    }


def _absolute_database(url: str) -> str:
    path = url.removeprefix("sqlite:///")
    if path in (url, "", ":memory:"):
        return url
    return f"sqlite:///{Path(path).absolute()}"


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"CELLAR_{name.upper()}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
