"""Makes archives of any size to send. Only their references differ, so that sending costs little."""

import base64
import itertools
import json
import random
from dataclasses import dataclass
from pathlib import Path

_SAMPLE = Path(__file__).parent.parent / "docs" / "hello.json"
_REFERENCE_CHARACTERS = 12
_BLOCK_BYTES = 3 << 20  # a multiple of 3, so that a block of base64 ends without padding


@dataclass(frozen=True, slots=True)
class Template:
    """An archive without its reference."""

    before: bytes
    after: bytes

    def __len__(self) -> int:
        return len(self.before) + _REFERENCE_CHARACTERS + len(self.after)


_numbers = itertools.count(random.randrange(10**9))


def template(size_bytes: int, strings: int, *, is_escaped: bool = False) -> Template:
    """Return an archive of about `size_bytes`, nearly all in `strings` attachments; escaped, `/` is `\\/` as in PHP."""
    document = json.loads(_SAMPLE.read_bytes())
    empty = {"id": "A", "filename": "scan.png", "mimetype": "image/png", "content": "@content@"}
    document |= {"reference": "@reference@", "attachments": [empty] * strings}
    text = json.dumps({"reference": document.pop("reference")} | document).encode()
    content = _content(max(8, (size_bytes - len(text)) // strings - 4), is_escaped=is_escaped)
    before, _, after = text.partition(b"@reference@")
    parts = after.split(b"@content@")
    for number in range(strings):  # no two files are the same
        parts[number] += base64.b64encode(number.to_bytes(3)) + content
    return Template(before, b"".join(parts))


def body_parts(made: Template) -> tuple[bytes, bytes]:
    """Return a body that was never sent before, in two parts. All bodies share the second part."""
    return made.before + b"%0*d" % (_REFERENCE_CHARACTERS, next(_numbers)), made.after


def _content(characters: int, *, is_escaped: bool) -> bytes:
    block = _base64(_BLOCK_BYTES, is_escaped=is_escaped)
    blocks, rest = divmod(characters, len(block))
    return block * blocks + _base64(rest * _BLOCK_BYTES // len(block), is_escaped=is_escaped)


def _base64(size_bytes: int, *, is_escaped: bool) -> bytes:
    text = base64.b64encode(random.Random(17).randbytes(size_bytes))
    return text.replace(b"/", rb"\/") if is_escaped else text
