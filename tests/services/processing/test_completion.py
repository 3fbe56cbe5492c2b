"""Completion of receipts, from each kind of inbox into each kind of store."""

import secrets
from pathlib import Path

import pytest

from adapters.inbox import inbox
from adapters.settings.settings import settings
from tests.conftest import Configure, bucket_at
from tests.installations import archived, objects_below, stored_body
from tests.samples import sample_body


@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize("store_kind", ["folder", "bucket"])
@pytest.mark.parametrize("inbox_kind", ["folder", "bucket"])
@pytest.mark.parametrize("note_bytes", [10, 9_000_000])
def test_completed_receipt_leaves_the_inbox_and_its_body_can_be_rebuilt(
    configure: Configure, s3_server: str, inbox_kind: str, store_kind: str, note_bytes: int
) -> None:
    home, kinds = f"s3://archives/{secrets.token_hex(8)}", {"inbox": inbox_kind, "store": store_kind}
    configure(**{f"{name}_url": f"{home}/{name}" for name, kind in kinds.items() if kind == "bucket"})
    configure(**bucket_at(s3_server))
    body = sample_body("process-1", note="x" * note_bytes)

    receipt_id = archived("process-1", body)

    assert stored_body("process-1", receipt_id) == body
    assert (inbox.has_body(receipt_id), list(inbox.deliveries())) == (False, [])
    assert objects_below(f"{home}/inbox") == {}
    spools = (settings().spool_dir, Path(settings().store_location) / "spool")
    assert [each for spool in spools for each in spool.glob("*")] == []
