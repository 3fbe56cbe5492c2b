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
_RUN = ("archives", "payments", "sources", "session-events", "operate", "reconcile", "backup", "deploy")
PAGES = [README, *(ROOT / "docs" / f"{name}.md" for name in _RUN)]
TEXT = README.read_text()
SHORT_PAGES = [
    ROOT / "ARCHITECTURE.md",
    ROOT / "docs" / "decisions" / "README.md",
    *sorted(path for room in ("docs", "docs/inside", "benchmarks") for path in (ROOT / room).glob("*.md")),
]
EVERY_PAGE = [README, *SHORT_PAGES, *sorted((ROOT / "docs" / "decisions").glob("[!R]*.md"))]
_ROOMS = (
    "adapters",
    "api",
    "benchmarks",
    "cli",
    "deploy",
    "domain",
    "flows",
    "migrations",
    "models",
    "services",
    "tests",
)
_MODULES = [path.relative_to(ROOT) for room in _ROOMS for path in (ROOT / room).rglob("*.py")]
_MADE_BY_USERS = {"deploy/.env"}
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
]
MAKE = [block for block in BLOCKS if block.startswith("make ")]
COMMANDS = [block for block in BLOCKS if block not in MAKE]


@pytest.mark.parametrize("block", COMMANDS, ids=[block.split("\n")[0][:40] for block in COMMANDS])
def test_commands_of_the_docs_work(up: Running, block: str) -> None:
    """Only the ports, the path of the checkout, and how many processes are simulated are replaced."""
    for name in ("docs", "prefect.yaml"):
        link = up.folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / name)
    script = block.replace("http://127.0.0.1:8000", up.url).replace("http://127.0.0.1:4200", up.prefect_url)
    # The installation of the tests holds other archives already, so the command would ask.
    script = script.replace("cellar simulate", "cellar simulate --yes").replace("--count 20", "--count 4")
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
    assert with_table(TEXT) == TEXT, "run `make settings-table`"


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text())
    targets = [(page.parent / path if path else page, section) for path, section in links]

    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [section for target, section in targets if section and section not in _sections(target)] == []


def _sections(page: Path) -> set[str]:
    """Return the names by which links reach the sections of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


def test_each_page_says_first_who_it_is_for_and_has_at_most_250_lines() -> None:
    pages = {str(page.relative_to(ROOT)): page.read_text().splitlines() for page in SHORT_PAGES}

    assert [name for name, lines in pages.items() if not re.match(r"For |The map for ", lines[2])] == []
    assert [name for name, lines in pages.items() if len(lines) > 250] == []
    assert len(pages["ARCHITECTURE.md"]) <= 150


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path begins with the name of a room. A module may be named without its folder."""
    paths = re.findall(rf"`((?:{'|'.join(_ROOMS)})/[\w./-]*[\w/])`", page.read_text())
    modules = re.findall(r"`((?:\w+/)*\w+\.py)`", page.read_text())

    assert [path for path in paths if not (ROOT / path).exists() and path not in _MADE_BY_USERS] == []
    assert [name for name in modules if not any(f"/{file}".endswith(f"/{name}") for file in _MODULES)] == []


@pytest.mark.parametrize("floor", ["models", "domain", "adapters", "services", "flows", "api", "cli"])
def test_architecture_names_each_room_of_a_floor_and_no_other(floor: str) -> None:
    row = re.search(rf"^\| `{floor}/` \| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", row[1])) if row else set()

    assert {path.parent.name for path in (ROOT / floor).glob("*/__init__.py")} <= named
    assert named <= {path.stem for path in (ROOT / floor).iterdir()}


def test_readme_lists_each_page() -> None:
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in TEXT] == []


def test_readme_stays_under_two_screens_before_its_settings() -> None:
    assert len(TEXT.partition("## Settings")[0].splitlines()) < 110
