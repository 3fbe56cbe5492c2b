"""What all commands have in common: the version, completion in a shell, and JSON for scripts."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.core import TyperGroup

from adapters.store import ocfl
from cli.commands import NO_CONTENT, commands
from models.access import Action
from tests.cli.conftest import Cellar
from tests.conftest import LONGEST_S
from tests.installations import archived
from tests.samples import sample_body

CELLAR = Path(sys.executable).with_name("cellar")
COMMANDS = commands()
WITHOUT_JSON = {"up", "api", "worker", "explain", "open"}
"""Programs that run until they are stopped, a command that changes a row and reads nothing, and one that prints a URL.
"""

OF_NO_CONTENT = {
    *("up", "api", "worker", "simulate", "open", "status", "migrate", "backup"),
    *("restore", "people test"),
    *("verify", "anchor", "rebuild", "rotate-keys"),
}


def test_version_is_that_of_the_distribution(cellar: Cellar) -> None:
    assert cellar("--version").output == f"cellar {version('cellosign-cellar')}\n"


def test_every_command_prints_json(cellar: Cellar) -> None:
    names = {name for name, later in COMMANDS.items() if not isinstance(later.imported(), TyperGroup)} - WITHOUT_JSON

    assert [name for name in sorted(names) if "--json" not in cellar(name, "--help").output] == []


def test_doctor_is_another_name_of_the_deep_status_that_no_help_shows(cellar: Cellar) -> None:
    assert "Show whether all systems work" in cellar("doctor", "--help").output
    assert "doctor" not in cellar("--help").output


def test_help_shows_of_each_command_the_first_sentences_of_its_own_help() -> None:
    own = {name: later.imported().help for name, later in COMMANDS.items()}

    assert {name: " ".join(text.split("\n\n")[0].split()) for name, text in own.items()} == {
        name: later.help for name, later in COMMANDS.items()
    }


def test_each_command_names_its_action_or_that_it_has_no_content() -> None:
    named = dict[str, object]()
    for name, later in COMMANDS.items():
        found = later.imported()
        if isinstance(found, TyperGroup) and isinstance(later.actions, Mapping):
            named |= {f"{name} {word}": later.actions.get(word) for word in found.commands}
        else:
            named[name] = later.actions

    assert {name for name, action in named.items() if action not in {*Action, NO_CONTENT}} == set()
    assert {name for name, action in named.items() if action == NO_CONTENT} == OF_NO_CONTENT


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("no-such-command",)])
def test_help_is_quick_because_it_imports_no_database_and_no_prefect(arguments: tuple[str, ...]) -> None:
    program = (
        "import atexit, sys; from cli.main import main\n"
        "atexit.register(lambda: print({'sqlalchemy', 'prefect', 'boto3'} & set(sys.modules)))\n"
        "main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=LONGEST_S, check=False
    )

    assert ended.stdout.endswith("set()\n"), ended.stderr


@pytest.mark.usefixtures("sqlite_installation")
def test_commands_that_change_the_installation_report_it_as_json(cellar: Cellar, tmp_path: Path) -> None:
    ocfl.make_root()
    assert json.loads(cellar("rebuild", "--json").output) == {
        "archives": 0,
        "reports": 0,
        "refused": 0,
        "endpoints": 0,
        "events": 0,
        "templates": 0,
        "damaged": [],
    }
    receipt_id = archived("r", sample_body("r"))
    bag, table = tmp_path / "bag", tmp_path / "payments.parquet"

    assert json.loads(cellar("export", "r", "--to", str(bag), "--json").output) == {
        "reference": "r",
        "receipt_id": receipt_id,
        "path": str(bag),
    }
    assert json.loads(cellar("export-table", "payments", "--to", str(table), "--json").output) == {
        "path": str(table),
        "table": "payments",
        "rows": 1,
    }
    assert json.loads(cellar("rotate-keys", "--json").output)["not_rotated"] == []
    assert json.loads(cellar("migrate", "--json").output)["revision"]
    assert cellar("export", "r", "--raw", "--to", "-", "--json").status == 2


def test_installing_a_completion_is_no_option(cellar: Cellar) -> None:
    assert cellar("--install-completion").status == 2


def test_bash_completes_commands_with_the_script_that_the_command_shows(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    script = f"""
        cellar --show-completion > {tmp_path}/completion
        source {tmp_path}/completion
        COMP_WORDS=(cellar fai) COMP_CWORD=1
        _cellar_completion cellar
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = os.environ | {"PATH": f"{CELLAR.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    ended = subprocess.run(
        [bash, "--norc", "-c", script], env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )

    assert (ended.stdout.split(), ended.stderr) == (["failures"], "")
    assert [path.name for path in tmp_path.iterdir()] == ["completion"]
