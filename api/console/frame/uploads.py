"""Files that a person sends with a form, shown first and taken in by a second form that sends the same files again.

Nothing waits in between: the second form has the digest of what was shown, and other files are refused. So nobody meets
a preview of another person, a killed receiver leaves nothing behind, and any receiver takes the second form.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from api.console.frame.visits import CSRF, AnyVisitor, Form, checked
from api.gate import read_body
from domain.words.wording import N_
from models.errors import Refused

_MOST_BYTES, _MOST_PARTS, _MOST_HEAD_BYTES = 8 << 20, 100, 4096
_BOUNDARY = re.compile(r'multipart/form-data; ?boundary="?([\w\'()+,./:=?-]{1,70})"?', re.ASCII)
_NAME = re.compile(rb'form-data; name="([^"\r\n]*)"(; filename=")?')
_NO_FILE = N_("Choose a file that is not empty.")
_OTHER_FILES = N_("These are not the files that were shown: preview them first.")
_SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Upload:
    """A form and its files, in their order; their names are dropped. `digest`: what the second form names it by."""

    form: Form
    files: tuple[bytes, ...]
    digest: str

    def is_second(self) -> bool:
        """Return whether what was shown is to be taken in. Raises Refused if something else was shown."""
        shown = self.form.text(_SHOWN)
        if shown and shown != self.digest:
            raise Refused("BAD_PARAMETER", _OTHER_FILES, where="file")
        return bool(shown)


async def _uploaded(request: Request, visitor: AnyVisitor) -> Upload:
    """Return what a page of ours sends.

    Raises Refused if it comes from elsewhere, is too large or too slow, is no form with files, or has no file.
    """
    if (boundary := _BOUNDARY.fullmatch(request.headers.get("content-type", ""))) is None:
        raise _no_form()
    body = await read_body(request, _MOST_BYTES)
    upload = await run_in_threadpool(_read, body, b"\r\n--" + boundary[1].encode())
    checked(upload.form, visitor)
    if not upload.files:
        raise Refused("BAD_PARAMETER", _NO_FILE, where="file")
    return upload


Uploaded = Annotated[Upload, Depends(_uploaded)]


def _read(body: bytes, delimiter: bytes) -> Upload:
    fields, files = list[tuple[str, str]](), list[bytes]()
    for head, content in _parts(body, delimiter):
        name = _NAME.search(head)
        if name is None or len(fields) + len(files) >= _MOST_PARTS:
            raise _no_form()
        if not name[2]:
            fields.append((name[1].decode(errors="replace"), content.decode(errors="replace").replace("\0", "\ufffd")))
        elif content:  # browsers send an empty file where none is chosen
            files.append(content)
    named = (
        [each for each in fields if each[0] not in (CSRF, _SHOWN)],
        [hashlib.sha256(each).digest() for each in files],
    )
    return Upload(Form(tuple(fields)), tuple(files), hashlib.sha256(repr(named).encode()).hexdigest())


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield head and content of each part. Raises Refused if the body does not begin and end as a form does."""
    at = len(delimiter) - 2 if body.startswith(delimiter[2:]) else len(body)
    while body[at : at + 2] == b"\r\n":
        begin = body.find(b"\r\n\r\n", at, at + _MOST_HEAD_BYTES) + 4
        end = body.find(delimiter, begin)
        if begin < 4 or end < 0:
            raise _no_form()
        yield body[at:begin], body[begin:end]
        at = end + len(delimiter)
    if body[at : at + 2] != b"--":
        raise _no_form()


def _no_form() -> Refused:
    return Refused("BAD_PARAMETER", "expected a form with files as browsers send it", where="body")
