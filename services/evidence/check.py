"""Check a bag of `cellar export`, and answer YES or NO.

    python3 check.py [FOLDER] [--root ROOT]

FOLDER is the unpacked bag; without it, the folder of this file. ROOT is a root that you got elsewhere, such as from a
notary, a newspaper or the other party. The exit status is 0 for YES and 1 for NO. The program needs Python 3.8 or later
and nothing else. It writes nothing and uses no network. With the command `openssl` (3.0 or later) it also checks the
signature and the time stamps.

A bag could contain a changed copy of this program. If you do not trust its sender, use a copy that you got elsewhere.

What is checked:
1. Files: each file has its digest in a manifest, no file is missing, and there is no other file (RFC 8493, BagIt).
2. Request: skeleton, cuts and files give the request as the sender sent it, whose SHA-256 is the receipt id.
3. Inventory: it names the receipt, and the parts of the request by their digests (OCFL 1.1).
4. Anchor: the leaf has the digest of the inventory, and a Merkle path leads from it to the statement (RFC 6962).
5. Signature (Ed25519) and time stamps (RFC 3161) of the statement.
"""

from __future__ import annotations

import argparse
import base64
import calendar
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
TAG_FILES = ["bag-info.txt", "bagit.txt", "check.py", MANIFEST]
LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\x7f\\%]+)")
CHUNK_BYTES = 1 << 20
SEALED_REQUEST = "request.sealed"
UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
OF_SEALED_VALUES = (
    "the request contains sealed values; this bag proves the stored parts, not the request; "
    "the holder can hand out the request with `cellar export --raw`"
)


class WrongError(Exception):
    """The bag is not as it was made."""


class NotCheckedError(Exception):
    """A check could not be made. The other checks still count."""


class Bag(NamedTuple):
    """A bag: its folder, the digests of its payload by path, and the root that the expert expects, or an empty text."""

    folder: Path
    digests: dict[str, str]
    expected_root: str

    def has(self, name: str) -> bool:
        return f"data/{name}" in self.digests

    def read(self, name: str) -> bytes:
        return (self.folder / "data" / name).read_bytes()

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    @property
    def receipt_id(self) -> str:
        return str(self.json("receipt.json")["document"]["reference"])

    def contents(self) -> dict[str, str]:
        """Return a path for each content of the request, by its digest."""
        return {sha256: path for path, sha256 in self.digests.items() if path.split("/")[1] in ("files", "contents")}


def expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise WrongError(f"{what}: expected {expected}, found {found}")


def digest_of(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk


# 1. Files


def read_manifest(path: Path) -> dict[str, str]:
    """Read a manifest in its one permitted form: a line for each path, in order, with two spaces and a line feed."""
    text = path.read_bytes().decode()
    found = [LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    digests = {each[2]: each[1] for each in found if each}
    written = "".join(f"{digests[each]}  {each}\n" for each in sorted(digests))
    if text != written or not digests:
        raise WrongError(f"{path.name} is not in the form in which cellar writes it")
    return digests


def files_below(folder: Path) -> Iterator[str]:
    """Yield each path of a folder. Folders that are empty, links and special files count as paths too."""
    for below, folders, names in os.walk(folder):
        place = Path(below)
        if not folders and not names and place != folder / "data":
            yield place.relative_to(folder).as_posix()
        for name in names + [each for each in folders if (place / each).is_symlink()]:
            yield (place / name).relative_to(folder).as_posix()


def check_files(bag: Bag) -> Iterator[str]:
    tags = read_manifest(bag.folder / TAG_MANIFEST)
    expect(sorted(tags), TAG_FILES, TAG_MANIFEST)
    bag.digests.update(read_manifest(bag.folder / MANIFEST))
    expected = {**bag.digests, **tags, TAG_MANIFEST: ""}
    found = set(files_below(bag.folder))
    for path in sorted(found ^ set(expected)):
        raise WrongError(f"a file is missing: {path}" if path in expected else f"an unknown file: {path}")
    for path, sha256 in sorted(expected.items()):
        place = bag.folder / path
        if place.is_symlink() or not place.is_file():
            raise WrongError(f"expected a file, found a link or a special file: {path}")
        if sha256 and digest_of(chunks(place)) != sha256:
            raise WrongError(f"a file was changed: {path}")
    expect((bag.folder / "bagit.txt").read_bytes(), DECLARATION, "bagit.txt")
    yield f"All {len(expected)} files are as they were when the bag was made, and there is no other file."


# 2. Request


def spelled(path: Path, spelling: dict[str, Any]) -> Iterator[bytes]:
    """Encode a file as base64, as the sender wrote it."""
    line, line_break = int(spelling.get("line", 0)), str(spelling.get("line_break", "")).encode()
    pad = str(spelling.get("pad", "="))
    signs = [("+", str(spelling.get("plus", "+"))), ("/", str(spelling.get("slash", "/"))), ("=", pad)]
    block, before = 3 * (line or 1) * max(1, CHUNK_BYTES // (line or 1)), b""  # a block ends with a line
    yield str(spelling.get("prefix", "")).encode()
    with path.open("rb") as file:
        while True:
            data = file.read(block)
            if not data:
                break
            text = base64.b64encode(data) if pad else base64.b64encode(data).rstrip(b"=")
            if line:
                text = before + line_break.join(text[at : at + line] for at in range(0, len(text), line))
                before = line_break
            for plain, written in signs:
                text = text.replace(plain.encode(), written.encode()) if written else text
            yield text
    if spelling.get("ends_with_break"):
        yield line_break


def rebuilt(bag: Bag, cuts: list[dict[str, Any]]) -> Iterator[bytes]:
    """Put the files back into the skeleton, each in the place where it was cut out."""
    skeleton, contents, position = bag.read("skeleton.json"), bag.contents(), 0
    for cut in cuts:
        yield skeleton[position : cut["offset"]]
        if cut["sha256"] not in contents:
            raise WrongError(f"the bag lacks a file of the request: {cut['sha256']}")
        yield from spelled(bag.folder / contents[cut["sha256"]], cut["spelling"])
        position = cut["offset"] + cut["length"]
    yield skeleton[position:]


def check_request(bag: Bag) -> Iterator[str]:
    if bag.has("damaged.json"):
        raise WrongError("the holder found this archive damaged and exported it nevertheless; see damaged.json")
    cuts = bag.json("cuts.json")["cuts"]
    of_contents = [cut for cut in cuts if cut["kind"] == "content"]
    for sha256 in sorted(set(bag.contents()) ^ {cut["sha256"] for cut in of_contents}):
        raise WrongError(f"the request and the bag differ in a file: {sha256}")
    if of_contents != cuts or SEALED_REQUEST in kept_parts(bag):
        raise NotCheckedError(OF_SEALED_VALUES)
    expect(digest_of(rebuilt(bag, cuts)), bag.receipt_id, "the SHA-256 of the request")
    yield "The request can be rebuilt, and its SHA-256 is the receipt id. So form, values and files are as sent."


# 3. Inventory


def version_of(bag: Bag) -> dict[str, Any]:
    """Return the version that the receipt made, or whose files the receipt has."""
    versions = bag.json("inventory.json")["versions"]
    if bag.has("delivery.json"):
        found = versions[f"v{bag.json('delivery.json')['version']}"]
    else:
        found = {each["message"]: each for each in versions.values()}[bag.receipt_id]
    return dict(found)


def kept_parts(bag: Bag) -> dict[str, str]:
    """Return the digests of the parts that the store keeps of the request, by name."""
    state = {path: sha256 for sha256, paths in version_of(bag)["state"].items() for path in paths}
    if not bag.has("delivery.json"):
        return state
    delivery = bag.json("delivery.json")
    expect(delivery["receipt_id"], bag.receipt_id, "the receipt in delivery.json")
    of_version = {path: sha256 for path, sha256 in state.items() if path not in ("skeleton.json", "cuts.json")}
    return {**{path: sha256 for path, sha256 in of_version.items() if path != SEALED_REQUEST}, **delivery["kept"]}


def check_inventory(bag: Bag) -> Iterator[str]:
    reference = json.loads(bag.read("skeleton.json"), strict=False)["reference"]
    expect(bag.json("inventory.json")["id"], object_id(reference), "the process of the inventory")
    contents = bag.contents()
    for path, sha256 in sorted(kept_parts(bag).items()):
        if path.startswith("files/"):
            expect(contents.get(sha256), contents.get(sha256, "a file"), sha256)
        elif path != SEALED_REQUEST:
            expect(bag.digests.get(f"data/{path}"), sha256, path)
    yield "The inventory of the store names this receipt, and all parts of the request by their digests."
    if bag.has("delivery.json"):
        yield "The request said the same as an earlier request, so the inventory names the files, and not the rest of it."


def object_id(reference: str) -> str:
    return f"urn:cellar:{urllib.parse.quote(reference, safe='')}"


# 4. Anchor


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_by_path(leaf: bytes, index: int, leaves: int, path: list[str]) -> str:
    """Return the root of the Merkle tree of `leaves` leaves, by the path from the leaf at `index`."""
    at, siblings = hashlib.sha256(b"\0" + leaf).digest(), [bytes.fromhex(each) for each in path]
    if not 0 <= index < leaves:
        raise WrongError("the Merkle path does not fit the tree")
    while leaves > 1:
        if index ^ 1 < leaves:
            sibling = siblings.pop(0)
            at = node(sibling, at) if index & 1 else node(at, sibling)
        index, leaves = index // 2, (leaves + 1) // 2
    expect(len(siblings), 0, "the rest of the Merkle path")
    return at.hex()


def check_anchor(bag: Bag) -> Iterator[str]:
    if not bag.has("proof/statement.json"):
        if bag.expected_root:
            raise WrongError("the archive was not anchored yet when the bag was made, so it has no root to compare")
        raise NotCheckedError("not anchored yet: nothing in this bag proves at what time the archive existed")
    leaf, place, statement = bag.read("proof/leaf.json"), bag.json("proof/path.json"), bag.json("proof/statement.json")
    inventory = bag.read("inventory.json")
    said = json.loads(leaf)
    expect(said["inventory_sha256"], hashlib.sha256(inventory).hexdigest(), "the inventory in the leaf")
    expect(said["key"].split("/")[1:4], tuples(json.loads(inventory)["id"]), "the object in the leaf")
    expect(bag.receipt_id in said["receipt_ids"], True, "the receipt is in the leaf")
    expect(root_by_path(leaf, place["index"], statement["leaves"], place["path"]), statement["root"], "the Merkle root")
    yield f"The archive is in anchor {statement['number']} of {statement['at']}."
    root = hashlib.sha256(bag.read("proof/statement.json")).hexdigest()
    if bag.expected_root:
        expect(root, bag.expected_root, "the root")
        yield f"The root is the root that you expect: {root}"
    else:
        raise NotCheckedError(f"the root was not compared; compare it with a root that you got elsewhere: {root}")


def tuples(of: str) -> list[str]:
    digest = hashlib.sha256(of.encode()).hexdigest()
    return [digest[:3], digest[3:6], digest[6:9]]


# 5. Signature and time stamps


def openssl(arguments: list[object], option: str) -> tuple[bool, str]:
    """Run a command of openssl, and return whether it succeeded, and its output. `option` is what it must know."""
    program = shutil.which("openssl")
    if program is None:
        raise NotCheckedError("openssl is not installed, so signature and time stamps were not checked")
    name = str(arguments[0])
    known = subprocess.run([program, name, "-help"], capture_output=True, check=False)
    if option.encode() not in known.stdout + known.stderr:
        raise NotCheckedError(
            f"openssl is too old for this check (it does not know {option}); use openssl 3.0 or later"
        )
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


def check_signature(bag: Bag) -> Iterator[str]:
    if not bag.has("proof/statement.json"):
        return
    proof = bag.folder / "data" / "proof"
    key, signature, statement = proof / "key.pem", proof / "statement.sig", proof / "statement.json"
    asked = ["pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", statement, "-sigfile", signature]
    is_right, _ = openssl([*asked], "-rawin")
    expect(is_right, True, "the signature of the anchor belongs to the key in the bag")
    lines = [line for line in bag.read("proof/key.pem").decode().split("\n") if line and not line.startswith("-")]
    fingerprint = hashlib.sha256(base64.b64decode("".join(lines))).hexdigest()
    yield f"The anchor is signed with the key in the bag, whose SHA-256 is {fingerprint}"


def check_time_stamps(bag: Bag) -> Iterator[str]:
    if not bag.has("proof/statement.json"):
        return
    tokens = [bag.folder / path for path in sorted(bag.digests) if path.startswith("data/proof/time-stamp-")]
    if not tokens:
        raise NotCheckedError("the anchor has no time stamp of an authority; its time is the holder's own word")
    proof = bag.folder / "data" / "proof"
    for token in tokens:
        _, text = openssl(["ts", "-reply", "-in", token, "-text"], "-attime")
        stated = re.search(r"^Time stamp: (.+)$", text, re.MULTILINE)
        if stated is None:
            raise WrongError(f"expected a time stamp: {token.name}")
        asked = ["ts", "-verify", "-data", proof / "statement.json", "-in", token, "-attime", seconds_of(stated[1])]
        roots = proof / "authorities.pem"
        is_right, _ = openssl([*asked, "-CAfile", roots, "-untrusted", roots], "-attime")
        expect(is_right, True, f"{token.name} is of this anchor, and of an authority in authorities.pem")
        yield f"An authority has confirmed the anchor at {stated[1]}. Make sure that you trust it: authorities.pem"


def seconds_of(stated: str) -> int:
    """Return a time as openssl writes it, such as `Nov 26 11:25:29 2026 GMT`, in seconds since 1970."""
    plain = re.sub(r"\.\d+", "", " ".join(stated.split()))
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    month, day, clock, year, _ = plain.split(" ")
    hour, minute, second = map(int, clock.split(":"))
    return calendar.timegm((int(year), months.index(month) // 3 + 1, int(day), hour, minute, second))


# The answer

CHECKS: list[Callable[[Bag], Iterator[str]]] = [
    *(check_files, check_request, check_inventory, check_anchor, check_signature, check_time_stamps)
]


def answer(bag: Bag, say: Callable[[str], object]) -> bool:
    """Make all checks, say what each has found, and return whether nothing was found wrong."""
    is_right = True
    for check in CHECKS:
        try:
            for text in check(bag):
                say(f"  checked      {text}")
        except NotCheckedError as error:
            say(f"  not checked  {error}")
        except WrongError as error:
            say(f"  WRONG        {error}")
            is_right = False
        except UNREADABLE as error:
            say(f"  WRONG        a file of the bag cannot be read ({type(error).__name__} in {check.__name__})")
            is_right = False
        if not is_right:
            return False
    return True


def shown(text: str) -> str:
    """Return a text for a terminal: characters that move or reverse text are written as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def main(arguments: list[str], write: Callable[[str], object]) -> int:
    parser = argparse.ArgumentParser(description="Check a bag of `cellar export`, and answer YES or NO.")
    parser.add_argument("folder", nargs="?", default=str(Path(__file__).resolve().parent), help="the unpacked bag")
    parser.add_argument("--root", default="", help="the root of an anchor that you got elsewhere")
    asked = parser.parse_args(arguments)
    bag = Bag(Path(asked.folder), {}, asked.root.strip().lower())
    write(f"Bag: {shown(str(bag.folder))}\n")
    is_right = answer(bag, lambda text: write(f"{shown(text)}\n"))
    if not is_right:
        write("\nNO. This bag is not a whole and unchanged export of an archive.\n")
        return 1
    write("\nYES. This bag is whole and unchanged, as far as it was checked.\n")
    write(f"Compare the receipt id with what the sender was answered: {bag.receipt_id}\n")
    return 0


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the terminal may not know Hebrew
    sys.exit(main(sys.argv[1:], sys.stdout.write))
