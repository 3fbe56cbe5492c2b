"""The flow shows what it wrote, and nothing where there is no lake or nothing changed."""

import asyncio
from pathlib import Path

import pytest

from adapters.settings.settings import settings
from flows.publish_tables import publish_tables
from tests.conftest import Configure
from tests.flows.test_anchor_archives import artifacts
from tests.lakes import assert_current, lease


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_run_leaves_a_table_of_what_it_wrote(configure: Configure, tmp_path: Path) -> None:
    lease(1, ("RENT", 7))
    asyncio.run(publish_tables())
    configure(lake_url=str(tmp_path / "lake"))
    for _ in range(2):
        asyncio.run(publish_tables())
    assert_current()
    (shown,) = asyncio.run(artifacts("published-tables"))
    assert f"[form_lease]({settings().receiver_url}/console/tables#form_lease)" in shown
    assert str(tmp_path / "lake" / "form_lease") in shown
    assert "all, written anew" in shown
