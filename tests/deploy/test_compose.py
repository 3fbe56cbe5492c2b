"""compose.yaml: its variables are settings, its secrets are files, and its containers are hardened."""

import stat
from pathlib import Path

import pytest
from prefect.settings.models.root import Settings as PrefectSettings

from tests.conftest import Configure
from tests.deploy.forms import (
    DEPLOY,
    REDIS,
    composed,
    environment_of,
    made_secrets,
    secret_names,
    unknown,
    variables_in,
)

SERVICES = composed()["services"]
ROLES = ("receiver", "worker", "migrate")


@pytest.mark.parametrize("role", ROLES)
def test_cellar_accepts_the_environment_and_the_secrets_of_each_role(
    configure: Configure, secrets: Path, tmp_path: Path, role: str
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in SERVICES[role]["secrets"]:
        (given / name).write_text((secrets / name).read_text())

    made = configure(**environment_of(SERVICES[role]) | {"CELLAR_SECRETS_DIR": str(given)})

    assert bool(made.migration_database_url) is (role == "migrate")
    assert made.database_location == (secrets / "CELLAR_DATABASE_URL").read_text().strip()
    assert made.prefect_auth_string == (secrets / "PREFECT_API_AUTH_STRING").read_text().strip()
    assert len(made.active_seal_keys()[0]) == 64
    made.active_webhook_secrets(), made.active_api_tokens(), made.active_link_secret(), made.active_anchor_key()
    assert not (made.data_dir / "secrets").exists(), "each container would have made secrets of its own"


@pytest.mark.parametrize("role", ["prefect", "prefect-services", "migrate-prefect"])
def test_prefect_accepts_the_environment_and_the_secrets(
    monkeypatch: pytest.MonkeyPatch, configure: Configure, secrets: Path, role: str
) -> None:
    del configure  # it clears Prefect's variables of this process
    given = environment_of(SERVICES[role]) | variables_in(secrets / "prefect-server.env")
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    server = PrefectSettings().server

    assert server.database.connection_url
    assert server.database.connection_url.get_secret_value().endswith("@postgres/prefect")
    assert server.events.messaging_broker == "prefect_redis.messaging"
    assert server.docket.url.endswith("@redis:6379/0")


def test_secrets_of_prefect_name_the_address_of_each_client_of_redis(secrets: Path) -> None:
    made = variables_in(secrets / "prefect-server.env")

    assert {name for name in REDIS if name.endswith("_URL")} <= made.keys()
    assert unknown(made) == set()


@pytest.mark.parametrize("name", [*ROLES, "prefect", "prefect-services", "migrate-prefect"])
def test_each_variable_is_known(name: str) -> None:
    assert unknown(environment_of(SERVICES[name])) == set()


def test_no_environment_holds_a_secret() -> None:
    assert {name: found for name, each in SERVICES.items() if (found := secret_names(environment_of(each)))} == {}


def test_every_secret_that_a_service_takes_is_a_file_that_the_script_makes_or_a_certificate(secrets: Path) -> None:
    declared = composed()["secrets"]
    made = {path.name for path in secrets.iterdir()}

    assert {each for service in SERVICES.values() for each in service.get("secrets", ())} == set(declared)
    assert set(declared) - made == {"tls.pem", "tls.key"}
    assert all(each["file"].endswith(f"/{name}") for name, each in declared.items())


def test_secrets_are_closed_to_other_users_of_the_machine_and_are_not_made_twice(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}

    made_secrets(secrets)

    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", SERVICES)
def test_each_container_has_a_read_only_root_no_new_rights_and_a_health_check(name: str) -> None:
    service = SERVICES[name]

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "healthcheck" in service


@pytest.mark.parametrize("name", [name for name, each in SERVICES.items() if "depends_on" in each])
def test_each_service_waits_only_for_services_that_can_be_ready(name: str) -> None:
    for other, how in SERVICES[name]["depends_on"].items():
        ends = SERVICES[other]["restart"] == "on-failure"
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_every_file_that_is_mounted_exists() -> None:
    mounts = [each for service in SERVICES.values() for each in service.get("volumes", ()) if each.startswith("./")]

    assert mounts
    assert [each for each in mounts if not (DEPLOY / each.split(":")[0]).exists()] == []


def test_nginx_of_each_form_has_every_file_that_its_configuration_includes() -> None:
    people = DEPLOY / "kubernetes" / "components" / "people" / "nginx"
    for folder in (DEPLOY / "nginx" / "cellar", DEPLOY / "compose" / "nginx", people):
        included = [
            line.split("cellar/")[1].strip().removesuffix(";")
            for path in (DEPLOY / "nginx").glob("*.conf")
            for line in path.read_text().splitlines()
            if line.strip().startswith("include ")
        ]
        assert {path.name for path in folder.iterdir()} == set(included)
