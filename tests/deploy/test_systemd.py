"""The units of `deploy/systemd`, as systemd reads them. No test starts them: systemd has to be the first process."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prefect.settings.models.root import Settings as PrefectSettings

from tests.conftest import LONGEST_S, Configure
from tests.deploy.forms import DEPLOY, secret_names, unknown, variables_in

UNITS = DEPLOY / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
MOST_EXPOSED = 1.5  # of 10; systemd calls 4 and less "OK"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a machine's folders with our units, Debian's units, and programs in the places of ours."""
    made = tmp_path_factory.mktemp("root")
    shutil.copytree(UNITS, made / "etc" / "systemd" / "system")
    shutil.copytree("/usr/lib/systemd/system", made / "usr" / "lib" / "systemd" / "system", symlinks=True)
    programs = made / "opt" / "cellar" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("cellar", "prefect"):
        (programs / name).touch(mode=0o755)
    return made


def analyzed(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: apt-get install systemd"
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=LONGEST_S)


def values_of(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)


def test_systemd_finds_no_fault_in_any_unit(root: Path) -> None:
    names = ["cellar.target", *(name.replace("@.", "@4201.") for name in SERVICES)]

    found = analyzed("verify", f"--root={root}", "--man=no", "--recursive-errors=one", *names)

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES)
def test_each_unit_is_hardly_exposed(root: Path, unit: str) -> None:
    found = analyzed("security", f"--root={root}", "--offline=true", unit)

    (exposure,) = re.findall(r"Overall exposure level for \S+: (\S+)", found.stdout)
    assert float(exposure) <= MOST_EXPOSED, found.stdout


def test_target_starts_every_unit_that_runs_on() -> None:
    wanted = {re.sub(r"@\d+\.", "@.", name) for name in " ".join(values_of("cellar.target", "Wants")).split()}

    assert wanted == {name for name in SERVICES if values_of(name, "Restart") == ["always"]}


def test_receiver_starts_although_the_migration_fails() -> None:
    """A database that is down must not keep archives from being acknowledged."""
    assert "cellar-migrate.service" in values_of("cellar-receiver.service", "Wants")
    assert values_of("cellar-receiver.service", "Requires") == []


@pytest.mark.parametrize("unit", ["cellar-receiver.service", "cellar-worker.service", "cellar-migrate.service"])
def test_cellar_accepts_the_environment_and_the_credentials(
    configure: Configure, secrets: Path, tmp_path: Path, unit: str
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name, path in (each.split(":") for each in values_of(unit, "LoadCredential")):
        assert path == f"/etc/cellar/secrets/{name}"
        shutil.copy(secrets / name, given)
    assert values_of(unit, "EnvironmentFile") == ["/etc/cellar/cellar.env"]
    environment = variables_in(UNITS / "cellar.env")
    environment |= dict(each.split("=") for each in values_of(unit, "Environment"))
    assert unknown(environment) == secret_names(environment) == set()

    made = configure(**environment | {"CELLAR_SECRETS_DIR": str(given)})

    assert bool(made.migration_database_url) is (unit == "cellar-migrate.service")
    assert made.database_location == (secrets / "CELLAR_DATABASE_URL").read_text().strip()
    assert [f"/var/lib/{each}" for each in values_of(unit, "StateDirectory")] == [environment["CELLAR_DATA_DIR"]]


@pytest.mark.parametrize("unit", [name for name in SERVICES if "prefect" in name])
def test_prefect_accepts_the_environment(
    monkeypatch: pytest.MonkeyPatch, configure: Configure, secrets: Path, unit: str
) -> None:
    del configure  # it clears Prefect's variables of this process
    places = {
        "/opt/cellar/deploy/prefect-server.env": DEPLOY / "prefect-server.env",
        "/etc/cellar/prefect.env": UNITS / "prefect.env",
        "/etc/cellar/secrets/prefect-server.env": secrets / "prefect-server.env",
    }
    assert values_of(unit, "EnvironmentFile") == list(places)
    environment = {name: value for path in places.values() for name, value in variables_in(path).items()}
    assert unknown(environment) == set()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    server = PrefectSettings().server

    assert server.events.messaging_broker == "prefect_redis.messaging"
    assert server.ui.static_directory == "/var/lib/cellar-prefect/ui"
