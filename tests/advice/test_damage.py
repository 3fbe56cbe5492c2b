"""A file of an archive is lost, damaged, exchanged or unreadable: each face names it, and its advice heals it.

An archive for each, in one installation whose newest backup has the damage too, and whose first has not.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.ocfl import FILES
from domain.runs import heals_by_rerun
from tests.advice.following import ran
from tests.cli.conftest import Cellar
from tests.cli.custody.test_every_damage import Damage, delete, flip, folder, swap
from tests.flows.conftest import received
from tests.installations import archived
from tests.samples import sample_body

DAMAGES: Mapping[str, Damage] = {"lost": delete, "damaged": flip, "exchanged": swap, "unreadable": folder}
CAUSES = {
    "lost": "FILE_LOST",
    "damaged": "BODY_DAMAGED",
    "exchanged": "BODY_DAMAGED",
    "unreadable": "STORE_UNREADABLE",
}
"""The cause of a run that meets the damage."""
FOUND = {
    "lost": "FILE_MISSING",
    "damaged": "FILE_DAMAGED",
    "exchanged": "FILE_DAMAGED",
    "unreadable": "FILE_UNREADABLE",
}
"""The condition that a check finds."""
PARTS = (
    f"v1/content/{FILES}/*",
    "v1/content/skeleton.json",
    "inventory.json",
    "v1/inventory.json",
    "0=ocfl_object_1.1",
)


def _attachment(reference: str) -> Path:
    return sorted(Path(settings().store_location, ocfl.object_key(reference)).glob(PARTS[0]))[0]


@pytest.mark.parametrize("damage", ["lost", "damaged", "exchanged"])
@pytest.mark.parametrize("again", ["the same", "written otherwise", "newer"])
def test_an_archive_that_is_sent_again_is_whole_at_once(
    sqlite_installation: Settings, cellar: Cellar, damage: str, again: str
) -> None:
    archived("a", sample_body("a"))
    DAMAGES[damage](_attachment("a"))
    cause = ran("a")
    assert cause
    assert (cause.code, heals_by_rerun(cause.code)) == (CAUSES[damage], False)

    body = sample_body("a", data=[]) if again == "newer" else sample_body("a")
    received("a", json.dumps(json.loads(body), indent=1).encode() if again == "written otherwise" else body)

    assert ran("a") is None
    assert cellar("verify").status == 0
