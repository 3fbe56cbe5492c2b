"""`cellar doctor`: checks the installation from Python to the deployments, and says what to do about each fault."""

from pathlib import Path

import typer

import flows
from cli.operation.checks import count_text, is_wrong, print_checks
from cli.operation.views import Diagnosis
from cli.terminal import Json, console, print_json
from services.health.agreement import agreement_probes
from services.health.bounded import examined
from services.health.connections import connection_probes
from services.health.installation import installation_probes
from services.health.systems import system_probes

_WITHIN_S = 20


def doctor(*, as_json: Json = False) -> None:
    """Check settings, files, systems, versions, clocks and deployments. Exits with 1 if something is wrong."""
    probes = [*installation_probes(), *system_probes(), *connection_probes(), *agreement_probes(_prefect_yaml())]
    checks = examined(probes, _WITHIN_S)
    if as_json:
        print_json(Diagnosis(is_well=not is_wrong(checks), checks=checks))
    else:
        terminal = console()
        print_checks(terminal, checks)
        terminal.print(f"\n{count_text(checks) or 'all is well'} ({len(checks)} checks)", highlight=False)
    if is_wrong(checks):
        raise typer.Exit(1)


def _prefect_yaml() -> str:
    """Return `prefect.yaml`: in the package when installed from a wheel, else at the project's root."""
    package = Path(flows.__file__).parent
    packaged = package / "prefect.yaml"
    return (packaged if packaged.exists() else package.parent / "prefect.yaml").read_text()
