# mypy: disable-error-code="no-untyped-call"
"""Brings the cross-reference sections of a PDF into the form that the comparison of revisions needs.

pyHanko takes each section for a revision. A linearized file has two sections for its one first revision, and its first
trailer need not name the catalogue (ISO 32000-2, annex F). Writers also list entries as free again that were free
before, or that only hide objects from old viewers (7.5.8.4). Neither changes what a viewer shows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, TypeVar

from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject, Reference, TrailerReference
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef, XRefCache, XRefSection, XRefSectionData

Entry = TypeVar("Entry")

_LINEARIZED_WITHIN_BYTES = 1024
_PLACEHOLDERS = {0, 0xFFFF}
"""The generations by which a table lists an object as free that an old viewer is not to see."""


class Sections(XRefCache):
    """The sections of a reader, one for each revision. A reference to no object counts as old, not as an error."""

    def __init__(self, reader: PdfFileReader, sections: list[XRefSection]) -> None:
        super().__init__(reader, sections)
        self._removed: dict[int, set[Reference]] = {}

    def get_introducing_revision(self, ref: Reference) -> int:
        try:
            return int(super().get_introducing_revision(ref))
        except KeyError:
            return 0

    def get_last_change(self, ref: Reference) -> int:
        try:
            return int(super().get_last_change(ref))
        except KeyError:
            return 0

    def permit_removal(self, revision: int, removed: Iterable[Reference]) -> None:
        """Take no notice of these references in a revision that frees them."""
        self._removed.setdefault(revision, set()).update(removed)

    def refs_freed_in_revision(self, revision: int) -> set[Reference]:
        return super().refs_freed_in_revision(revision) - self._removed.get(revision, set())

    def explicit_refs_in_revision(self, revision: int) -> set[Reference]:
        return super().explicit_refs_in_revision(revision) - self._removed.get(revision, set())

    def hides_only_new_objects(self, revision: int) -> bool:
        """Return whether the hybrid part of a revision adds only objects that no table names elsewhere.

        Else an old viewer, which reads tables alone, shows an earlier object in place of the object that a new viewer
        shows, or viewers differ on which of two entries counts. PDFBox names each object in both parts alike.
        """
        data = self.get_xref_data(revision)
        if data.hybrid is None:
            return True
        hidden = data.hybrid.xref_data
        if hidden.freed.keys() & _in_use(hidden) or any(
            _is_in_use(self._xref_sections[:revision], number) for number in hidden.freed
        ):
            return False
        tables = [section.xref_data for section in self._xref_sections[:revision]]
        named = set().union(
            data.freed, *(table.standard_xrefs.keys() | table.xrefs_in_objstm.keys() for table in tables)
        )
        return all(
            data.standard_xrefs[number] == hidden.standard_xrefs.get(number)
            if number in data.standard_xrefs
            else number not in named
            for number in _in_use(hidden)
        )


class _Joined(XRefSectionData):
    """Two sections as one. The newer section is asked first."""

    def __init__(self, newer: XRefSectionData, older: XRefSectionData) -> None:
        super().__init__()
        self._newer, self._older = newer, older
        numbers = _in_use(newer) | newer.freed.keys()
        self.freed = _missing_in(numbers, older.freed) | newer.freed
        self.standard_xrefs = _missing_in(numbers, older.standard_xrefs) | newer.standard_xrefs
        self.xrefs_in_objstm = _missing_in(numbers, older.xrefs_in_objstm) | newer.xrefs_in_objstm
        self.explicit_refs_in_revision = older.explicit_refs_in_revision | newer.explicit_refs_in_revision
        self.obj_streams_used = older.obj_streams_used | newer.obj_streams_used
        self.hybrid = newer.hybrid or older.hybrid

    def try_resolve(self, ref: Reference | IndirectObject) -> int | ObjStreamRef | None:
        try:
            return self._newer.try_resolve(ref)
        except KeyError:
            return self._older.try_resolve(ref)


def arrange_sections(reader: PdfFileReader, file: BinaryIO) -> None:
    """Make one revision of the two sections of a linearized file, and leave out entries that free nothing."""
    sections = list(reader.xrefs._xref_sections)
    if _is_linearized(file, sections):
        first, second, *others = sections
        sections = [_joined(second, first), *others]
        _join_first_trailers(reader)
    for index, section in enumerate(sections):
        _leave_out_free(section.xref_data, sections[:index])
    reader.xrefs = Sections(reader, list(_with_true_sizes(sections)))


def _with_true_sizes(sections: Sequence[XRefSection]) -> Iterator[XRefSection]:
    """Yield each section with the size that its numbers need: some writers state more, and use the numbers later."""
    size = 0
    for section in sections:
        data, described = section.xref_data, section.meta_info
        hidden = _in_use(data.hybrid.xref_data) if data.hybrid else set()
        own = {described.stream_ref.idnum} if described.stream_ref else set()
        size = max(size, *(number + 1 for number in _in_use(data) | data.freed.keys() | hidden | own), 0)
        yield XRefSection(replace(described, size=min(size, described.size)), data)


def _is_linearized(file: BinaryIO, sections: Sequence[XRefSection]) -> bool:
    """Return whether the older of the first two sections lies behind the newer, as in no update."""
    if len(sections) < 2 or sections[0].meta_info.start_location < sections[1].meta_info.start_location:
        return False
    file.seek(0)
    return b"/Linearized" in file.read(_LINEARIZED_WITHIN_BYTES)


def _joined(newer: XRefSection, older: XRefSection) -> XRefSection:
    """Return both as one section that ends where the last of them ends, so that a signature must cover both."""
    described = replace(
        newer.meta_info,
        size=max(newer.meta_info.size, older.meta_info.size),
        end_location=max(newer.meta_info.end_location, older.meta_info.end_location),
    )
    return XRefSection(described, _Joined(newer.xref_data, older.xref_data))


def _join_first_trailers(reader: PdfFileReader) -> None:
    *others, newer, older = reader.trailer._trailer_revisions
    joined = DictionaryObject(dict(older) | dict(newer))
    joined.container_ref = TrailerReference(reader)
    reader.trailer._trailer_revisions = [*others, joined]


def _leave_out_free(data: XRefSectionData, earlier: Sequence[XRefSection]) -> None:
    hidden = data.hybrid.xref_data if data.hybrid else XRefSectionData()
    for number, generation in list(data.freed.items()):
        is_known = generation in _PLACEHOLDERS or not _names(hidden, number)
        if is_known and not _is_in_use(earlier, number):
            del data.freed[number]
            data.explicit_refs_in_revision.discard((number, generation - 1))


def _is_in_use(sections: Sequence[XRefSection], number: int) -> bool:
    for section in reversed(sections):
        data = section.xref_data
        if _names(data, number) or (data.hybrid and _names(data.hybrid.xref_data, number)):
            return True
        if number in data.freed:
            return False
    return False


def _names(data: XRefSectionData, number: int) -> bool:
    return number in data.standard_xrefs or number in data.xrefs_in_objstm


def _in_use(data: XRefSectionData) -> set[int]:
    return data.standard_xrefs.keys() | data.xrefs_in_objstm.keys()


def _missing_in(numbers: set[int], entries: dict[int, Entry]) -> dict[int, Entry]:
    return {number: entry for number, entry in entries.items() if number not in numbers}
