"""Files that a person sends with a form, shown first and taken in by a second form that sends the same files again.

Nothing waits in between: the second form has the digest of what was shown, and other files are refused. So nobody meets
a preview of another person, a killed receiver leaves nothing behind, and any receiver takes the second form.
"""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.console.frame.visits import CSRF, AnyVisitor, Form, checked
from api.gate import read_body
from domain.words.wording import N_
from models.errors import Refused

_MOST_BYTES, _MOST_PARTS = 8 << 20, 100
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
    if not request.headers.get("content-type", "").startswith("multipart/form-data;"):
        raise _no_form()
    body = await read_body(request, _MOST_BYTES)
    parser = MultiPartParser(request.headers, _whole(body), max_files=_MOST_PARTS, max_fields=_MOST_PARTS)
    parser.spool_max_size = _MOST_BYTES  # no file of a report on a disk
    try:
        parts = (await parser.parse()).multi_items()
    except (MultiPartException, UnicodeError) as error:  # also a character set that reads nothing
        raise _no_form() from error
    fields = [(name, each.replace("\0", "\ufffd")) for name, each in parts if isinstance(each, str)]
    sent = [await each.read() for _, each in parts if isinstance(each, UploadFile)]
    files = tuple(filter(None, sent))  # browsers send an empty file where none is chosen
    form = checked(Form(tuple(fields)), visitor)
    if not files:
        raise Refused("BAD_PARAMETER", _NO_FILE, where="file")
    named = ([each for each in fields if each[0] not in (CSRF, _SHOWN)], list(map(_digest, files)))
    return Upload(form, files, _digest(repr(named).encode()))


Uploaded = Annotated[Upload, Depends(_uploaded)]


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _no_form() -> Refused:
    return Refused("BAD_PARAMETER", "expected a form with files as browsers send it", where="body")
