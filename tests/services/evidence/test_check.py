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
from itertools import combinations
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from adapters.settings.settings import settings
from domain.archive.file_names import _EXTENSIONS, safe_names
from domain.body.node import UNSTORABLE
from services.evidence import check
from tests.conftest import LONGEST_S
from tests.domain.archive.test_file_names import names
from tests.end_to_end.browser import needs_chromium, page
from tests.installations import archived, installed
from tests.services.evidence.bags import (
    anchor,
    attachments,
    bag_of,
    in_clear,
    many_archives,
    rewritten,
    sealed_again,
)
from tests.services.evidence.test_sealed_again import exchanged
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


def test_every_bag_is_accepted_also_on_a_machine_without_cellar(
    bags: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(bags) >= 50
    for number, bag in enumerate(bags):
        assert (bag / "check.py").read_bytes() == SOURCE.read_bytes()
        status, output = answer(capsys, bag)
        if number % 9 == 0:
            done = checked(bag)
            assert (done.returncode, done.stderr, done.stdout) == (status, "", output)
        assert status == 0, output
        assert output.endswith("YES. This bag is whole and unchanged, as far as it was checked.\n")


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
        ("data/skeleton.json", b"a.bin", b"b.bin", "the SHA-256 of the request"),
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


def root_in(output: str) -> str:
    [root] = re.findall(r"compare the root .*: ([0-9a-f]{64,128})\n", output)
    return str(root)


def test_files_under_each_others_names_are_refused_by_the_request_itself(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = next(each for each in bags if (each / "data/files/E (2)").exists())
    for number, (one, other) in enumerate(combinations(sorted((whole / "data/files").iterdir()), 2)):
        bag = Path(shutil.copytree(whole, tmp_path / str(number)))
        exchanged(f"data/files/{one.name}", f"data/files/{other.name}")(bag, bag)
        sealed_again(bag)
        (bag / check.SEAL).unlink(missing_ok=True)
        status, output = answer(capsys, bag)
        assert (status, " of the request under its name, " in output) == (1, True), output


@given(names, st.lists(st.none() | st.sampled_from(["image/jpeg; q=1", *_EXTENSIONS]), min_size=99, max_size=99))
def test_names_that_cellar_gives_are_those_of_the_request(
    called: list[str | None], media_types: list[str | None]
) -> None:
    stored = [name and UNSTORABLE.sub("\ufffd", name) for name in called]
    for given_name, name in zip(safe_names(stored, media_types[: len(called)]), called, strict=True):
        assert check.is_called(given_name, name or "")


def test_end_of_a_long_name_is_no_extension_and_signs_are_part_of_a_name() -> None:
    long = f"{'a' * 190}.{'b' * 20}{'c' * 60}"
    for name in (long, "\udfff" * 80, "\u0958" * 60):
        first, second = safe_names([UNSTORABLE.sub("\ufffd", name)] * 2, [None] * 2)
        assert check.is_called(first, name)
        assert check.is_called(second, name)
    assert not check.is_called("\N{THUMBS DOWN SIGN}.pdf", "\N{THUMBS UP SIGN}.pdf")


# RFC 8032, section 7.1, tests 1 to 3: secret key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "message", "signature"), VECTORS)
def test_signatures_are_those_of_rfc_8032(secret: str, message: str, signature: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).public_key().public_bytes_raw()
    assert check.is_signed(bytes.fromhex(message), bytes.fromhex(signature), key)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99), st.integers(0, 1023), st.booleans())
def test_signature_is_right_if_another_library_says_so(secret: bytes, text: bytes, bit: int, is_whole: bool) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    signed = bytearray(private.sign(text) + private.public_key().public_bytes_raw() + text)
    if not is_whole:
        signed[bit // 8 % len(signed)] ^= 1 << bit % 8
    signature, key, message = bytes(signed[:64]), bytes(signed[64:96]), bytes(signed[96:])
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        is_right = True
    except InvalidSignature:
        is_right = False
    try:
        assert check.is_signed(message, signature, key) == is_right
    except check.WrongError:  # the key is no point
        assert not is_right


def test_root_that_the_expert_got_elsewhere_is_compared(bags: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, output = answer(capsys, bags[0])
    assert (status, len(root := root_in(output))) == (0, 64)

    assert answer(capsys, bags[0], "--root", root)[0] == 0
    assert len(of_sha512 := root_in(answer(capsys, bags[1])[1])) == 128
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
    anchored = [each for each in said if "is everything of the request but its sealed values" in each]
    assert len(anchored) == 2  # one of them said nothing new
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
        assert b"signature and time stamps need the command openssl" not in done.stdout


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
