"""The scheduled flow compares the store, makes an anchor, and fails if the store is not as anchored or the witness is
away.
"""

import asyncio
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.store import ocfl
from adapters.tables.open_conditions import open_conditions
from flows.anchor_archives import anchor_archives
from models.errors import Conflict, Transient
from tests.conftest import Configure
from tests.insider.stores import remove_object
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def test_flow_compares_and_anchors_and_fails_for_what_it_finds_or_lacks(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", sample_body("process-1"))
    asyncio.run(anchor_archives())
    (tmp_path / "away").write_text("no folder")
    configure(witness_url=str(tmp_path / "away"))
    with pytest.raises(Transient, match="the witness does not have the newest anchor"):
        asyncio.run(anchor_archives())

    made = list(anchors.anchors(store()))
    assert [each.statement.number for each in made] == [2, 1]
    pages = asyncio.run(artifacts("anchor"))
    assert all(any(f"`{each.root}`" in page for page in pages) for each in made)

    (tmp_path / "witness").mkdir()
    configure(witness_url=tmp_path / "witness")
    asyncio.run(anchor_archives())
    remove_object("process-1")
    with pytest.raises(Conflict, match="1 findings: the store is not as anchored"):
        asyncio.run(anchor_archives())
    assert next(anchors.anchors(store())).statement.number == 4
    assert ocfl.object_key("process-1") in str(asyncio.run(artifacts("store-damaged")))
    assert [(each.code, each.kind) for each in open_conditions()] == [("NOT_AS_ANCHORED", "archive")]

    configure(store_url=str(tmp_path / "elsewhere"))
    with pytest.raises(Transient, match="the store is empty while the database has archives"):
        asyncio.run(anchor_archives())
    assert not (tmp_path / "elsewhere").exists()


async def artifacts(key: str) -> list[str]:
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return [str(each.data) for each in found]
