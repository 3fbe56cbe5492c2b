"""The file of Prefect's variables that deployments and tests share."""

from importlib import import_module

from prefect.settings.base import PrefectBaseSettings
from prefect.settings.legacy import _get_valid_setting_names
from prefect.settings.models.root import Settings as PrefectSettings

from adapters.settings.environment import prefect_defaults, prefect_server_defaults
from adapters.settings.settings import Settings
from tests.distributed.stack import PREFECT_ENV, prefect_env


def test_servers_of_the_distributed_form_are_tuned_as_the_embedded_server_is() -> None:
    own = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS"}  # follows the address of the installation
    embedded = prefect_server_defaults(Settings()).items()
    assert {name: value for name, value in embedded if name not in own}.items() <= prefect_env().items()


def test_no_server_of_the_distributed_form_reports_to_prefect() -> None:
    quiet = {name: value for name, value in prefect_defaults().items() if "TRACK" in name or "TELEMETRY" in name}
    assert quiet
    assert quiet.items() <= prefect_env().items()


def test_prefect_knows_each_variable_of_the_file() -> None:
    of_redis = {name for each in _settings_of_redis() for name in _variables(each)}
    assert prefect_env().keys() <= _get_valid_setting_names(PrefectSettings) | of_redis | {"DO_NOT_TRACK"}


def test_file_names_the_variable_of_each_client_of_redis() -> None:
    """A client whose address is not set would look for Redis at localhost:6379."""
    urls = {name for each in _settings_of_redis() for name in _variables(each) if name.endswith("_URL")}
    assert urls == {"PREFECT_REDIS_MESSAGING_URL", "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL"}
    text = PREFECT_ENV.read_text()
    assert all(f"#   {name} " in text for name in urls | {"PREFECT_SERVER_DOCKET_URL"})


def _settings_of_redis() -> list[type[PrefectBaseSettings]]:
    named = {name for name in prefect_env().values() if name.startswith("prefect_redis.")}
    modules = map(import_module, named | {"prefect_redis.client"})
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return [each for each in found if issubclass(each, PrefectBaseSettings) and each is not PrefectBaseSettings]


def _variables(settings: type[PrefectBaseSettings]) -> list[str]:
    return [f"{settings.model_config['env_prefix']}{name}".upper() for name in settings.model_fields]


def test_every_module_that_the_file_names_is_installed() -> None:
    modules = [value for value in prefect_env().values() if value.startswith("prefect_redis.")]
    assert len(modules) == 5
    for module in modules:
        import_module(module)
