"""`cellar verify --signatures` judges signed documents again, shows news, and exits with 1 for a forged verdict."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.store.objects import judgements
from services.custody.objects import object_of, stored_objects
from services.custody.verifying import verify_objects
from tests import pdfs
from tests.cli.conftest import Cellar
from tests.conftest import LONGEST_S, Configure
from tests.installations import archived
from tests.samples import PDF
from tests.services.custody.test_judging_again import BROKEN, body_with, recorded_verdict_on, rewritten, with_root

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def test_rewritten_verdict_exits_with_1_only_with_signatures(cellar: Cellar) -> None:
    archived("process-1", body_with(BROKEN))
    key = rewritten(**recorded_verdict_on(PDF))

    assert cellar("verify").status == 0
    assert cellar("verify", "another", "--signatures").status == 0
    done = cellar("verify", "process-1", "--signatures")

    assert done.status == 1
    assert f"contradicted: {key}: document: the kept verdict says sound, found broken; a person must" in done.output
    reported = json.loads(cellar("verify", "--signatures", "--json").output)
    assert (reported["is_sound"], reported["signatures"]["is_sound"]) == (True, False)
    assert reported["signatures"]["contradictions"][0]["key"] == key


def test_news_is_printed_and_shown_beside_the_verdict_of_the_arrival(
    cellar: Cellar, configure: Configure, tmp_path: Path
) -> None:
    archived("process-1", body_with(pdfs.signed(pdfs.form())))
    with_root(configure, tmp_path)

    done = cellar("verify", "--signatures")

    assert (done.status, "judged differently: process-1, version 1: sound → sound, trusted" in done.output) == (0, True)
    page = " ".join(cellar("show", "process-1").output.split())
    assert "trusted: not judged: no trusted roots were configured" in page
    assert "Judged differently since its arrival: “sound” became “sound, trusted”." in page
    archive = json.loads(cellar("show", "process-1", "--json").output)
    assert archive["signed_document_verdict"]["trusted"] is None
    assert [(each["number"], each["trusted"], each["is_newest"]) for each in archive["judgements"]] == [(1, True, True)]


def test_killed_command_leaves_whole_judgements_and_the_next_one_completes_them(
    cellar: Cellar, configure: Configure, tmp_path: Path
) -> None:
    references = [f"process-{number}" for number in range(8)]
    for reference in references:
        archived(reference, body_with(PDF, reference))
    with_root(configure, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-m", "cli.main", "verify", "--signatures"], env=environment) as judging:
        deadline = time.monotonic() + LONGEST_S
        while not _judged(references):
            assert judging.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        judging.kill()

    assert verify_objects(stored_objects()).is_sound
    done = cellar("verify", "--signatures", "--json")

    reported = json.loads(done.output)["signatures"]
    assert (done.status, reported["documents"], reported["contradictions"]) == (0, 8, [])
    assert len(reported["unkept"]) <= 2
    assert _judged(references) + len(reported["unkept"]) >= 8
    assert verify_objects(stored_objects()).is_sound


def _judged(references: list[str]) -> int:
    paths = (path for each in references for path in object_of(each).sizes)
    return sum(1 for _ in filter(judgements.is_judgement, paths))
