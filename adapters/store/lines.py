"""Files of lines that can lose a line and still prove the others: those of `happened/` and `events/`.

A file is named by the SHA-256 over the SHA-256 digests of its lines. `{"erased": DIGEST}` stands in the place of an
erased line, so the name still proves the others. A tombstone has the digest, or somebody else has removed the line: the
checks of the store look.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from adapters.files.store import store
from adapters.store import seals
from models.errors import Conflict, Locked, System, Transient

_FROM_A_COPY = "put the file of a copy of the store in its place"
_ERASED = re.compile(rb'\{"erased": "([0-9a-f]{64}|[0-9a-f]{128})"\}')


@dataclass(frozen=True, slots=True)
class Erased:
    """What the tombstones of the store say: the digests of references, and what they keep of lines and leaves of
    anchors, each with whether its erasure has ended.
    """

    archives: Mapping[str, bool]
    lines: Mapping[str, bool]

    def knows(self, digest: str) -> bool:
        """Return whether a tombstone has a line or a leaf. Raises Locked if the key of the fingerprints is away."""
        return bool(self.lines) and kept_digest(digest) in self.lines

    def has_removed(self, digest: str) -> bool:
        """Return whether the erasure of a line or a leaf has ended. Without the key, nobody knows."""
        try:
            return bool(self.lines) and self.lines.get(kept_digest(digest), False)
        except Locked:
            return False


def kept_digest(digest: str) -> str:
    """Return what a tombstone keeps of a line or a leaf. It is keyed: whoever has the store and the database alone
    cannot make a tombstone that excuses what is missing. Raises Locked if the key is away.
    """
    return seals.quick_fingerprint(f"line:{digest}")


def name_of(text: bytes) -> str:
    """Return the name that proves the lines of a text, each of which ends with a line break."""
    digests = (erased_digest(each) or digest_of(each) for each in text.split(b"\n")[:-1])
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def digest_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def erased_text(digest: str) -> bytes:
    """Return what stands in the place of an erased line, or of an erased leaf of an anchor."""
    return json.dumps({"erased": digest}).encode()


def erased_digest(line: bytes) -> str | None:
    """Return the digest that stands in the place of an erased line; None for any other line."""
    found = _ERASED.fullmatch(line)
    return found[1].decode() if found else None


def read(
    key: str, text: bytes | None, erased: Erased | None = None, on_wrong: Callable[[str], None] = lambda _: None
) -> list[bytes]:
    """Return the lines of a file with this content that are left.

    Args:
        erased: what tombstones say; None if nobody asks whether the erased lines, and no other lines, are theirs.
        on_wrong: called with what is wrong by that. A line that was erased, and is back, is left out.

    Raises:
        Conflict: the file is missing, or has other lines than its name promises.
    """
    lines = [] if text is None else text.split(b"\n")
    if text is None or lines[-1] or name_of(text) != key.rpartition("/")[2].partition(".")[0]:
        raise Conflict(f"other content than its name promises; {_FROM_A_COPY}")
    owed = [digest for each in lines if (digest := erased_digest(each))]
    left = [each for each in lines if each and not erased_digest(each)]
    try:
        if erased and not all(map(erased.knows, owed)):
            on_wrong(f"a line was replaced, and no tombstone has it; {_FROM_A_COPY}")
    except Locked as error:
        on_wrong(str(error))
    still = [each for each in left if not erased.has_removed(digest_of(each))] if erased and erased.lines else left
    if len(still) < len(left):
        on_wrong("a line that was erased is back")
    return still


def erase_lines(key: str, digests: Collection[str]) -> None:
    """Replace the lines of a file that have these digests, durably. A tombstone has the digests already.

    Raises:
        Transient: the store does not answer, or another process has just changed the file.
    """
    before = store().found_bytes(key)
    if before is None:
        return
    lines = ((each, digest_of(each)) for each in before.split(b"\n"))
    after = b"\n".join(erased_text(digest) if digest in digests else each for each, digest in lines)
    if not store().replace_bytes(before, after, key):
        raise Transient("another process has just changed a file of lines; try again", system=System.STORE, key=key)
