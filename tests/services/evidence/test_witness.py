"""An auditor's `witness.py` follows anchors, and finds each that does not extend its notes."""

import base64
import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_httpserver import HTTPServer
from werkzeug import Response

from adapters.anchors import anchors
from adapters.anchors.leaves_file import written
from adapters.files.store import storage_at
from adapters.settings.settings import settings
from models.access import Role
from models.store.anchor import Digest, Statement
from services.access import tokens
from services.evidence import witness
from tests.api.conftest import Receiver, receiver
from tests.conftest import LONGEST_S
from tests.installations import closed_url, installed
from tests.services.people.conftest import Mailbox, mailbox

__all__ = ["mailbox", "receiver"]
SOURCE = Path(witness.__file__)
DOCS = SOURCE.parents[2] / "docs" / "evidence.md"
NOW = datetime.now(UTC)


def anchored(folder: Path, number: int, before: str | None, at: datetime = NOW, key: str = "") -> str:
    """Make an anchor of no objects in a folder, and return its root. Every third has digests of SHA-512."""
    key = key or anchors.fingerprint(anchors.signed(b"")[1])
    with written([], Digest.SHA256 if number % 3 else Digest.SHA512) as leaves:
        made = Statement(number, at, 0, leaves.root, before, key, leaves.digest)
        return anchors.keep(storage_at(str(folder)), made, leaves).root


def statement_of(there: Path, number: int) -> Path:
    return there / "anchors" / f"{number:06}" / "statement"


def root_of(there: Path, number: int) -> str:
    return next(statement_of(there, number).parent.glob("*.pem")).stem


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a witness that has three anchors, and an auditor's notes of them."""
    folder = tmp_path_factory.mktemp("noted")
    with installed(folder):
        before = None
        for number in (1, 2, 3):
            before = anchored(folder / "there", number, before)
        assert witness.main([str(folder / "there"), str(folder / "notes")]) == 0
        yield folder


@pytest.fixture
def there(noted: Path, tmp_path: Path) -> Path:
    """A copy of the witness. The notes lie beside it."""
    shutil.copy(noted / "notes", tmp_path / "notes")
    return Path(shutil.copytree(noted / "there", tmp_path / "there"))


def answer(capsys: pytest.CaptureFixture[str], there: Path, *options: str) -> tuple[int, str]:
    status = witness.main([str(there), str(there.with_name("notes")), *options])
    return status, capsys.readouterr().out


def _changed(there: Path) -> None:
    path = statement_of(there, 2)
    path.write_bytes(path.read_bytes().replace(b'"leaves":0', b'"leaves":1'))


def _exchanged(there: Path) -> None:
    """Make the last anchor again, with the key of the installation."""
    shutil.rmtree(statement_of(there, 3).parent)
    anchored(there, 3, root_of(there, 2), NOW + timedelta(seconds=1))


def _signed_otherwise(there: Path) -> None:
    root = anchored(there, 4, root_of(there, 3))
    (statement_of(there, 4).parent / f"{root}.signature").write_bytes(secrets.token_bytes(64))


def _named_otherwise(there: Path) -> None:
    anchored(there, 4, root_of(there, 3), key="0" * 64)


def _numbered_otherwise(there: Path) -> None:
    anchored(there, 5, root_of(there, 3))
    statement_of(there, 5).parent.rename(statement_of(there, 4).parent)


def _hostile(there: Path) -> None:
    path = statement_of(there, 4)
    path.parent.mkdir()
    path.write_text('{"number": 4, "before": "\u202e\u200b \\u001b[2J"}')


def _another_key(there: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_ANCHOR_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        settings.cache_clear()
        anchored(there, 4, root_of(there, 3))
    settings.cache_clear()


def _of_two_keys(there: Path) -> None:
    """Sign with a key that openssl finds in a file in which another program may find the honest one."""
    root, folder = anchored(there, 4, root_of(there, 3)), statement_of(there, 4).parent
    mine, path = Ed25519PrivateKey.generate(), folder / f"{root}.pem"
    lines = mine.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().splitlines()
    honest = path.read_text().splitlines()[1]
    path.write_text("".join(each.ljust(254) for each in ["junk", *lines]) + f"\n{honest}\nx\n")
    (folder / f"{root}.signature").write_bytes(mine.sign((folder / "statement").read_bytes()))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (
        lambda there: shutil.rmtree(statement_of(there, 2).parent),
        "anchor 2 is missing: anchor 3 comes instead",
    ),
    "made shorter": (lambda there: shutil.rmtree(statement_of(there, 3).parent), "anchors 3 to 3 are gone"),
    "all removed": (lambda there: shutil.rmtree(there / "anchors"), "anchors 1 to 3 are gone"),
    "changed": (_changed, "anchor 2 was exchanged"),
    "exchanged": (_exchanged, "anchor 3 was exchanged"),
    "forked": (lambda there: anchored(there, 4, root_of(there, 2)), "does not extend anchor 3"),
    "passed over": (
        lambda there: anchored(there, 5, root_of(there, 3)),
        "anchor 4 is missing: anchor 5 comes instead",
    ),
    "of another number": (_numbered_otherwise, "does not extend anchor 3"),
    "hostile to a terminal": (_hostile, "does not extend anchor 3"),
    "of another key": (_another_key, "has the key"),
    "of two keys": (_of_two_keys, "has the key"),
    "not signed": (_signed_otherwise, "has a signature that its key does not prove"),
    "of a key that is not named": (_named_otherwise, "has a signature that its key does not prove"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_anchors_that_do_not_extend_the_notes_are_found_each_time_and_not_noted(
    there: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    before = there.with_name("notes").read_bytes()
    assert answer(capsys, there)[0] == 0
    damage, expected = DAMAGES[what]
    damage(there)

    for _ in range(2):
        status, output = answer(capsys, there)
        assert (status, expected in output, output.isascii()) == (1, True, True), output
    assert there.with_name("notes").read_bytes() == before


def test_each_newer_anchor_is_noted_behind_the_notes(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = there.with_name("notes").read_bytes()
    root = anchored(there, 4, root_of(there, 3))

    status, output = answer(capsys, there)

    after = there.with_name("notes").read_bytes()
    assert (status, f"the newest noted anchor is 4, {root}" in output) == (0, True)
    assert (after.startswith(before), after.count(b"\n")) == (True, 4)


def test_changed_key_is_accepted_once_a_person_names_it(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _another_key(there)
    found = re.search(r"has the key (\w+), expected was (\w+)", answer(capsys, there)[1])
    assert found

    assert answer(capsys, there, "--key", found[2])[0] == 1
    assert answer(capsys, there, "--key", found[1])[0] == 0
    assert answer(capsys, there)[0] == 0


def test_anchor_that_is_too_old_is_found_by_its_own_time_and_by_that_of_its_note(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchored(there, 4, root_of(there, 3), NOW + timedelta(days=9))  # the clock of the insider is ahead
    notes = there.with_name("notes")
    assert answer(capsys, there)[0] == 0
    *lines, last = notes.read_text().splitlines()
    made = json.loads(last) | {"noted_at": time.time() - 3 * 3600}
    notes.write_text("".join(f"{each}\n" for each in (*lines, json.dumps(made))))
    assert answer(capsys, there)[0] == 0
    assert "no anchor is newer than 2.5 hours" in answer(capsys, there, "--hours", "2.5")[1]

    anchored(there, 5, root_of(there, 4), NOW - timedelta(hours=3))
    assert "no anchor is newer than 2 hours" in answer(capsys, there, "--hours", "2")[1]


def test_damaged_notes_prove_nothing(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = there.with_name("notes")
    first, _, third = notes.read_text().splitlines(keepends=True)
    for text, expected in ((first + third, "damaged at line 2"), (first[:-9] + "\n", "JSONDecodeError")):
        notes.write_text(text)
        status, output = answer(capsys, there)
        assert (status, expected in output, notes.read_text() == text) == (1, True, True)


def test_two_programs_at_once_do_not_both_write_the_notes(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with there.with_name("notes").open() as notes:
        fcntl.flock(notes, fcntl.LOCK_EX)
        assert (answer(capsys, there)[0], answer(capsys, there)[1].count("BlockingIOError")) == (1, 1)
    assert answer(capsys, there)[0] == 0


def test_hostile_server_gets_no_token_that_is_not_its_own_and_comes_to_an_end(
    there: Path, capsys: pytest.CaptureFixture[str], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITOR_TOKEN", "of the auditor")
    elsewhere = Response(status=302, headers={"location": "/elsewhere"})
    presented = httpserver.expect_request("/api/anchors", headers={"authorization": "Bearer of the auditor"})
    presented.respond_with_response(elsewhere)
    httpserver.expect_request("/elsewhere").respond_with_json({"items": [], "next": 7})

    for source, expected in ((httpserver.url_for(""), "IndexError"), ("http://127.0.0.1:x", "InvalidURL")):
        assert witness.main([source, str(there.with_name("notes"))]) == 1
        assert f"cannot go on ({expected})" in capsys.readouterr().out
    assert [request.headers.get("authorization", "") for request, _ in httpserver.log][1:] == [""]


def test_what_is_wrong_is_mailed(there: Path, capsys: pytest.CaptureFixture[str], mailbox: Mailbox) -> None:
    to = ("--mail", f"smtp://127.0.0.1:{mailbox.port}/auditor@example.com")
    assert (answer(capsys, there, *to)[0], mailbox.letters) == (0, [])
    shutil.rmtree(there)

    assert answer(capsys, there, *to)[0] == 1
    [letter] = mailbox.letters
    assert "To: auditor@example.com" in letter
    assert "WRONG: anchors 1 to 3 are gone" in letter
    away = f"smtp://{urlsplit(closed_url()).netloc}/auditor@example.com"
    assert witness.main([str(there), str(there.with_name("notes")), "--mail", away]) == 1
    assert "the mail was not sent (ConnectionRefusedError)" in capsys.readouterr().err


def test_wrong_use_is_refused(there: Path) -> None:
    for option in (["--mail", "auditor@example.com"], ["--hours", "long"], ["--keys", "1"]):
        with pytest.raises(SystemExit, match="2"):
            witness.main([str(there), str(there.with_name("notes")), *option])


def test_docs_follow_a_receiver_and_a_witness_on_a_machine_without_cellar(receiver: Receiver, tmp_path: Path) -> None:
    """The program runs as cron runs it, with a token of an auditor, over more than one page of anchors."""
    with installed(receiver.log.parent):
        before, token = None, tokens.add("auditor", Role.AUDITOR, None, None, "a test", NOW).token
        for number in range(1, 103):
            before = anchored(Path(settings().store_location), number, before)
    shutil.copytree(receiver.log.parent / "data" / "store" / "anchors", tmp_path / "there" / "anchors")
    shutil.copy(SOURCE, tmp_path)
    receiver.read(token)
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCS.read_text(), flags=re.DOTALL | re.MULTILINE)
    [commands] = [each for each in blocks if "witness.py" in each]
    [cron] = re.findall(r"^17 6 \* \* \* (.*)$", DOCS.read_text(), flags=re.MULTILINE)

    def _run(script: str) -> tuple[int, str]:
        for name, ours in (
            ("https://cellar.example.com", receiver.url),
            ("/mnt/witness", "there"),
            ("=TOKEN", "=" + token),
        ):
            script = script.replace(name, ours)
        command = ["bash", "-c", f'set -e; python3() {{ {sys.executable} -I -S "$@"; }}; {script}']
        done = subprocess.run(
            command,
            env={"PATH": os.defpath},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
        return done.returncode, done.stdout + done.stderr

    said = [f"{source}: the newest noted anchor is 102, {before}\n" for source in (receiver.url, "there")]
    assert _run(commands) == (0, "".join(said))
    notes = (tmp_path / "notes.jsonl").read_bytes()
    assert _run(cron) == (0, "")
    assert "HTTP Error 401" in _run(commands.replace("=TOKEN", "=WRONG"))[1]
    stored = receiver.log.parent / "data" / "store"
    statement_of(stored, 50).write_bytes(b"\xff damaged")
    shutil.rmtree(statement_of(stored, 102).parent)
    status, output = _run(commands)
    found = [each in output for each in ("anchor 50 was exchanged", "anchors 102 to 102 are gone")]
    assert (status, found) == (1, [True, True])
    assert ((tmp_path / "notes.jsonl").read_bytes(), notes.count(b"\n")) == (notes, 102)
