"""An installation moves by copies of its files and a rebuild: docs/backup.md, Moving."""

import asyncio
import shutil
from pathlib import Path

from adapters.files.store import storage_at
from adapters.inbox import inbox
from adapters.tables.runs import receipts
from tests.cli.conftest import Cellar
from tests.cli.custody.filled import WAITING, all_files, delivered_again, distributed, filled
from tests.installations import installed, stored_body
from tests.samples import sample_body


def test_embedded_installation_moves_to_postgres_and_a_bucket_by_copies_and_a_rebuild(
    cellar: Cellar, tmp_path: Path, postgres_server: str, s3_server: str
) -> None:
    for each in ("old", "new"):
        (tmp_path / each).mkdir()
    with installed(tmp_path / "old"):
        asyncio.run(filled())
        before = all_files()
    shutil.copytree(tmp_path / "old" / "data" / "secrets", tmp_path / "new" / "data" / "secrets")
    with installed(tmp_path / "new", **distributed(postgres_server, s3_server)) as there:
        for name, content in before.items():
            place, _, key = name.partition("/")
            storage_at(getattr(there, f"{place}_location")).write(content, key)
        for command in ("migrate", "rebuild", "verify"):
            done = cellar(command)
            assert done.status == 0, (command, done)

        assert stored_body("process-1", receipts.current_receipt_id("process-1") or "") == sample_body(
            "process-1", data=[]
        )
        assert delivered_again("process-2", sample_body("process-2")) == "duplicate"
        assert sorted(each.reference for each in inbox.deliveries()) == ["process-2", "waiting"]
        with inbox.opened_body(next(iter(inbox.deliveries())).receipt_id) as stream:
            assert stream.read() == WAITING
