"""Checks README and docs: their commands work, their table matches the settings, their links exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.settings_table import README, with_table
from tests.end_to_end.conftest import Running

ROOT = README.parent
_RUN = ("archives", "payments", "sources", "session-events", "operation", "reconcile", "operate")
PAGES = [README, *(ROOT / "docs" / f"{name}.md" for name in _RUN)]
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
]
MAKE = [block for block in BLOCKS if block.startswith("make ")]
COMMANDS = [block for block in BLOCKS if block not in MAKE]


@pytest.mark.parametrize("block", COMMANDS, ids=[block.split("\n")[0][:40] for block in COMMANDS])
def test_commands_of_the_docs_work(up: Running, block: str) -> None:
    """Only the ports and the path of the checkout are replaced, because the installation runs on free ports."""
    for name in ("docs", "prefect.yaml"):
        link = up.folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / name)
    script = block.replace("http://127.0.0.1:8000", up.url).replace("http://127.0.0.1:4200", up.prefect_url)
    # The installation of the tests holds other archives already, so the command would ask.
    script = script.replace("cellar simulate", "cellar simulate --yes")
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")

    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=up.folder,
        env=up.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"error"' not in ran.stdout
    assert '"-1"' not in ran.stdout


def test_make_commands_do_what_the_readme_says() -> None:
    assert MAKE == ["make up\n", "make test\n"]
    planned = {
        target: subprocess.run(
            ["make", "--no-print-directory", "--dry-run", target],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for target in ("up", "test")
    }
    assert planned["up"].splitlines()[-1].endswith("cellar up")
    assert all(f" {each}" in planned["test"] for each in ("-m pytest ", "lint "))


def test_settings_table_matches_the_settings() -> None:
    assert with_table(README.read_text()) == README.read_text(), "run `make settings-table`"


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_links_and_pictures_of_a_page_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_readme_stays_under_two_screens_before_its_settings() -> None:
    assert len(README.read_text().partition("## Settings")[0].splitlines()) <= 110
