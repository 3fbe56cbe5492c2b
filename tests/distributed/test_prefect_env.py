"""The file of Prefect's variables that deployments and tests share."""

from importlib import import_module

from prefect.settings.legacy import _get_valid_setting_names
from prefect.settings.models.root import Settings as PrefectSettings
from prefect_redis.client import RedisMessagingSettings  # type: ignore[import-untyped]

from adapters.settings.environment import prefect_defaults, prefect_server_defaults
from adapters.settings.settings import Settings
from tests.distributed.stack import prefect_env


def test_servers_of_the_distributed_form_are_tuned_as_the_embedded_server_is() -> None:
    own = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS"}  # follows the address of the installation
    embedded = prefect_server_defaults(Settings()).items()
    assert {name: value for name, value in embedded if name not in own}.items() <= prefect_env().items()


def test_no_server_of_the_distributed_form_reports_to_prefect() -> None:
    quiet = {name: value for name, value in prefect_defaults().items() if "TRACK" in name or "TELEMETRY" in name}
    assert quiet
    assert quiet.items() <= prefect_env().items()


def test_prefect_knows_each_variable_of_the_file() -> None:
    known = _get_valid_setting_names(PrefectSettings) | {"DO_NOT_TRACK"}
    known |= {f"PREFECT_REDIS_MESSAGING_{name.upper()}" for name in RedisMessagingSettings.model_fields}
    assert prefect_env().keys() <= known


def test_every_module_that_the_file_names_is_installed() -> None:
    modules = [value for value in prefect_env().values() if value.startswith("prefect_redis.")]
    assert len(modules) == 5
    for module in modules:
        import_module(module)
