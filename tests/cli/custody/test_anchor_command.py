"""`cellar anchor` prints what to keep elsewhere, and `cellar verify --against` holds the store against it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.installations import archived, check
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _archives(sqlite_installation: Settings) -> None:
    for reference in ("one", "two"):
        archived(reference, sample_body(reference))


def test_removed_archive_is_found_by_the_printed_root(cellar: Cellar) -> None:
    made = cellar("anchor", "--json")
    printed = json.loads(made.output)
    assert (made.status, printed["number"], printed["leaves"]) == (0, 1, 2)
    archived("three", sample_body("three"))
    sound = cellar("verify", "--against", printed["root"])
    assert sound.status == 0
    assert "archives and reports covered: 2, with newer versions: 0, not covered: 1" in sound.output

    store().remove_folder(ocfl.object_key("two"))
    done = cellar("verify", "--against", printed["root"], "--json")
    found = json.loads(done.output)
    assert (done.status, found["against"]["number"], found["against"]["uncovered"]) == (1, 1, 1)
    assert {(each["key"], each["fault"]) for each in found["findings"]} >= {(ocfl.object_key("two"), "missing")}


def test_witness_is_set_up_by_the_commands_of_the_docs(cellar: Cellar, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/evidence.md").read_text()
    [block] = re.findall(r"^### A witness in two minutes$.*?^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)

    ended = [run(cellar, line.replace("/mnt/witness", f"{tmp_path}/mnt")) for line in block.splitlines()]

    assert "compared with anchor 1" in ended[-1]
    assert check("witness").verdict == check("last comparison").verdict == "ok"
    assert "of the witness" in check("last comparison").found

    store().remove_folder(ocfl.object_key("two"))
    again = cellar("anchor", "--json")
    assert (again.status, again.errors.count("not as anchored: "), json.loads(again.output)["number"]) == (1, 1, 3)


def run(cellar: Cellar, line: str) -> str:
    """Run a line of a block of commands, and return what it printed."""
    if line.startswith(".venv/bin/cellar "):
        ended = cellar(*line.split()[1:])
        assert ended.status == 0, ended.errors
        return ended.output
    subprocess.run(["bash", "-c", line], check=True)
    settings.cache_clear()
    return ""


def test_empty_folder_in_place_of_the_store_is_never_anchored(
    cellar: Cellar, configure: Configure, tmp_path: Path
) -> None:
    place = tmp_path / "not mounted"
    (place / "sources").mkdir(parents=True)
    (place / "sources" / "one.json").write_text("{}")
    configure(store_url=place)

    done = cellar("anchor")

    assert (done.status, "the store is empty while the database has archives" in done.errors) == (1, True)
    assert not (place / "anchors").exists()


def test_anchor_without_its_witness_exits_with_1(cellar: Cellar, configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "away").write_text("no folder")
    configure(witness_url=str(tmp_path / "away"))

    assert cellar("anchor").status == 1
    assert cellar("verify", "--against", "no root").status == 2
