"""Anchors are dated by time-stamp authorities, at once or later, and only time stamps that prove them are kept."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.peers.time_stamps import stamped_at
from adapters.settings.settings import Settings
from domain.anchors import statement_text
from models.errors import Refused
from models.store.fixity import Fault
from services.anchors.anchors import hold, proof_of
from services.anchors.making import Made, make
from tests.conftest import Configure
from tests.installations import archived, closed_url
from tests.samples import sample_body
from tests.time_stamp_authorities import Authority, served_authority


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with served_authority(tmp_path_factory.mktemp("authority") / "files") as made:
        yield made


@pytest.fixture(autouse=True)
def _dated(configure: Configure, sqlite_installation: Settings, served: Authority) -> None:
    configure(time_stamp_urls=served.url, time_stamp_roots=str(served.root))
    archived("process-1", sample_body("process-1"))


def made(days: int = 0) -> Made:
    return make(datetime.now(UTC) + timedelta(days=days))


def test_anchor_is_dated_and_openssl_accepts_the_time_stamp(served: Authority, tmp_path: Path) -> None:
    anchor = made().anchor
    proof = proof_of("process-1")
    assert proof
    [token] = proof.tokens.values()
    assert datetime.now(UTC) - stamped_at(token, statement_text(anchor.statement), [served.root]) < timedelta(minutes=5)
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "statement").write_bytes(statement_text(anchor.statement))
    checked = ["openssl", "ts", "-verify", "-data", "statement", "-in", "token", "-CAfile", str(served.root)]
    assert b"OK" in subprocess.check_output(checked, cwd=tmp_path, stderr=subprocess.STDOUT)
    with pytest.raises(Refused):
        stamped_at(token, b"another text", [served.root])
    assert hold(anchor.root).findings == ()


def test_authority_that_was_away_dates_the_anchor_later(configure: Configure, served: Authority) -> None:
    configure(time_stamp_urls=closed_url())
    lacking = made()
    assert lacking.lacks == ("the time-stamp authority 127.0.0.1 does not answer: ConnectError",)

    configure(time_stamp_urls=served.url)
    assert made(1).lacks == ()
    assert [len(each.tokens) for each in anchors.anchors(store())] == [1, 1]


def test_time_stamp_of_another_authority_is_not_kept(configure: Configure, served: Authority, tmp_path: Path) -> None:
    with served_authority(tmp_path / "other") as other:
        configure(time_stamp_roots=str(other.root))
        [lack] = made().lacks
    assert lack.startswith("the answer of the time-stamp authority localhost is not valid")
    assert not any(each.tokens for each in anchors.anchors(store()))


def test_exchanged_time_stamp_is_found() -> None:
    made()
    root = made(1).anchor.root
    second, first = (anchor.key(name) for anchor in anchors.anchors(store()) for name in anchor.tokens)
    store().overwrite_bytes(store().read_bytes(second), first)

    assert [(each.fault, each.key) for each in hold(root).findings] == [(Fault.DAMAGED, first)]
