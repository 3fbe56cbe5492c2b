"""How viewers see what is personal in an archive: as the same mark, also where there is no value. What is personal,
`domain/personal.py` decides. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from pydantic import BaseModel

from domain.personal import MASK, hides, is_part_personal, is_personal, part_of
from models.archive.archive import Archive, Difference, DifferenceKind, Values
from models.archive.verdict import SignatureVerdict, Verdict
from models.templates import PartId, TemplateWords
from models.views.archives import archives as views
from models.views.archives.holds import HoldView
from models.views.archives.payments import DiscrepancyView, PaymentView
from models.views.batch import BatchView
from models.views.messages import MessageRecord
from models.views.templates import TemplateView
from models.views.troubles import MissingView, RefusedView

UNMASKABLE = ("fields", "files", "payments", "sessions", "signatures")
"""The lists of an archive of which a viewer is given single values."""
Item = TypeVar("Item", bound=BaseModel)
_TABLES: Mapping[type[BaseModel], str] = {
    views.SessionView: "sessions",
    views.SignatureView: "signatures",
    views.FileView: "files",
    PaymentView: "payments",
    DiscrepancyView: "discrepancies",
}
"""Of which table the items of lists are."""
_FILTERS_OF_PEOPLE = frozenset(["q", "signer", "filename", "label", "field"])
"""The filters of archives whose values may be personal."""


@dataclass(frozen=True, slots=True)
class Personal:
    """What is personal in an archive, by what people say about its template, and by which parts are `chosen`."""

    words: TemplateWords
    chosen: frozenset[PartId] = frozenset()

    def has(self, part: PartId, value: Any, type_: str | None = None) -> bool:
        """Return whether the value of a field or a label is personal."""
        return is_part_personal(self.words, part, value, type_, self.chosen)

    def shown(self, part: PartId, value: Any, type_: str | None = None) -> Any:
        """Return the value of a field or a label as viewers see it."""
        return MASK if self.has(part, value, type_) else value


def declared_types(versions: Iterable[Archive]) -> Mapping[str, set[str | None]]:
    """Return the declared types of the fields of versions of an archive, by their ids as differences name these."""
    found = defaultdict[str, set[str | None]](set)
    for its in versions:
        nameless = count()
        for each in its.fields:
            found[f"field[{next(nameless)}]" if each.id is None else each.id].add(each.type)
    return found


@dataclass(frozen=True, slots=True)
class Hidden:
    """A masked value of an archive: its place, the member that it is in, and what tells it from others there."""

    place: str
    member: str
    name: str


def hidden_values(archive: views.ArchiveView, lists: Iterable[str]) -> Iterator[Hidden]:
    """Yield the masked values of the lists of an archive that a viewer sees."""
    for its in lists:
        for number, item in enumerate(getattr(archive, its)):
            shown = item.model_dump(mode="json")
            for member, value in shown.items():
                if value == MASK:
                    yield Hidden(f"{its}[{number}].{member}", member, shown.get("id") or str(number + 1))
                for key in [key for key, each in value.items() if each == MASK] if isinstance(value, dict) else ():
                    yield Hidden(f"{its}[{number}].{member}.{key}", member, key)


def masked_archive(archive: views.ArchiveView, lists: Iterable[str], personal: Personal) -> views.ArchiveView:
    """Return an archive as viewers see it. `lists` are the names of its lists. Its title is masked already."""
    changed: dict[str, Any] = {name: [masked(each, personal) for each in getattr(archive, name)] for name in lists}
    verdict = archive.signed_document_verdict
    return archive.model_copy(update=changed | {"signed_document_verdict": verdict and _masked_verdict(verdict)})


def masked(item: Item, personal: Personal) -> Item:
    """Return an item of a list of an archive, or something beside archives, as viewers see it."""
    changed = _of_columns(item)
    match item:
        case views.FieldView():
            part = part_of(item.id)
            if not personal.words.is_public(part):
                changed = {"meta": {}, "latitude": None, "longitude": None}
            changed["value"] = personal.shown(part, item.value, item.type)
        case views.SessionView():
            changed["labels"] = _labels(item.labels, personal)
            changed["integrations"] = [each.model_copy(update={"error": MASK}) for each in item.integrations]
        case views.SignatureView():
            changed["labels"] = _labels(item.labels, personal)
        case views.WarningView() if item.values:
            changed = {"detail": MASK, "values": {}}
        case views.JudgementView():
            changed = {"verdict": _masked_verdict(item.verdict)}
        case _:
            changed |= _masked_beside(item)
    return item.model_copy(update=changed)


def _of_columns(item: BaseModel) -> dict[str, Any]:
    """Return what stands in place of the personal columns of an item."""
    table = next((its for kind, its in _TABLES.items() if isinstance(item, kind)), None)
    if table is None:
        return {}
    code, values = getattr(item, "code", ""), {each: getattr(item, each) for each in type(item).model_fields}
    return {
        column: dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK
        for column, value in values.items()
        if is_personal(table, column) or hides(table, column, value, code)
    }


def _masked_beside(item: BaseModel) -> dict[str, Any]:
    """Return what viewers see otherwise of findings, of remarks of people, and of what they searched."""
    changed: dict[str, Any] = {}
    match item:
        case DiscrepancyView():
            changed = {"explanation": item.explanation and item.explanation.model_copy(update={"why": MASK})}
            if hides("discrepancies", "expected", item.expected, item.code):
                changed["values"] = {}
        case HoldView():
            changed = {"reason": MASK, "released_reason": item.released_reason and MASK}
        case MissingView() if item.closed_reason:
            changed = {"closed_reason": MASK}
        case RefusedView() if item.dismissed_why:
            changed = {"dismissed_why": MASK}
        case TemplateView():
            hidden = {each.part for each in item.parts if not item.words.is_public(each.part)}
            parts = [each.model_copy(update={"choices": []}) if each.part in hidden else each for each in item.parts]
            unnamed = {
                part: its if item.words.is_public(part) else its.model_copy(update={"values": {}})
                for part, its in item.words.parts.items()
            }
            words = item.words.model_copy(update={"parts": unnamed})
            changed = {"file_name": None, "parts": parts, "words": words}
        case BatchView():
            changed = {"filter": item.filter | dict.fromkeys(_FILTERS_OF_PEOPLE & item.filter.keys(), MASK)}
        case MessageRecord():
            changed = {"history": [each.model_copy(update={"answer": MASK}) for each in item.history]}
    return changed


def masked_difference(found: Difference, personal: Personal, types: Mapping[str, set[str | None]]) -> Difference:
    """Return a difference between two versions as viewers see it: that a personal member differs, not from what.

    Args:
        types: those that the fields of both versions are declared as.
    """
    part = part_of(found.key) if found.kind is DifferenceKind.FIELD else ""
    members = {
        name: Values(MASK, MASK) if _is_hidden(name, each, part, types.get(found.key, {None}), personal) else each
        for name, each in found.members.items()
    }
    return replace(found, members=members)


def _is_hidden(name: str, values: Values, part: PartId, types: Iterable[str | None], personal: Personal) -> bool:
    member, _, key = name.partition(".")
    both = values.before, values.after
    if part and member == "value":
        return any(personal.has(part, each, type_) for each in both for type_ in types)
    if part and member in ("meta", "latitude", "longitude"):
        return not personal.words.is_public(part)
    if member == "labels":
        return personal.has(f"label:{key}", both)
    return member == "integrations" or is_personal("", member) or any(hides("files", member, each) for each in both)


def _labels(labels: Mapping[str, Any], personal: Personal) -> dict[str, Any]:
    return {key: personal.shown(f"label:{key}", value) for key, value in labels.items()}


def _masked_verdict(verdict: Verdict) -> Verdict:
    changes = tuple(replace(each, before=MASK, after=MASK) for each in verdict.field_changes)
    words = tuple(replace(each, words=MASK) for each in verdict.covered)
    signatures = tuple(map(_masked_signature, verdict.signatures))
    return replace(verdict, field_changes=changes, covered=words, signatures=signatures)


def _masked_signature(signature: SignatureVerdict) -> SignatureVerdict:
    certificate = signature.certificate and replace(
        signature.certificate, subject=MASK, issuer=MASK, serial=MASK, sha256=MASK
    )
    return replace(signature, signer_name=MASK, signer_organization=MASK, certificate=certificate)
