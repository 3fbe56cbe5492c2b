"""The Dockerfile is clean, and the health check asks what the role of its container answers."""

import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")
HEALTHY = runpy.run_path(str(ROOT / "deploy" / "container" / "healthy.py"))


def test_hadolint_finds_nothing() -> None:
    command = [str(HADOLINT), "--failure-threshold", "style", str(ROOT / "Dockerfile")]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, ""), linted.stderr


def test_base_is_pinned_by_its_digest() -> None:
    first, *others = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert re.fullmatch(r"docker\.io/library/python:3\.13\.\d+-slim-trixie@sha256:[0-9a-f]{64}", first)
    assert set(others) == {"base", "cellar"}


def test_every_package_and_every_file_of_the_wheel_gets_into_the_build() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert packages | wheel["force-include"].keys() <= let_in


@pytest.mark.parametrize(
    ("role", "asked"),
    [
        ("cellar up", ("0.0.0.0", "8000", "/readyz")),
        ("cellar api", ("0.0.0.0", "8000", "/readyz")),
        ("catatonit -- cellar api", ("0.0.0.0", "8000", "/readyz")),
        ("cellar worker --name first", ("0.0.0.0", "8001", "/healthz")),
        ("prefect server start --no-services", ("0.0.0.0", "4200", "/api/health")),
        ("prefect server services start", None),
        ("cellar migrate", None),
    ],
)
def test_health_check_asks_the_role(
    role: str, asked: tuple[str, str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in [
        ("CELLAR_HOST", "0.0.0.0"),
        ("CELLAR_PORT", "8000"),
        ("CELLAR_WORKER_METRICS_PORT", "8001"),
        ("PREFECT_SERVER_API_HOST", "0.0.0.0"),
        ("PREFECT_SERVER_API_PORT", "4200"),
    ]:
        monkeypatch.setenv(name, value)
    words = ["/opt/cellar/bin/python3", f"/opt/cellar/bin/{role.split(' ', maxsplit=1)[0]}", *role.split(" ")[1:]]

    assert HEALTHY["place_of"](words) == asked


def test_health_check_says_what_does_not_answer() -> None:
    why_not: Callable[..., str | None] = HEALTHY["why_not"]
    port = str(free_port())

    assert (
        why_not("0.0.0.0", port, "/readyz") == f"/readyz on port {port} does not answer: [Errno 111] Connection refused"
    )
