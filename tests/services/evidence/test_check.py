"""A bag proves itself: its `check.py` accepts it on a machine without cellar, and refuses it once a byte is altered."""

import ast
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.settings.settings import settings
from services.evidence import check
from tests.conftest import LONGEST_S
from tests.end_to_end.browser import needs_chromium, page
from tests.installations import archived, installed
from tests.services.evidence.bags import anchor, attachments, bag_of, in_clear, many_archives, rewritten
from tests.time_stamp_authorities import authority

SOURCE = Path(check.__file__)
ALTERED = 500
OF_THE_PROGRAM = 40


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[list[Path]]:
    """Fifty bags: most are anchored, of which some have a time stamp."""
    folder = tmp_path_factory.mktemp("bags")
    stamping = authority(folder / "authority")
    with installed(folder, holder="עיריית דוגמה", time_stamp_roots=stamping.root):
        settings().data_dir.mkdir()
        shutil.copy(migrated_file, settings().database_location.removeprefix("sqlite:///"))
        made = list(many_archives(random.Random(14)))
        references = list(dict.fromkeys(reference for reference, _ in made))
        anchor(references[::3])
        anchor(references[1::3], stamping)
        (folder / "bags").mkdir()
        yield [bag_of(*each, folder / "bags" / str(number)) for number, each in enumerate(made)]


def checked(bag: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program of a bag as an expert does, on a machine that has Python and nothing of cellar."""
    command = [sys.executable, "-I", "-S", str(bag / "check.py"), *arguments]
    return subprocess.run(
        command, env={"PATH": os.defpath}, cwd="/", check=False, capture_output=True, text=True, timeout=LONGEST_S
    )


def answer(capsys: pytest.CaptureFixture[str], bag: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of a copy of the program that was got elsewhere."""
    status = check.main([str(bag), *arguments])
    return status, capsys.readouterr().out


def test_every_bag_is_accepted_on_a_machine_without_cellar(bags: list[Path]) -> None:
    assert len(bags) >= 50
    for bag in bags:
        done = checked(bag)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert done.stdout.endswith("YES. This bag is whole and unchanged, as far as it was checked.\n")


def test_each_altered_byte_is_refused(bags: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(500)
    for _ in range(ALTERED):
        bag = chance.choice(bags)
        path = chance.choice([each for each in sorted(bag.rglob("*")) if each.is_file() and each.stat().st_size])
        with altered(path, chance):
            status, output = answer(capsys, bag)
        assert status == 1, f"{path}: {output}"
        assert output.endswith("NO. This bag is not proved to be a whole and unchanged export of an archive.\n")


def test_altered_program_refuses_itself_or_fails(bags: list[Path], tmp_path: Path) -> None:
    """An altered copy may say anything. By chance it says NO, or ends with an error."""
    chance = random.Random(7)
    bag = Path(shutil.copytree(bags[0], tmp_path / "bag"))
    for _ in range(OF_THE_PROGRAM):
        with altered(bag / "check.py", chance):
            assert checked(bag).returncode != 0
    assert checked(bag).returncode == 0


@contextmanager
def altered(path: Path, chance: random.Random) -> Iterator[None]:
    before = path.read_bytes()
    place = chance.randrange(len(before))
    path.write_bytes(before[:place] + bytes([before[place] ^ chance.randrange(1, 256)]) + before[place + 1 :])
    try:
        yield
    finally:
        path.write_bytes(before)


def test_added_removed_and_renamed_files_are_refused(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(shutil.copytree(bags[-1], tmp_path / "whole"))
    files = sorted(each.relative_to(whole) for each in whole.rglob("*") if each.is_file())
    assert answer(capsys, whole)[0] == 0
    for number, name in enumerate(files):
        bag = Path(shutil.copytree(whole, tmp_path / str(number)))
        (bag / name).rename(bag / name.with_name("renamed"))
        assert answer(capsys, bag)[0] == 1, name
        (bag / name.with_name("renamed")).unlink()
        assert answer(capsys, bag)[0] == 1, name
    for add in ("empty", "data/x", "data/files/.DS_Store", "data/proof/time-stamp-0.tsr"):
        (whole / add).parent.mkdir(exist_ok=True)
        (whole / add).touch()
        status, output = answer(capsys, whole)
        assert status == 1
        assert f"an unknown file or folder: {add}" in output
        (whole / add).unlink()
    (whole / "data" / "folder").mkdir()
    assert answer(capsys, whole)[0] == 1
    (whole / "data" / "folder").rmdir()
    (whole / "data" / "skeleton.json").rename(tmp_path / "skeleton.json")
    (whole / "data" / "skeleton.json").symlink_to(tmp_path / "skeleton.json")
    assert answer(capsys, whole)[0] == 1


@pytest.mark.parametrize(
    "forgery",
    [
        ("data/files/a.bin", b"\xfb", b"\xfa", "a file is not both in the request and in the bag"),
        ("data/skeleton.json", b"SOMEVALUE1", b"SOMEVALUE2", "the SHA-256 of the request"),
        ("data/inventory.json", b"urn:cellar", b"urn:ce11ar", "the process in the inventory"),
        ("data/inventory.json", b'"skeleton.json"', b'"skeleton.jsom"', "the bag has another file than the inventory"),
        ("data/inventory.json", b"2026-", b"2025-", "receipt.json has the arrival"),
        ("data/inventory.json", b'"address"', b'"addrezz"', "the inventory in the leaf"),
        ("data/proof/leaf.json", b'"version":1', b'"version":2', "the root of the Merkle tree"),
        ("data/proof/path.json", b'"index": ', b'"index": 1', "Merkle"),
        ("data/proof/statement.json", b"2026-11-26", b"2025-11-26", "the signature belongs to the anchor"),
        ("data/proof/statement.sig", b"", b"x", "the signature belongs to the anchor"),
        ("data/receipt.json", b'"reference": "', b'"reference": "0', "KeyError"),
    ],
)
def test_forger_who_adapts_the_manifests_is_refused(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], forgery: tuple[str, bytes, bytes, str]
) -> None:
    bag = Path(shutil.copytree(bags[3], tmp_path / "forged"))
    name, before, after, expected = forgery
    rewritten(bag, name, before, after)

    status, output = answer(capsys, bag)

    assert (status, expected in output) == (1, True), output


def test_another_key_than_the_anchor_names_is_refused(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = Path(shutil.copytree(bags[1], tmp_path / "forged"))
    another = Ed25519PrivateKey.generate()
    pem = another.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    statement = (bag / "data/proof/statement.json").read_bytes()
    for name, data in (("key.pem", pem), ("statement.sig", another.sign(statement))):
        rewritten(bag, f"data/proof/{name}", (bag / "data/proof" / name).read_bytes(), data)

    status, output = answer(capsys, bag)

    assert (status, "WRONG        the key that the anchor names" in output) == (1, True), output


def test_root_that_the_expert_got_elsewhere_is_compared(bags: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, output = answer(capsys, bags[0])
    [root] = re.findall(r"compare the root .*: ([0-9a-f]{64})\n", output)
    assert status == 0

    assert answer(capsys, bags[0], "--root", root)[0] == 0
    [of_sha512] = re.findall(r"compare the root .*: ([0-9a-f]{128})\n", answer(capsys, bags[1])[1])
    assert answer(capsys, bags[1], "--root", of_sha512)[0] == 0
    assert answer(capsys, bags[1], "--root", of_sha512[:-1] + ("1" if of_sha512[-1] == "0" else "0"))[0] == 1
    assert answer(capsys, bags[0], "--root", "ab" * 32)[0] == 1
    not_anchored = next(each for each in bags if not (each / "data" / "proof").exists())
    assert "not anchored yet" in answer(capsys, not_anchored)[1]
    assert answer(capsys, not_anchored, "--root", root)[0] == 1


def test_sealed_values_are_said_and_all_else_is_proved(bags: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    said = [answer(capsys, each)[1] for each in bags]
    sealed = [each for each in said if check.OF_SEALED_VALUES in each]

    assert len(sealed) == 6  # one of them was kept as it was sent
    assert (
        sum("is everything of the request but its sealed values" in each for each in said) == 1
    )  # anchored, and no repetition
    assert all("names this receipt, and the parts of the request" in each for each in said)
    assert sum("The request can be rebuilt" in each for each in said) == len(bags) - len(sealed)


def test_wrong_use_accuses_no_bag(bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for wrong in ([tmp_path / "nowhere"], [tmp_path / "empty"], [bags[0], "--root", "ab" * 31]):
        with pytest.raises(SystemExit) as exited:
            check.main([str(each) for each in wrong])
        assert exited.value.code == 2
        shown = capsys.readouterr()
        assert (shown.out, "expected the " in shown.err) == ("", True)


def test_program_needs_only_python_3_8_and_no_openssl(bags: list[Path], tmp_path: Path) -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    command = [sys.executable, "-I", "-S", str(bags[0] / "check.py")]
    for encoding in ("utf-8", "ascii", "cp1252"):
        environment = {"PATH": str(tmp_path), "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, timeout=LONGEST_S)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"signature and time stamps need the command openssl" in done.stdout


def test_file_of_several_blocks_is_rebuilt(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = random.Random(1).randbytes(3 * check.CHUNK_BYTES + 1)
    body = in_clear("large", attachments=attachments(("large.bin", data)))

    bag = bag_of("large", archived("large", body), tmp_path / "bag")

    assert "The request can be rebuilt" in answer(capsys, bag)[1]


@needs_chromium
def test_pages_of_a_bag_ask_for_nothing_outside(bags: list[Path]) -> None:
    asked = []
    with page() as browser:
        browser.on("request", lambda request: asked.append(request.url))
        browser.goto((bags[-1] / "data" / "summary.html").as_uri())
        browser.click("a[hreflang=he]")
        assert browser.evaluate("getComputedStyle(document.body).direction") == "rtl"
        assert "עיריית דוגמה" in browser.inner_text("body")
    assert [url.rpartition("/")[2] for url in asked] == ["summary.html", "summary.he.html"]
