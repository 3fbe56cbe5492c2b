"""Reads validation reports by another program's schema: pyHanko's bindings, made from that of ETSI TS 119 102-2."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any
from xml.etree import ElementTree

from pyhanko.generated.etsi.ts_11910202 import ValidationReport
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.serializers import XmlSerializer

_SCHEMA = XmlContext()
"""What the bindings say, read once: else each report would take longer than its verdict."""


def read(report: bytes) -> list[tuple[str, str | None]]:
    """Return the main indication and the sub-indication of each signature, after proving that the report is valid.

    Unknown elements, attributes and values are errors. Written again in the order of the schema, it has the same
    elements in the same order. There is no report of no bytes.
    """
    if not report:
        return []
    parsed = XmlParser(context=_SCHEMA).from_bytes(report, ValidationReport)
    assert list(_lacking(parsed)) == []
    assert _tags(XmlSerializer(context=_SCHEMA).render(parsed)) == _tags(report)
    found = []
    for each in parsed.signature_validation_report:
        status = each.signature_validation_status
        assert status is not None
        assert len(status.sub_indication) <= 1
        assert status.main_indication is not None
        found.append((_name(status.main_indication), next(map(_name, status.sub_indication), None)))
    return found


def _lacking(element: Any) -> Iterator[str]:
    for each in fields(element):
        value = getattr(element, each.name)
        if each.metadata.get("required") and value is None:
            yield f"{type(element).__name__}.{each.name}"
        for inner in value if isinstance(value, tuple) else (value,):
            if is_dataclass(inner):
                yield from _lacking(inner)


def _tags(xml: str | bytes) -> list[str]:
    return [each.tag for each in ElementTree.fromstring(xml).iter()]


def _name(urn: str) -> str:
    return urn.rpartition(":")[2]
