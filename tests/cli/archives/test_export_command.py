"""`cellar export` writes an archive as a bag, and a request byte for byte, from a folder and from a bucket."""

import base64
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.objects.requests import stored_request
from services.evidence import check
from tests.cli.conftest import Cellar
from tests.conftest import bucket_at
from tests.flows.conftest import received
from tests.installations import archived, installed
from tests.pdfs import SIGNER_NAME
from tests.samples import PDF, PNG, sample_body
from tests.validation_reports import read

# On Python 3.13 bagit's own source warns.
pytestmark = pytest.mark.filterwarnings("ignore:'count' is passed as positional argument")

PDF_SHA256 = hashlib.sha256(PDF).hexdigest()
FIRST = sample_body("process 1")
SECOND = sample_body("process 1", data=[]).replace(b"/", rb"\/")


@pytest.fixture(scope="module", autouse=True, params=["folder", "bucket"])
def receipts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> Iterator[list[str]]:
    """The receipts of the two versions of `process 1`."""
    values = {}
    if request.param == "bucket":
        url = f"s3://archives/{secrets.token_hex(8)}"
        values = {"store_url": url} | bucket_at(request.getfixturevalue("s3_server"))
    with installed(tmp_path_factory.mktemp("exported"), **values):
        settings().data_dir.mkdir()
        shutil.copy(migrated_file, settings().database_location.removeprefix("sqlite:///"))
        yield [archived("process 1", FIRST), archived("process 1", SECOND)]


def exported(cellar: Cellar, to: Path, *arguments: str) -> bagit.Bag:
    """Export an archive as a bag, check that the bag is valid, and return it."""
    assert cellar("export", "--to", str(to), *arguments).status == 0
    bag = bagit.Bag(str(to))
    assert bag.validate()
    return bag


def key_of(reference: str, content: bytes) -> str:
    found = ocfl.inventory(reference)
    assert found
    return ocfl.content_key(reference, found, hashlib.sha256(content).hexdigest())


def test_bag_has_the_files_under_their_names_a_summary_page_and_the_verdict_on_the_signatures(
    cellar: Cellar, tmp_path: Path, receipts: list[str]
) -> None:
    bag = exported(cellar, tmp_path / "bag", "process 1")

    assert bag.info["External-Identifier"] == "process 1"
    assert bag.info["Request-SHA256"] == receipts[-1]
    data = tmp_path / "bag" / "data"
    assert (data / "files" / "SIGNEDDOCUMENT.pdf").read_bytes() == PDF
    assert (data / "files" / "SOMEFILENAME1.png").read_bytes() == PNG
    assert json.loads((data / "skeleton.json").read_bytes())["reference"] == "process 1"
    report = json.loads((data / "signatures.json").read_bytes())
    assert (report["outcome"], report["changed_after_signing"]) == ("sound", False)
    assert [each["signer_name"] for each in report["signatures"]] == [SIGNER_NAME]
    page = (data / "summary.html").read_text()
    verdict = ("Unchanged since it was signed. Who signed is not proved.", SIGNER_NAME, ">indeterminate<")
    assert [each for each in ("process 1, version 2", *verdict) if each not in page] == []
    assert read((data / "validation-report.xml").read_bytes()) == [("indeterminate", "NO_CERTIFICATE_CHAIN_FOUND")]


def test_bag_of_a_receipt_has_its_version(cellar: Cellar, tmp_path: Path, receipts: list[str]) -> None:
    bag = exported(cellar, tmp_path / "bag", "process 1", "--receipt", receipts[0])

    assert bag.info["Request-SHA256"] == receipts[0]
    assert bag.info["External-Description"].startswith("Version 1 ")
    page = (tmp_path / "bag" / "data" / "summary.html").read_text()
    assert "<title>Archive process 1, version 1</title>" in page
    assert "SOMEFIELD1" in page
    assert b"SOMEFIELD1" in (tmp_path / "bag" / "data" / "skeleton.json").read_bytes()


def test_bag_of_a_duplicate_has_its_own_request_and_the_files_of_its_version(cellar: Cellar, tmp_path: Path) -> None:
    again = json.dumps(json.loads(sample_body("again")), indent=1).encode()
    archived("again", sample_body("again"))
    receipt_id = archived("again", again)

    bag = exported(cellar, tmp_path / "bag", "again", "--receipt", receipt_id)
    raw = cellar("export", "again", "--raw", "--receipt", receipt_id, "--to", "-")

    assert bag.info["Request-SHA256"] == receipt_id
    assert bag.info["External-Description"].startswith("Version 1 ")
    data = tmp_path / "bag" / "data"
    assert (data / "files" / "SIGNEDDOCUMENT.pdf").read_bytes() == PDF
    assert json.loads((data / "signatures.json").read_bytes())["outcome"] == "sound"
    assert (data / "skeleton.json").read_bytes().startswith(again[:20])
    assert raw.output.encode() == again


def test_bag_reports_that_the_signed_document_was_changed(cellar: Cellar, tmp_path: Path) -> None:
    document = {"content": base64.b64encode(PDF + b"\n% more").decode()}
    archived("changed", sample_body("changed", signed_document=document))

    exported(cellar, tmp_path / "bag", "changed")

    data = tmp_path / "bag" / "data"
    report = json.loads((data / "signatures.json").read_bytes())
    assert (report["outcome"], report["signatures"][0]["intact"]) == ("changed", True)
    assert "Changed: the document was changed after it was signed" in (data / "summary.html").read_text()
    assert read((data / "validation-report.xml").read_bytes()) == [("indeterminate", "SIG_CONSTRAINTS_FAILURE")]


def test_bag_without_a_signed_document_has_no_signature_report(cellar: Cellar, tmp_path: Path) -> None:
    archived("without", sample_body("without", signed_document=None))

    exported(cellar, tmp_path / "bag", "without")

    data = tmp_path / "bag" / "data"
    assert {each.name for each in data.iterdir()} == {
        *("files", "skeleton.json", "cuts.json", "scans.json", "inventory.json", "receipt.json"),
        *("summary.html", "summary.he.html"),
    }
    assert "No signed document was judged." in (data / "summary.html").read_text()


@pytest.mark.parametrize(("receipt", "body"), [(None, SECOND), (0, FIRST), (1, SECOND)])
def test_raw_request_is_exported_byte_for_byte(
    cellar: Cellar, tmp_path: Path, receipts: list[str], receipt: int | None, body: bytes
) -> None:
    chosen = [] if receipt is None else ["--receipt", receipts[receipt]]

    assert cellar("export", "process 1", "--raw", "--to", str(tmp_path / "body.json"), *chosen).status == 0
    assert (tmp_path / "body.json").read_bytes() == body
    assert hashlib.sha256(body).hexdigest() in receipts
    assert cellar("export", "process 1", "--raw", "--to", "-", *chosen).output.encode() == body


@pytest.mark.parametrize("is_missing", [True, False])
def test_damaged_archive_is_refused_with_its_file_named_and_exported_on_request_alone(
    cellar: Cellar, tmp_path: Path, *, is_missing: bool
) -> None:
    reference = f"damaged {is_missing}"
    archived(reference, sample_body(reference))
    key = key_of(reference, PDF)
    store().remove(key) if is_missing else store().overwrite_bytes(b"damaged", key)

    for arguments in (("--to", tmp_path / "bag"), ("--raw", "--to", tmp_path / "body"), ("--raw", "--to", "-")):
        done = cellar("export", reference, *map(str, arguments))
        assert (done.status, done.output) == (1, "")
        assert f"{key}: expected the signed document with SHA-256 {PDF_SHA256}" in " ".join(done.errors.split())
        assert "SIGNEDDOCUMENT" not in done.errors
    assert list(tmp_path.iterdir()) == []

    bag = exported(cellar, tmp_path / "bag", reference, "--damaged")
    for name, words in (("summary.html", "DAMAGED. Do not rely on this copy."), ("summary.he.html", "פגום")):
        assert words in (tmp_path / "bag" / "data" / name).read_text()
    assert json.loads((tmp_path / "bag" / "data" / "damaged.json").read_bytes())[0]["key"] == key
    assert ("data/files/SIGNEDDOCUMENT.pdf" in bag.payload_entries()) is not is_missing
    assert check.main([str(tmp_path / "bag")]) == 1
    assert cellar("export", reference, "--raw", "--damaged", "--to", str(tmp_path / "body")).status == 1
    assert not (tmp_path / "body").exists()


def test_archive_that_cannot_be_read_is_exported_on_request_with_its_files(cellar: Cellar, tmp_path: Path) -> None:
    receipt_id = archived("unreadable", sample_body("unreadable"))
    stored = stored_request("unreadable", receipt_id)
    assert stored
    store().overwrite_bytes(b"{", stored.keys["skeleton.json"])

    exported(cellar, tmp_path / "bag", "unreadable", "--damaged")

    data = tmp_path / "bag" / "data"
    assert "The archive cannot be read." in (data / "summary.html").read_text()
    assert {each.read_bytes() for each in (data / "contents").iterdir()} == {PDF, PNG}


def test_request_is_exported_raw_although_another_version_is_damaged(cellar: Cellar, tmp_path: Path) -> None:
    first, second = sample_body("partly"), sample_body("partly", data=[], attachments=[])
    receipt_id = archived("partly", first)
    archived("partly", second)
    store().overwrite_bytes(b"damaged", key_of("partly", PNG))

    raw = ("export", "partly", "--raw", "--to", "-")
    assert cellar(*raw).status == 1
    assert cellar(*raw, "--damaged").output.encode() == second
    done = cellar(*raw, "--damaged", "--receipt", receipt_id)
    assert (done.status, "the body does not match receipt" in done.errors) == (1, True)


def test_existing_files_are_never_overwritten_and_nothing_unknown_is_exported(cellar: Cellar, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")

    for to, *arguments in (
        ("there", "process 1"),
        ("there", "process 1", "--raw"),
        ("bag", "unknown"),
        ("bag", "process 1", "--receipt", "ab" * 32),
    ):
        assert cellar("export", *arguments, "--to", str(tmp_path / to)).status == 1
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("there", "mine")]


def test_request_that_is_still_in_the_inbox_can_be_exported(cellar: Cellar, tmp_path: Path) -> None:
    body = sample_body("another")
    receipt_id = received("another", body).receipt_id

    done = cellar("export", "another", "--raw", "--receipt", receipt_id, "--to", str(tmp_path / "body.json"))

    assert (done.status, (tmp_path / "body.json").read_bytes()) == (0, body)
