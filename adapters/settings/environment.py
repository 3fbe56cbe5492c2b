"""Builds the environment of cellar's child processes: settings, and the configuration of Prefect."""

from pathlib import Path

from adapters.settings.settings import Settings, variable_of

POOL = "cellar"  # Prefect's work pool, as in prefect.yaml

_NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}

# Measured: without batches, task runs appear in the UI up to 27 s after their flow has ended.
_SERVER_TUNING = {
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "20",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    # In whole seconds: Prefect 3.9 truncates. With 0 its loop never sleeps and occupies a core.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
    # A backlog would be marked as late after 15 s, run by run. Each mark costs the server as much as a task.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "3600",
}

# Prefect's service removes this many runs in one transaction. With its default of 200, others wait for longer.
_RUNS_REMOVED_AT_ONCE = 20
_DAY_S = 86_400


def settings_environment(settings: Settings) -> dict[str, str]:
    """Return every explicit setting as an environment variable, with absolute paths.

    A flow run starts in a temporary folder. There a relative path means another place, and there is no `.env` file.
    """
    made = {name: getattr(settings, name) for name in Settings.model_fields if name in settings.model_fields_set}
    made["data_dir"] = settings.data_dir
    made |= {name: path.absolute() for name, path in made.items() if isinstance(path, Path)}
    locations = {
        "inbox_url": settings.inbox_location,
        "store_url": settings.store_location,
        "settlements_url": settings.settlements_location,
        "lake_url": settings.lake_location,
        "backup_url": settings.backup_location,
        "database_url": _absolute_database(settings.database_url or ""),
    }
    made |= {name: location for name, location in locations.items() if getattr(settings, name)}
    return {variable_of(name): _text(value) for name, value in made.items() if value is not None}


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that every process that calls Prefect must have."""
    environment = {"PREFECT_API_URL": settings.prefect_url, "PREFECT_CLI_PROMPT": "false"}
    if login := settings.active_prefect_auth_string():
        environment["PREFECT_API_AUTH_STRING"] = login
    if settings.prefect_api_url is None:
        # The user's own ~/.prefect may hold a profile with another API.
        environment["PREFECT_HOME"] = str(settings.data_dir.absolute() / "prefect")
    return environment


def prefect_file(settings: Settings) -> Path:
    """Return the file of the database of the embedded Prefect server. Without such a server it does not exist."""
    return settings.data_dir.absolute() / "prefect" / "prefect.db"


def prefect_defaults() -> dict[str, str]:
    """Return our defaults for Prefect. The user's own environment takes precedence."""
    return {
        **_NO_TELEMETRY,
        # Prefect's own worker polls every 10 s: each archive would wait that long.
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # With the default of 5, a run notices only after a minute that its server is down, and keeps its process.
        "PREFECT_CLIENT_MAX_RETRIES": "2",
        "PREFECT_LOGGING_COLORS": "false",
        # The UI has every line of a run. Writing each line again takes a worker 6 % of its time in a burst.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }


def prefect_server_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that the embedded Prefect server must have."""
    port = str(settings.prefect_port)
    return {
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": port,
        # The port alone does not reach the UI: it would call port 4200 and show nothing.
        "PREFECT_SERVER_UI_API_URL": settings.prefect_url,
        "PREFECT_SERVER_API_AUTH_STRING": settings.active_prefect_auth_string() or "",
    }


def prefect_server_defaults(settings: Settings) -> dict[str, str]:
    """Return our defaults for the embedded Prefect server. The user's own environment takes precedence."""
    hosts = ("127.0.0.1", "localhost")
    return {
        **_SERVER_TUNING,
        **prefect_retention(settings.prefect_retention_days),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # `cli.programs.prefect_server` reads this variable. Prefect's own default allows every origin.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}:{settings.prefect_port}" for host in hosts),
    }


def prefect_retention(days: int) -> dict[str, str]:
    """Return the variables that let a Prefect server remove ended runs, with their tasks, logs and artifacts. Pure.

    Prefect's own service does so each hour. Runs that wait or are on their way have no end, and stay. By default
    Prefect keeps all runs for ever. It keeps events for 7 days.
    """
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(days * _DAY_S),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_BATCH_SIZE": str(_RUNS_REMOVED_AT_ONCE),
    }


def _absolute_database(url: str) -> str:
    path = url.removeprefix("sqlite:///")
    if path in (url, "", ":memory:"):
        return url
    return f"sqlite:///{Path(path).absolute()}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
