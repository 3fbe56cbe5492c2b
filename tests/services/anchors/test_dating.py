"""Anchors are dated by time-stamp authorities, at once or later, and only time stamps that prove them are kept."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import tsp

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.peers.time_stamps import stamped_at
from adapters.settings.settings import Settings
from adapters.tables.open_conditions import open_conditions
from domain.anchors import statement_text
from models.errors import Refused
from models.store.anchor import Digest
from models.store.condition import ConditionCode
from models.store.fixity import Fault
from services.anchors.anchors import hold, proof_of
from services.anchors.making import Made, make
from services.evidence import check
from tests import pdfs
from tests.conftest import Configure
from tests.installations import archived, closed_url, finished, received
from tests.samples import sample_body
from tests.services.evidence.bags import bag_of, in_clear, rewritten
from tests.time_stamp_authorities import Authority, Past, served_authority, served_past

BODY = in_clear("old", data=[])
RECEIPT_ID = hashlib.sha256(BODY).hexdigest()


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
    at, ends_at = stamped_at(token, statement_text(anchor.statement), [served.root])
    assert datetime.now(UTC) - at < timedelta(minutes=5)
    assert timedelta(days=29) < ends_at - at <= timedelta(days=30)
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

    assert {(each.fault, each.key) for each in hold(root).findings} == {(Fault.DAMAGED, first)}


def test_damaged_time_stamp_is_named_once_it_is_restored() -> None:
    made()
    (key,) = (each for each, _ in store().listed("anchors") if each.endswith(".tsr"))
    token = store().read_bytes(key)
    store().overwrite_bytes(b"damaged", key)
    second = made(1).anchor
    store().overwrite_bytes(token, key)
    third = made(2).anchor

    assert [key in {leaf.key for leaf in anchors.leaves_of(store(), each)} for each in (second, third)] == [False, True]
    assert hold(third.root).findings == ()


NOW = datetime.now(UTC).replace(microsecond=0)
A, B, C = (-800, 400), (-450, 250), (-250, 7300)  # the first day of a certificate, and for how many days it is valid


@pytest.fixture
def past(configure: Configure, tmp_path: Path) -> Iterator[Past]:
    """An authority of the past, and an archive of the past."""
    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    finished("old", received("old", BODY, day(-799)), day(-799))
    with served_past() as authority:
        configure(time_stamp_urls=authority.url, time_stamp_roots=str(tmp_path / "root.pem"))
        yield authority


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


def made_on(past: Past, number: int, certificate: tuple[int, int]) -> Made:
    """Make the anchor of a day, dated then, by a certificate."""
    past.stamper = pdfs.time_stamper(day(number), valid_from=day(certificate[0]), valid_days=certificate[1])
    return make(day(number))


def checked(capsys: pytest.CaptureFixture[str], bag: Path) -> tuple[int, str]:
    status = check.main([str(bag)])
    return status, capsys.readouterr().out


def sign_again(bag: Path) -> None:
    """Sign a bag that was changed, as somebody with the key does."""
    (bag / "tagmanifest-sha256.sig").write_bytes(anchors.signed((bag / "tagmanifest-sha256.txt").read_bytes())[0])


def test_time_stamp_proves_after_its_certificate_has_ended_and_a_forged_chain_does_not(
    past: Past, configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(anchor_sha512_from=day(-409).date())
    days = ((-700, A), (-699, A), (-410, B), (-409, B), (-210, C))
    made = [made_on(past, number, certificate) for number, certificate in days]

    assert [each.anchor.statement.digest for each in made] == [Digest.SHA256] * 3 + [Digest.SHA512] * 2
    assert hold(made[-1].anchor.root).findings == ()
    proof = proof_of("old")
    assert proof
    assert (proof.inclusion.statement.number, [each.number for each in proof.renewals]) == (1, [4, 5])

    bag = bag_of("old", RECEIPT_ID, tmp_path / "bag")
    status, output = checked(capsys, bag)
    assert (status, output.count(" has confirmed anchor ")) == (0, 3), output
    assert f"confirmed anchor 1 at {day(-700):%b %e %H:%M:%S %Y}" in output
    assert "not checked  certificates" not in output

    forgeries = [
        ("renewals.json", b'"named_in": 1', b'"named_in": 4', "a later time stamp is of a later anchor"),
        ("renewals.json", b'"named_in": 1', b'"named_in": 2', "the root of a later Merkle tree"),
        ("renewals.json", b'"over": 3', b'"over": 2', "belongs to the anchor"),
        ("later.jsonl", b'"number":2', b'"number":9', "the anchor before"),
        ("time-stamp-1.tsr", (bag / "data/proof/time-stamp-1.tsr").read_bytes(), b"another", "a time stamp's leaf"),
    ]
    for number, (name, before, after, expected) in enumerate(forgeries):
        forged = Path(shutil.copytree(bag, tmp_path / str(number)))
        rewritten(forged, f"data/proof/{name}", before, after)
        sign_again(forged)
        status, output = checked(capsys, forged)
        assert (status, expected in output) == (1, True), output


def test_time_of_a_time_stamp_is_that_of_its_signed_part(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_on(past, -100, C)
    bag = bag_of("old", RECEIPT_ID, tmp_path / "bag")
    token = (bag / "data/proof/time-stamp-1.tsr").read_bytes()
    answered = tsp.TimeStampResp.load(token)
    answered["status"]["status_string"] = ["ok\nTime stamp: Jan  1 00:00:00 2021 GMT"]
    rewritten(bag, "data/proof/time-stamp-1.tsr", token, answered.dump(force=True))
    sign_again(bag)

    assert f"confirmed anchor 1 at {day(-100):%b %e %H:%M:%S %Y}" in checked(capsys, bag)[1]


def test_time_stamp_that_nothing_renewed_in_time_is_not_checked(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_on(past, -700, A)
    past.stamper = None
    assert make(day(-401)).lacks
    for number, certificate in ((-390, B), (-210, C)):  # the first also dates the anchor before, which comes too late
        made_on(past, number, certificate)

    status, output = checked(capsys, bag_of("old", RECEIPT_ID, tmp_path / "bag"))

    assert (status, output.count(" has confirmed anchor ")) == (0, 0)
    assert "not checked  certificates have ended, and no later time stamp renews them: proof/time-stamp-1.tsr" in output


def test_condition_says_a_year_ahead_when_the_newest_time_stamp_ends(past: Past) -> None:
    def told() -> list[tuple[str, str]]:
        return [(each.code, each.key) for each in open_conditions((ConditionCode.TIME_STAMP_ENDS,))]

    made_on(past, -774, (-800, 400))
    assert told() == []
    made_on(past, -760, (-800, 400))
    assert told() == [("TIME_STAMP_ENDS", f"{day(-400):%Y-%m-%d}")]
    made_on(past, -750, (-800, 900))
    assert told() == []
