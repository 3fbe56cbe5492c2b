"""Which values of an archive are personal, and how viewers see these: as the same mark, also where there is none.

People say of fields and labels. Where nobody says, a part is personal if its template's values are, if its own value
looks so, or if it names a person of the archive. People, their texts and their files are always personal. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from pydantic import BaseModel

from domain.search import normalised
from models.archive.archive import Archive, Difference, DifferenceKind, Values
from models.archive.verdict import SignatureVerdict, Verdict
from models.discrepancies import DiscrepancyCode
from models.templates import PartId, TemplateWords
from models.views.archives import archives as views
from models.views.archives.holds import HoldView
from models.views.archives.payments import DiscrepancyView, PaymentView
from models.views.batch import BatchView
from models.views.messages import MessageRecord
from models.views.templates import TemplateView
from models.views.troubles import MissingView, RefusedView

MASK = "•••"
UNMASKABLE = ("fields", "files", "payments", "sessions", "signatures")
"""The lists of an archive of which a viewer is given single values."""
PERSONAL_TYPES = frozenset({"location", "geolocation", "signature", "initials", "email", "phone"})
PERSONAL = re.compile(
    r"(?<![^@\s])[^@\s]+@[^@\s]+\.\w+"  # a mail address, looked for once in a word, however long it is
    r"|\+?\(?\d[\d\s().\-]{7,16}\d"  # a phone number, also an identity number
    r"|-?\d{1,3}\.\d{3,},\s*-?\d{1,3}\.\d{3,}"  # coordinates
)
_MOST_SIGNS, _MOST_WORDS = 5000, 2000
"""A longer value, and any value beside more words of names, counts as personal, since comparing would take long."""
Item = TypeVar("Item", bound=BaseModel)
_WORD = re.compile(r"[^\W_]{2,}")
_OF_PEOPLE = frozenset(
    [
        *("author", "card_last4", "card_mask", "filename", "integrations", "media_type"),
        *("recipient", "signed_by", "submission_details"),
    ]
)
_FILTERS_OF_PEOPLE = frozenset(["q", "signer", "filename", "label", "field"])
"""The filters of archives whose values may be personal."""
_OF_CARDS = frozenset({DiscrepancyCode.CARD_CONFLICT, DiscrepancyCode.CARD_EXPIRED})


@dataclass(frozen=True, slots=True)
class Personal:
    """What is personal in an archive, by what people say about its template, what its newest archives show (`learned`),
    and the words of the names of its people.
    """

    words: TemplateWords
    learned: frozenset[PartId] = frozenset()
    people: frozenset[str] = frozenset()

    def has(self, part: str, value: Any, type_: str | None = None) -> bool:
        """Return whether the value of a field or a label is personal."""
        if self.words.is_public(part):
            return False
        said = self.words.parts.get(part)
        is_said = said is not None and bool(said.personal)
        return is_said or part in self.learned or (type_ or "").lower() in PERSONAL_TYPES or self._looks_so(value)

    def _looks_so(self, value: Any) -> bool:
        text = ", ".join(_texts_in(value))
        if len(text) > _MOST_SIGNS or len(self.people) > _MOST_WORDS:
            return True
        found = normalised(text)
        words = set(_WORD.findall(found))
        return bool(PERSONAL.search(text)) or any(each in (found if len(each) > 2 else words) for each in self.people)

    def shown(self, part: str, value: Any, type_: str | None = None) -> Any:
        """Return the value of a field or a label as viewers see it."""
        return MASK if self.has(part, value, type_) else value


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts and numbers of a JSON value, and the names of its members."""
    if isinstance(value, dict):
        value = [each for member in value.items() for each in member]
    if isinstance(value, list):
        for each in value:
            yield from _texts_in(each)
    elif value is not None:
        yield str(value)


def words_of_names(names: Iterable[str | None]) -> frozenset[str]:
    """Return the words of names of people, as texts are compared with these. Of a mail address, the host is no name."""
    return frozenset(word for each in names for word in _WORD.findall(normalised((each or "").partition("@")[0])))


def with_versions(personal: Personal, versions: Iterable[Archive]) -> Personal:
    """Return what is personal in versions of an archive: also what names people, or has a personal type, in any."""
    learned, people = set(personal.learned), set(personal.people)
    for its in versions:
        people |= words_of_names(name for each in its.sessions for name in (each.author, each.recipient_name))
        people |= words_of_names(each.signer_name for each in its.signatures)
        nameless = count()  # as differences name these
        keys = [f"field[{next(nameless)}]" if each.id is None else each.id for each in its.fields]
        types = ((each.type or "").lower() for each in its.fields)
        learned |= {f"field:{key}" for key, type_ in zip(keys, types, strict=True) if type_ in PERSONAL_TYPES}
    return replace(personal, learned=frozenset(learned), people=frozenset(people))


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
    changed: dict[str, Any] = {}
    match item:
        case views.FieldView():
            if personal.has(f"field:{item.id}", [item.value, item.meta], item.type):
                changed = {"value": MASK, "meta": {}, "latitude": None, "longitude": None}
        case views.SessionView():
            changed = {name: _all_masked(getattr(item, name)) for name in ("recipient", "submission_details")}
            changed |= {"author": MASK, "labels": _labels(item.labels, personal)}
            changed["integrations"] = [each.model_copy(update={"error": MASK}) for each in item.integrations]
        case views.SignatureView():
            changed = {"signed_by": _all_masked(item.signed_by), "labels": _labels(item.labels, personal)}
        case views.FileView():
            changed = {"filename": MASK, "media_type": MASK}
        case PaymentView():
            changed = {"card_mask": MASK, "card_last4": MASK}
        case views.WarningView() if item.values:
            changed = {"detail": MASK, "values": {}}
        case views.JudgementView():
            changed = {"verdict": _masked_verdict(item.verdict)}
        case _:
            changed = _masked_beside(item)
    return item.model_copy(update=changed)


def _masked_beside(item: BaseModel) -> dict[str, Any]:
    """Return what viewers see otherwise of findings, of remarks of people, and of what they searched."""
    changed: dict[str, Any] = {}
    match item:
        case DiscrepancyView():
            changed = {"explanation": item.explanation and item.explanation.model_copy(update={"why": MASK})}
            if item.code == DiscrepancyCode.FIELD_WITHOUT_PAYMENT:  # its transaction is what was typed into a field
                changed["transaction_id"] = MASK
            if item.code in _OF_CARDS:
                changed |= dict.fromkeys(("expected", "found", "sentence"), MASK) | {"values": {}}
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


def masked_difference(found: Difference, personal: Personal) -> Difference:
    """Return a difference between two versions as viewers see it: that a personal member differs, not from what."""
    values = [[each.before, each.after] for name, each in found.members.items() if _is_of_value(name)]
    hidden = found.kind is DifferenceKind.FIELD and personal.has(f"field:{found.key}", values)
    members = {
        name: Values(MASK, MASK) if (hidden and _is_of_value(name)) or _is_personal(name, each, personal) else each
        for name, each in found.members.items()
    }
    return replace(found, members=members)


def _is_of_value(name: str) -> bool:
    return name.partition(".")[0] in ("value", "meta", "latitude", "longitude")


def _is_personal(name: str, values: Values, personal: Personal) -> bool:
    member, _, key = name.partition(".")
    if member == "labels":
        return personal.has(f"label:{key}", [values.before, values.after])
    return member in _OF_PEOPLE


def _labels(labels: Mapping[str, Any], personal: Personal) -> dict[str, Any]:
    return {key: personal.shown(f"label:{key}", value) for key, value in labels.items()}


def _all_masked(members: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(members, MASK)


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
