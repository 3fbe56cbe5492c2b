"""Check a bag of `cellar export`, and answer YES or NO.

    python3 check.py [FOLDER] [--root ROOT]

FOLDER is the unpacked bag; without it, the folder of this file. ROOT is the root of an anchor that you got elsewhere.
Exit status: 0 for YES, 1 for NO, 2 for wrong use. The program needs only Python 3.8 or later, writes no file and uses
no network. With `openssl` 3.0 or later it also checks time stamps. A bag could contain a changed copy of this program:
if in doubt, use a copy that you got elsewhere.

1. Files: each file has its digest in a manifest, no file is missing, and there is no other file (RFC 8493, BagIt).
2. Request: skeleton, cuts and files give the request as it was sent, and its SHA-256 is the receipt id.
3. Inventory: it names receipt, time of arrival, and parts of the request (OCFL 1.1).
4. Names: each file has the name, role and place that the request gives it, made safe for any system.
5. Anchor: its statement leads by a Merkle path to a leaf (RFC 6962), which has the digest of the inventory.
6. Signatures (Ed25519, RFC 8032): of the statement, and of the bag with its pages, by the key that the statement names.
   Neither may be missing.
7. Time stamps (RFC 3161): of the statement. A later anchor names one whose certificate has ended, and was made before.
"""

from __future__ import annotations

import argparse
import base64
import calendar
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import unicodedata
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST, TAG_MANIFEST, SEAL = "manifest-sha256.txt", "tagmanifest-sha256.txt", "tagmanifest-sha256.sig"
LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\x7f\\%]+)")
CHUNK_BYTES = 1 << 20
SKELETON, CUTS, SEALED_REQUEST, DELIVERY = "skeleton.json", "cuts.json", "request.sealed", "delivery.json"
STATEMENT, KEY, SIGNATURE = "proof/statement.json", "proof/key.pem", "proof/statement.sig"
LATER, RENEWALS, AUTHORITIES = "proof/later.jsonl", "proof/renewals.json", "proof/authorities.pem"
PEM = re.compile(rb"\A-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{59}=)\n-----END PUBLIC KEY-----\n\Z")  # of ed25519
OF_ED25519 = bytes.fromhex("302a300506032b6570032100")  # before the key itself
HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
OF_SEALED_VALUES = (
    "the request has sealed values: its other parts are proved, its holder gives it by `cellar export --raw`"
)
OF_NO_ANCHOR = "not anchored yet: nothing proves when the archive existed, and anybody may have made the bag's pages"
UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)


class WrongError(Exception):
    """The bag is not as it was made."""


class NotCheckedError(Exception):
    """A check cannot be made. The other checks still count."""


class Bag(NamedTuple):
    """A bag: its folder, the digests of its payload by path, and the root that the expert expects, or an empty text."""

    folder: Path
    digests: dict[str, str]
    expected_root: str

    def path(self, name: str) -> Path:
        return self.folder / "data" / name

    def has(self, name: str) -> bool:
        return f"data/{name}" in self.digests

    def json(self, name: str) -> Any:
        text = self.path(name).read_bytes()
        return json.loads(text, strict=False, parse_int=lambda digits: int(digits) if len(digits) < 20 else digits)

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


def chunks(path: Path, size_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(size_bytes), b"")


def read_manifest(path: Path) -> dict[str, str]:
    text = path.read_bytes().decode()
    digests = {each[2]: each[1] for each in map(LINE.fullmatch, text.split("\n")) if each}
    if not digests or text != "".join(f"{digests[each]}  {each}\n" for each in sorted(digests)):
        raise WrongError(f"{path.name} is not in the form in which cellar writes it")
    return digests


def check_files(bag: Bag) -> Iterator[str]:
    tags = read_manifest(bag.folder / TAG_MANIFEST)
    expect(sorted(tags), ["bag-info.txt", "bagit.txt", "check.py", MANIFEST], TAG_MANIFEST)
    bag.digests.update(read_manifest(bag.folder / MANIFEST))
    expected, below = {**bag.digests, **tags}, bag.folder.rglob("*")
    found = [each for each in below if each.is_symlink() or not each.is_dir() or not any(each.iterdir())]
    listed = {each.relative_to(bag.folder).as_posix() for each in found} - {TAG_MANIFEST, SEAL}
    for path in sorted(listed ^ set(expected)):
        raise WrongError(f"a file is missing: {path}" if path in expected else f"an unknown file or folder: {path}")
    for path, sha256 in sorted(expected.items()):
        place = bag.folder / path
        if place.is_symlink() or not place.is_file() or digest_of(chunks(place)) != sha256:
            raise WrongError(f"a file was changed: {path}")
    yield f"All {len(expected) + 1} files are as they were when the bag was made, and there is no other file."


def spelled(path: Path, spelling: dict[str, Any]) -> Iterator[bytes]:
    """Yield a file in base64, as the sender wrote it. Each block of the file gives whole lines."""
    plus, slash, pad = (str(spelling.get(name, usual)) for name, usual in (("plus", "+"), ("slash", "/"), ("pad", "=")))
    line, line_break = int(spelling.get("line", 0)), str(spelling.get("line_break", "")).encode()
    yield str(spelling.get("prefix", "")).encode()
    before = b""
    for block in chunks(path, 3 * (line or 1) * max(1, CHUNK_BYTES // (line or 1))):
        text = base64.b64encode(block) if pad else base64.b64encode(block).rstrip(b"=")
        if line:
            text = before + line_break.join(text[at : at + line] for at in range(0, len(text), line))
            before = line_break
        for plain, written in (("+", plus), ("/", slash), ("=", pad)):
            text = text.replace(plain.encode(), written.encode()) if written else text
        yield text
    if spelling.get("ends_with_break"):
        yield line_break


def rebuilt(bag: Bag, cuts: list[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the request: the skeleton, with each file back in the place where it was cut out."""
    skeleton, contents, position = bag.path(SKELETON).read_bytes(), bag.contents(), 0
    for cut in cuts:
        yield skeleton[position : cut["offset"]]
        yield from spelled(bag.folder / contents[cut["sha256"]], cut["spelling"])
        position = cut["offset"] + cut["length"]
    yield skeleton[position:]


def json_text(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def content_root(bag: Bag) -> str:
    """Return the Merkle root over texts, files and blinded digests of sealed values."""
    skeleton, parts, position = bag.path(SKELETON).read_bytes(), [], 0
    for cut in bag.json(CUTS)["cuts"]:
        is_file = cut["kind"] == "content"
        begin, position = position, cut["offset"] + cut["length"]
        parts.append(["text", hashlib.sha256(skeleton[begin:position]).hexdigest()])
        parts.append(["file", cut["sha256"], cut["spelling"]] if is_file else ["sealed", cut["blinded"]])
    parts.append(["text", hashlib.sha256(skeleton[position:]).hexdigest()])
    nodes = [hashlib.sha256(b"\0" + json_text(each)).digest() for each in parts]
    while len(nodes) > 1:
        pairs = [hashlib.sha256(b"\1" + nodes[at] + nodes[at + 1]).digest() for at in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[2 * len(pairs) :]
    return nodes[0].hex()


def check_request(bag: Bag) -> Iterator[str]:
    if bag.has("damaged.json"):
        raise WrongError("the holder found this archive damaged, and exported it nevertheless: see data/damaged.json")
    cuts = bag.json(CUTS)["cuts"]
    of_files = [cut for cut in cuts if cut["kind"] == "content"]
    for sha256 in sorted(set(bag.contents()) ^ {cut["sha256"] for cut in of_files}):
        raise WrongError(f"a file is not both in the request and in the bag: SHA-256 {sha256}")
    yield f"All parts of the request have the content root {content_root(bag)}"
    if of_files != cuts or SEALED_REQUEST in kept_parts(bag):
        raise NotCheckedError(OF_SEALED_VALUES)
    expect(digest_of(rebuilt(bag, cuts)), bag.receipt_id(), "the SHA-256 of the request")
    yield "The request can be rebuilt, and its SHA-256 is the receipt id: values and files are as they were sent."


def kept_parts(bag: Bag) -> dict[str, str]:
    """Return the digests of the parts of the request, by name: of those in the inventory, and in `delivery.json`."""
    versions, receipt_id = bag.json("inventory.json")["versions"], bag.receipt_id()
    delivery = bag.json(DELIVERY) if bag.has(DELIVERY) else None
    if delivery:
        expect(delivery["receipt_id"], receipt_id, DELIVERY)
        version = versions[f"v{delivery['version']}"]
    else:
        version = {each["message"]: each for each in versions.values()}[receipt_id]
    parts = {path: sha256 for sha256, paths in version["state"].items() for path in paths}
    if delivery:
        parts = {path: sha256 for path, sha256 in parts.items() if path not in (SKELETON, CUTS, SEALED_REQUEST)}
        parts.update(delivery["kept"])
    return parts


def check_inventory(bag: Bag) -> Iterator[str]:
    object_id = f"urn:cellar:{urllib.parse.quote(bag.json(SKELETON)['reference'], safe='')}"
    expect(bag.json("inventory.json")["id"], object_id, "the process in the inventory")
    contents = bag.contents()
    for path, sha256 in sorted(kept_parts(bag).items()):
        is_there = sha256 in contents if path.startswith("files/") else bag.digests.get(f"data/{path}") == sha256
        if path != SEALED_REQUEST and not is_there:
            raise WrongError(f"the bag has another file than the inventory: {path}")
    yield "The inventory of the store names this receipt, and the parts of the request by their digests."
    deliveries = [each["received_at"] for each in bag.json("receipt.json")["deliveries"]]
    for version in bag.json("inventory.json")["versions"].values():
        if version["message"] == bag.receipt_id():
            expect(version["created"] in (deliveries or version["created"]), True, "receipt.json has the arrival")
            yield f"The request arrived at {version['created']}."


NUMBER, EXTENSION = re.compile(r" \(\d+\)(?=(?:\.[^. ]{1,16})?\Z)"), re.compile(r"(?<=.)\.[^. ]{1,16}\Z|\Z", re.DOTALL)
LONG_NAME_BYTES = 180


def letters(name: str) -> str:
    """Return what no system forbids in a name: letters, digits, and signs that are no ASCII."""
    kept = (each for each in unicodedata.normalize("NFD", name) if not unicodedata.combining(each))
    return "".join(each for each in kept if each.isalnum() or (each > "\x7f" and each.isprintable()))


def is_called(name: str, called: str) -> bool:
    """Return whether a file of the bag is called as the request calls it, but for what a system may forbid, a number
    that tells it from others, and the end of a long name.
    """
    called = unicodedata.normalize("NFC", re.sub("[\0\ud800-\udfff]", "\ufffd", called))
    said, without_number = letters(called), NUMBER.sub("", name)
    if len(called.encode()) > LONG_NAME_BYTES:
        extension = EXTENSION.findall(without_number)[0]
        stem = without_number[: len(without_number) - len(extension)]
        return said.startswith(letters(stem)) and letters(extension) in said
    return said in (letters(name), letters(without_number)) or (not said and name.startswith("unnamed"))


def check_names(bag: Bag) -> Iterator[str]:
    request, cut = bag.json(SKELETON), [each["sha256"] for each in bag.json(CUTS)["cuts"] if "sha256" in each]
    attached = request.get("attachments")
    files = {path: sha256 for path, sha256 in sorted(bag.digests.items()) if path.startswith("data/files/")}
    named: set[str] = set()
    for place, file in enumerate([request.get("signed_document"), *(attached if isinstance(attached, list) else [])]):
        if isinstance(file, dict) and file.get("content") is not None:
            sha256, role = cut[int(file["content"])], f"attachment {place}" if place else "signed document"
            called = file["filename"] if isinstance(file.get("filename"), str) else ""
            paths = [path for path in files if files[path] == sha256 and is_called(path[len("data/files/") :], called)]
            expect(bool(paths), True, f"the bag has the {role} of the request under its name, {called!a}")
            named.update(paths)
            yield f"The request calls its {role} {called}; here it is {' or '.join(paths)}"
    theirs = {files[path] for path in named}  # of a key that the request repeats, the last one counts
    others = [path for path in files if files[path] in theirs and path not in named]
    expect(others, [], "files with a name that the request gives no file")


def root_of(text: bytes) -> str:
    """Return the root of the anchor whose statement has a text: its digest, by the algorithm that it names."""
    return HASHES[json.loads(text)["digest"]](text).hexdigest()


def merkle_root(leaf: bytes, place: dict[str, Any], statement: dict[str, Any]) -> str:
    """Return the root of the Merkle tree of a statement, by the place of a leaf: its index, and its path."""
    hashed, index, leaves = HASHES[statement["digest"]], place["index"], statement["leaves"]
    node, siblings = hashed(b"\0" + leaf).digest(), [bytes.fromhex(each) for each in place["path"]]
    if not 0 <= index < leaves:
        raise WrongError("the Merkle path does not fit the tree")
    while leaves > 1:
        if index ^ 1 < leaves:
            pair = [siblings.pop(0), node] if index & 1 else [node, siblings.pop(0)]
            node = hashed(b"\1" + pair[0] + pair[1]).digest()
        index, leaves = index // 2, (leaves + 1) // 2
    expect(len(siblings), 0, "the rest of the Merkle path")
    return node.hex()


def check_anchor(bag: Bag) -> Iterator[str]:
    if not bag.has(STATEMENT):
        parts = [path for path in bag.digests if path.startswith("data/proof/")]
        expect(parts + [SEAL] * (bag.folder / SEAL).exists(), [], "files of a proof whose statement is missing")
        if bag.expected_root:
            raise WrongError("no root can be compared: the archive was not anchored yet when the bag was made")
        raise NotCheckedError(OF_NO_ANCHOR)
    leaf, place, statement = bag.path("proof/leaf.json").read_bytes(), bag.json("proof/path.json"), bag.json(STATEMENT)
    said, inventory = json.loads(leaf), bag.path("inventory.json").read_bytes()
    object_digest = hashlib.sha256(json.loads(inventory)["id"].encode()).hexdigest()
    expect("".join(said["key"].split("/")[1:4]), object_digest[:9], "the object in the leaf")
    expect(said["inventory_sha256"], hashlib.sha256(inventory).hexdigest(), "the inventory in the leaf")
    expect(said["receipt_ids"].count(bag.receipt_id()), 1, "how often the leaf has the receipt id")
    expect(merkle_root(leaf, place, statement), statement["root"], "the root of the Merkle tree")
    if bag.has(DELIVERY):
        record = bag.json(DELIVERY)
        expect(record["content_root"], content_root(bag), "the content root in delivery.json")
        for kind, its in (("repeats", "version"), ("content", "content_root")):
            fact = hashlib.sha256(json_text([kind, bag.receipt_id(), record[its]])).hexdigest()[:32]
            expect(fact in said["facts"], True, f"the leaf has the {its} of delivery.json")
    is_sealed = any(each["kind"] != "content" for each in bag.json(CUTS)["cuts"])
    what = "everything of the request but its sealed values" if is_sealed else "all that the inventory names"
    yield f"In anchor {statement['number']} of {statement['at']} is {what}, as the bag has it."
    root = root_of(bag.path(STATEMENT).read_bytes())
    if not bag.expected_root:
        raise NotCheckedError(f"compare the root of the anchor with a root that you got elsewhere: {root}")
    expect(root, bag.expected_root, f"the root of anchor {statement['number']} (is yours of another anchor?)")
    yield f"The root of the anchor is the root that you expect: {root}"


P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, P - 2, P) % P


def point_of(encoded: bytes) -> tuple[int, ...]:
    """Return a point of the curve of Ed25519 by its 32 bytes, in extended coordinates (RFC 8032, 5.1.3)."""
    y, is_odd = int.from_bytes(encoded, "little") % 2**255, encoded[31] >> 7
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or y >= P or (is_odd and not x):
        raise WrongError("the key is no point of the curve")
    x = x if x % 2 == is_odd else P - x
    return x, y, 1, x * y % P


def added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = one[3] * 2 * CURVE_D * other[3], one[2] * 2 * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: tuple[int, ...]) -> tuple[int, ...]:
    found: tuple[int, ...] = (0, 1, 1, 0)
    while number:
        found = added(found, point) if number % 2 else found
        point, number = added(point, point), number // 2
    return found


def is_signed(text: bytes, signature: bytes, key: bytes) -> bool:
    """Return whether a key of 32 bytes proves an Ed25519 signature (RFC 8032, 5.1.7)."""
    factor, (x, y, _, xy) = int.from_bytes(signature[32:], "little"), point_of(key)
    if len(signature) != 64 or factor >= ORDER:
        return False
    said = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % ORDER
    base = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    x, y, z, _ = added(times(factor, base), times(said, (P - x, y, 1, P - xy)))
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    return (y + x % 2 * 2**255).to_bytes(32, "little") == signature[:32]


def check_signatures(bag: Bag) -> Iterator[str]:
    if not bag.has(STATEMENT):
        return
    [encoded], named, seal = PEM.findall(bag.path(KEY).read_bytes()), bag.json(STATEMENT)["key"], bag.folder / SEAL
    der = base64.b64decode(encoded)
    key = hashlib.sha256(der).hexdigest()
    expect(key, named, "the key that the anchor names")
    signed = {"anchor": (bag.path(STATEMENT), bag.path(SIGNATURE)), "bag": (bag.folder / TAG_MANIFEST, seal)}
    for name, (text, signature) in signed.items():
        if not signature.exists():
            raise WrongError(f"the {name} is not signed: anybody may have made its pages and times of arrival")
        is_right = der[:12] == OF_ED25519 and is_signed(text.read_bytes(), signature.read_bytes(), der[12:])
        expect(is_right, True, f"the signature belongs to the {name} and to the key in the bag")
        yield f"The {name} is signed with the key in the bag, whose SHA-256 is {key}"


def openssl(name: str, *arguments: object) -> tuple[bool, str]:
    """Run a command of openssl that knows `-attime`; return whether it succeeded, and its output."""
    program = shutil.which("openssl")
    known = subprocess.run([program, name, "-help"], capture_output=True, check=False) if program else None  # noqa: S603
    if program is None or known is None or b"-attime" not in known.stdout + known.stderr:
        raise NotCheckedError("time stamps need the command openssl, 3.0 or later")
    done = subprocess.run([program, name, *map(str, arguments)], capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


def check_stamps(bag: Bag) -> Iterator[str]:
    tokens = [path[len("data/") :] for path in sorted(bag.digests) if path.startswith("data/proof/time-stamp-")]
    if not (tokens and bag.has(AUTHORITIES)):
        raise NotCheckedError("no authority with a certificate in the bag has confirmed the time of an anchor")
    renewals = bag.json(RENEWALS) if bag.has(RENEWALS) else []
    texts = [bag.path(STATEMENT).read_bytes(), *(bag.path(LATER).read_bytes().splitlines() if renewals else [])]
    for before, text in enumerate(texts[1:]):
        expect(json.loads(text)["before"], root_of(texts[before]), "the anchor before")
    for each in renewals:
        expect(0 < each["named_in"] <= each["over"], True, "a later time stamp is of a later anchor")
        leaf, statement = each["leaf"].encode(), json.loads(texts[each["named_in"]])
        expect(merkle_root(leaf, each, statement), statement["root"], "the root of a later Merkle tree")
        renewed = digest_of(chunks(bag.path(each["renews"])))
        expect(json.loads(leaf)["inventory_sha256"], renewed, "a time stamp's leaf")
    stamps = [*((each, texts[0]) for each in tokens), *((each["token"], texts[each["over"]]) for each in renewals)]
    until: dict[str, int] = {}
    ended: list[str] = []
    for token, statement in reversed(stamps):
        _, shown = openssl("ts", "-reply", "-in", bag.path(token), "-token_out", "-text")  # the signed part
        stated = re.findall(r"^Time stamp: (\w+ +\d+ [\d:]+)(?:\.\d+)? (\d+) GMT$", shown, re.MULTILINE)
        moment = calendar.timegm(time.strptime(" ".join(stated[0]), "%b %d %H:%M:%S %Y"))
        files = ["-in", bag.path(token), "-CAfile", bag.path(AUTHORITIES), "-untrusted", bag.path(AUTHORITIES)]
        of_root = ["-verify", "-digest", root_of(statement), *files, "-attime"]
        is_right = openssl("ts", *of_root, moment)[0]
        expect(is_right, True, f"{token} belongs to the anchor and to an authority")
        if not openssl("ts", *of_root, until.get(token, int(time.time())))[0]:
            ended.append(token)
            continue
        until.update({each["renews"]: moment for each in renewals if each["token"] == token})
        said = f"confirmed anchor {json.loads(statement)['number']} at {' '.join(stated[0])} UTC"
        yield f"An authority of authorities.pem has {said}. Do you trust it?"
    if ended:
        raise NotCheckedError(f"certificates have ended, and no later time stamp renews them: {', '.join(ended)}")


def is_proved(bag: Bag) -> bool:
    """Make the checks up to the first that finds something wrong. Say what each has found."""
    checks = (check_files, check_request, check_inventory, check_names, check_anchor, check_signatures, check_stamps)
    for check in checks:
        try:
            for text in check(bag):
                say(f"  checked      {text}")
        except NotCheckedError as error:
            say(f"  not checked  {error}")
        except (WrongError, *UNREADABLE) as error:
            unreadable = f"{check.__name__} cannot read the bag ({type(error).__name__})"
            say(f"  WRONG        {error if isinstance(error, WrongError) else unreadable}")
            return False
    return True


def say(text: str) -> None:
    """Print a line. Characters that the terminal does not know, or that move or reverse text, become escapes."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    sys.stdout.write(shown.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding) + "\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check a bag of `cellar export`, and answer YES or NO.")
    parser.add_argument("folder", nargs="?", default=str(Path(__file__).resolve().parent), help="the unpacked bag")
    parser.add_argument("--root", default="", help="the root of an anchor that you got elsewhere")
    asked = parser.parse_args(arguments)
    bag = Bag(Path(asked.folder), {}, asked.root.strip().lower())
    if not any((bag.folder / name).exists() for name in ("bagit.txt", TAG_MANIFEST)):
        parser.error(f"expected the folder of an unpacked bag, got {asked.folder!a}")
    if not re.fullmatch("([0-9a-f]{64}){0,2}", bag.expected_root):
        parser.error("--root: expected the 64 or 128 hex digits of a root")
    say(f"The bag {bag.folder.resolve().name}:")
    if not is_proved(bag):
        say("NO. This bag is not proved to be a whole and unchanged export of an archive.")
        return 1
    say(f"Compare the receipt id with the answer that the sender has: {bag.receipt_id()}")
    say("YES. This bag is whole and unchanged, as far as it was checked.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
