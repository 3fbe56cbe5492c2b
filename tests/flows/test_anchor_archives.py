"""The scheduled flow makes an anchor, and fails while it lacks the witness."""

import asyncio
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from adapters.anchors import anchors
from adapters.files.store import store
from flows.anchor_archives import anchor_archives
from models.errors import Transient
from tests.conftest import Configure
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def test_flow_anchors_what_has_changed_and_fails_without_its_witness(configure: Configure, tmp_path: Path) -> None:
    archived("process-1", sample_body("process-1"))
    asyncio.run(anchor_archives())
    (tmp_path / "away").write_text("no folder")
    configure(witness_url=str(tmp_path / "away"))
    with pytest.raises(Transient, match="the witness does not have the newest anchor"):
        asyncio.run(anchor_archives())

    made = list(anchors.anchors(store()))
    assert [each.statement.number for each in made] == [2, 1]
    pages = asyncio.run(artifacts())
    assert all(any(f"`{each.root}`" in page for page in pages) for each in made)

    configure(store_url=str(tmp_path / "elsewhere"))
    with pytest.raises(Transient, match="the store is empty while the database has archives"):
        asyncio.run(anchor_archives())
    assert not (tmp_path / "elsewhere").exists()


async def artifacts() -> list[str]:
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["anchor"])))
    return [str(each.data) for each in found]
