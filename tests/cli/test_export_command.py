"""`cellar export` hands out an archive as a bag, and a request byte for byte."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import bagit
import pytest

from adapters import ocfl, store
from adapters.settings import Settings
from tests.cli.conftest import Cellar
from tests.conftest import bucket_at
from tests.flows.conftest import received
from tests.installations import archived
from tests.pdfs import SIGNER_NAME
from tests.samples import PDF, PNG, sample_body

# On Python 3.13 bagit's own source warns.
pytestmark = pytest.mark.filterwarnings("ignore:'count' is passed as positional argument")

FIRST = sample_body("process 1")
SECOND = sample_body("process 1", data=[]).replace(b"/", rb"\/")


@pytest.fixture(autouse=True)
def receipts(sqlite_installation: Settings) -> list[str]:
    return [archived("process 1", FIRST), archived("process 1", SECOND)]


def test_bag_holds_files_by_their_names_and_a_page(cellar: Cellar, tmp_path: Path, receipts: list[str]) -> None:
    assert cellar("export", "process 1", "--to", str(tmp_path / "bag")).status == 0

    bag = bagit.Bag(str(tmp_path / "bag"))
    assert bag.validate()
    assert bag.info["External-Identifier"] == "process 1"
    assert bag.info["Request-SHA256"] == receipts[-1]
    data = tmp_path / "bag" / "data"
    assert (data / "files" / "SIGNEDDOCUMENT.pdf").read_bytes() == PDF
    assert (data / "files" / "SOMEFILENAME1.png").read_bytes() == PNG
    assert "process 1" in (data / "summary.html").read_text()
    assert json.loads((data / "skeleton.json").read_bytes())["reference"] == "process 1"


def exported(cellar: Cellar, to: Path, *arguments: str) -> Path:
    """What is in the bag of the archive `process 1`."""
    assert cellar("export", "process 1", "--to", str(to), *arguments).status == 0
    assert bagit.Bag(str(to)).validate()
    return to / "data"


def test_bag_reports_the_signatures_of_a_sound_document(cellar: Cellar, tmp_path: Path) -> None:
    data = exported(cellar, tmp_path / "bag")

    report = json.loads((data / "signatures.json").read_bytes())
    assert (report["outcome"], report["changed_after_signing"]) == ("sound", False)
    assert [each["signer_name"] for each in report["signatures"]] == [SIGNER_NAME]
    page = (data / "summary.html").read_text()
    assert "Sound: every signature holds" in page
    assert SIGNER_NAME in page


def test_bag_reports_that_a_document_was_changed(cellar: Cellar, tmp_path: Path) -> None:
    document = {"content": base64.b64encode(PDF + b"\n% more").decode()}
    archived("process 1", sample_body("process 1", signed_document=document))

    data = exported(cellar, tmp_path / "bag")

    report = json.loads((data / "signatures.json").read_bytes())
    assert (report["outcome"], report["signatures"][0]["intact"]) == ("changed", True)
    assert "Changed: the signatures hold, but the document was changed" in (data / "summary.html").read_text()


def test_bag_without_a_signed_document_has_no_report(cellar: Cellar, tmp_path: Path) -> None:
    archived("process 1", sample_body("process 1", signed_document=None))

    data = exported(cellar, tmp_path / "bag")

    assert {each.name for each in data.iterdir()} == {"files", "skeleton.json", "summary.html"}
    assert "There is none to judge." in (data / "summary.html").read_text()


def test_bag_may_be_a_zip(cellar: Cellar, tmp_path: Path) -> None:
    assert cellar("export", "process 1", "--to", str(tmp_path / "bag.zip")).status == 0

    ZipFile(tmp_path / "bag.zip").extractall(tmp_path)
    assert bagit.Bag(str(tmp_path / "bag")).validate()


@pytest.mark.parametrize(("receipt", "body"), [(None, SECOND), (0, FIRST), (1, SECOND)])
def test_raw_request_is_byte_for_byte_what_was_sent(
    cellar: Cellar, tmp_path: Path, receipts: list[str], receipt: int | None, body: bytes
) -> None:
    chosen = [] if receipt is None else ["--receipt", receipts[receipt]]

    assert cellar("export", "process 1", "--raw", "--to", str(tmp_path / "body.json"), *chosen).status == 0
    assert (tmp_path / "body.json").read_bytes() == body
    assert hashlib.sha256(body).hexdigest() in receipts
    assert cellar("export", "process 1", "--raw", "--to", "-", *chosen).output.encode() == body


def test_archive_of_a_bucket_is_exported_too(
    cellar: Cellar, configure: Callable[..., Settings], s3_server: str, tmp_path: Path
) -> None:
    configure(store_url=f"s3://archives/{secrets.token_hex(8)}", **bucket_at(s3_server))
    archived("process 2", body := sample_body("process 2"))

    assert cellar("export", "process 2", "--to", str(tmp_path / "bag")).status == 0
    assert cellar("export", "process 2", "--raw", "--to", str(tmp_path / "body.json")).status == 0

    assert bagit.Bag(str(tmp_path / "bag")).validate()
    assert (tmp_path / "body.json").read_bytes() == body


def test_damaged_archive_is_never_handed_out(cellar: Cellar, tmp_path: Path) -> None:
    found = ocfl.inventory("process 1")
    assert found
    store.overwrite_bytes(b"damaged", ocfl.content_key("process 1", found, hashlib.sha256(PDF).hexdigest()))

    for arguments in (["--to", str(tmp_path / "bag")], ["--raw", "--to", str(tmp_path / "body.json")]):
        assert cellar("export", "process 1", *arguments).status == 1
    assert not (tmp_path / "bag").exists()
    assert not (tmp_path / "body.json").exists()


def test_what_is_there_is_never_written_over(cellar: Cellar, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")

    for raw in ([], ["--raw"]):
        assert cellar("export", "process 1", "--to", str(tmp_path / "there"), *raw).status == 1
    assert (tmp_path / "there").read_text() == "mine"


def test_unknown_archive_and_receipt_are_told(cellar: Cellar, tmp_path: Path) -> None:
    assert cellar("export", "unknown", "--to", str(tmp_path / "bag")).status == 1
    assert cellar("export", "process 1", "--receipt", "ab" * 32, "--to", str(tmp_path / "bag")).status == 1


def test_request_that_still_waits_is_handed_out_too(cellar: Cellar, tmp_path: Path) -> None:
    body = sample_body("another")
    receipt_id = received("another", body).receipt_id

    done = cellar("export", "another", "--raw", "--receipt", receipt_id, "--to", str(tmp_path / "body.json"))

    assert (done.status, (tmp_path / "body.json").read_bytes()) == (0, body)
