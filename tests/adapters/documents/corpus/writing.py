# mypy: disable-error-code="no-untyped-call"
"""Appends updates to a PDF: by pyHanko, and byte by byte where pyHanko would not write such an update."""

import re
from collections.abc import Mapping
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, NameObject, NumberObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from adapters.documents.pdf.document import entry
from tests.adapters.documents.corpus.layouts import end, put

_IDENTIFIER = re.compile(rb"/ID ?\[ ?<[^]]*\]")
Writer = IncrementalPdfFileWriter


def field(writer: Writer, name: str) -> DictionaryObject:
    """Return a field by the last part of its name, and mark it as updated."""
    waiting = list(writer.root["/AcroForm"]["/Fields"])
    while waiting:
        found: DictionaryObject = waiting.pop(0).get_object()
        if "/T" in found and found["/T"] == name:
            writer.update_container(found)
            return found
        waiting.extend(entry(found, "/Kids") or ())
    raise KeyError(name)


def page(writer: Writer) -> DictionaryObject:
    """Return the first page, and mark it as updated."""
    node: DictionaryObject = writer.root["/Pages"]
    while "/Kids" in node:
        node = node["/Kids"][0]
    writer.update_container(node)
    return node


def names(**entries: Any) -> DictionaryObject:
    """Return a dictionary. Text becomes a name, a number a number, a list an array."""
    return DictionaryObject({NameObject(f"/{key}"): _object(value) for key, value in entries.items()})


def _object(value: Any) -> Any:
    if type(value) is str:
        return NameObject(f"/{value}")
    if type(value) is int:
        return NumberObject(value)
    if type(value) is list:
        return ArrayObject([_object(each) for each in value])
    return value


def startxref(pdf: bytes) -> int:
    return int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])


def size(pdf: bytes) -> int:
    return max(map(int, re.findall(rb"/Size (\d+)", pdf)))


def root(pdf: bytes) -> bytes:
    named: bytes = re.findall(rb"/Root (\d+ \d+ R)", pdf)[-1]
    return named


def appended(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    freed: Mapping[int, int] | None = None,
    trailer: bytes = b"",
    previous: int | None = None,
) -> bytes:
    """Append objects with a table byte by byte. `freed`: numbers with the generation of their free entries."""
    places: dict[int, int] = {}
    body = put(pdf if pdf.endswith(b"\n") else pdf + b"\n", objects.items(), places)
    lines = {number: b"%010d 00000 n \n" % place for number, place in places.items()}
    lines |= {number: b"%010d %05d f \n" % (0, generation) for number, generation in (freed or {}).items()}
    sections = b"".join(b"%d 1\n%b" % (number, lines[number]) for number in sorted(lines))
    total = max([size(pdf), *(number + 1 for number in lines)])
    before = startxref(pdf) if previous is None else previous
    kept = trailer + b"".join(re.findall(rb"/Encrypt \d+ 0 R", pdf)[-1:]) + b"".join(_IDENTIFIER.findall(pdf)[-1:])
    ending = b"trailer\n<</Size %d/Root %b/Prev %d%b>>\n" % (total, root(pdf), before, kept)
    return body + b"xref\n" + sections + ending + end(len(body))
