"""The store and the seal key are a whole backup: docs/backup.md."""

import asyncio
import shutil
from pathlib import Path

from tests.cli.conftest import Cellar
from tests.cli.operation.moves import all_rows, delivered_again, filled
from tests.installations import installed
from tests.samples import sample_body

OF_ARCHIVES = {"archive", "version", "receipt", "delivery", "file", "payment", "form_field", "session", "warning"}


def test_installation_is_restored_from_the_store_and_the_seal_key_alone(cellar: Cellar, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with installed(tmp_path / "old"):
        asyncio.run(filled())
        before = all_rows()
    old, restored = tmp_path / "old" / "data", tmp_path / "new" / "data"
    (restored / "secrets").mkdir(parents=True, mode=0o700)
    restored.chmod(0o700)
    shutil.copytree(old / "store", restored / "store", ignore=shutil.ignore_patterns("spool"))
    shutil.copy(old / "secrets" / "seal", restored / "secrets" / "seal")

    with installed(tmp_path / "new"):
        assert cellar("migrate").status == 0
        assert cellar("rebuild").status == 0
        after = all_rows()
        assert cellar("verify").status == 0
        assert delivered_again("process-1", sample_body("process-1")) == "duplicate"

    # A receipt that was acknowledged and not archived lies in the inbox, which is no part of the backup.
    expected = {name: [row for row in before[name] if "waiting" not in row] for name in OF_ARCHIVES}
    assert {name: after[name] for name in OF_ARCHIVES} == expected
    assert len(after["archive"]) == 3
    assert [len(after[name]) for name in ("session_event", "endpoint")] == [1, 1]
