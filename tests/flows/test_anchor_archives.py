"""The scheduled flow makes an anchor, and fails while it lacks the witness."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.settings.settings import Settings
from flows.anchor_archives import anchor_archives
from models.errors import Transient
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def test_flow_anchors_what_has_changed_and_fails_without_its_witness(
    configure: Callable[..., Settings], tmp_path: Path
) -> None:
    archived("process-1", sample_body("process-1"))
    asyncio.run(anchor_archives())
    (tmp_path / "away").write_text("no folder")
    configure(witness_url=str(tmp_path / "away"))
    with pytest.raises(Transient, match="the witness does not have the newest anchor"):
        asyncio.run(anchor_archives())

    assert [each.statement.number for each in anchors.anchors(store())] == [2, 1]
