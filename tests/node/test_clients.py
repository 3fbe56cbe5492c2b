"""Clients that others make of the OpenAPI document work against a receiver."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.api.conftest import Receiver, started
from tests.conftest import LONGEST_S, make_tables
from tests.installations import archived, installed
from tests.samples import sample_body

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
READERS = ROOT / ".venv-readers" / "bin"
COMMANDS = re.findall(r"^openapi-\S+ .*$|^npx .*$", (ROOT / "docs" / "changes.md").read_text(), re.MULTILINE)
COMPILER = "npx tsc --strict --skipLibCheck --module nodenext --target es2022 reads.ts"
REFERENCES = ["first", "branch/7 חוזה?", "50%", "%2F/..."]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with installed(tmp_path_factory.mktemp("clients")):
        make_tables()
        for day, reference in enumerate(REFERENCES, start=1):
            archived(reference, sample_body(reference), datetime(2026, 3, day, 10, tzinfo=UTC))
        with started() as receiver:
            yield receiver


def ran(folder: Path, *command: str | Path) -> str:
    path = f"{READERS}:{os.environ['PATH']}"
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def test_clients_of_python_and_typescript_read_the_same(receiver: Receiver, node_folder: Path) -> None:
    for command in (*COMMANDS, COMPILER):
        made = ran(node_folder, *command.replace("http://127.0.0.1:8000", receiver.url).split())
        assert "warning" not in made.lower()

    ours = json.loads(ran(node_folder, READERS / "python", "reads.py", receiver.url, receiver.token))
    theirs = json.loads(ran(node_folder, "node", "reads.js", receiver.url, receiver.token))

    assert ours == theirs
    newest_first = REFERENCES[::-1]
    assert ours["pages"] == [newest_first[:2], newest_first[2:]]
    assert {each.partition(" ")[2] for each in ours["changes"]} == {*REFERENCES}
    assert ours["failures"] == [[404, "UNKNOWN_REFERENCE"], [422, "BAD_PARAMETER"], [401, "UNAUTHORIZED"]]
    received_at = datetime(2026, 3, len(REFERENCES), 10, tzinfo=UTC).timestamp() * 1000
    assert [ours[each] for each in ("received_at", "paid", "verdict", "file")] == [
        *(received_at, [[2100, "verified", "ILS"]], "sound", 0)
    ]
