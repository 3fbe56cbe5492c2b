"""Writes all that is kept of a person as one package: pages that say what stands where, and a bag for each archive."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from adapters.files.bag import Bag, BagFile, write_bags
from adapters.settings.settings import settings
from adapters.words.languages import texts
from domain.archive.file_names import safe_names
from domain.summary_page import Package, Packed, page_name, person_page
from domain.words.wording import LANGUAGES
from models.access import Action, Caller
from models.errors import Conflict, Refused
from models.people import ActionKind
from models.views.person import NamedIn, PersonFound, PersonPage
from services import derived
from services.access.log import record
from services.evidence.bag import bag_of, evidence, of_bytes, of_json
from services.people import actions
from services.views import person

ARCHIVES = "archives"


def write_package(values: Sequence[str], to: Path, now: datetime, caller: Caller) -> PersonPage:
    """Write the package of the person with these values into a new folder or zip, and return all that is in it.

    Each archive is proved. One that does not prove is there as far as it is found, and the pages say so. The others'
    data in the same archive are there too: whoever hands the package out judges that.

    Raises:
        Refused: a value is none; or as `write_bags`.
        Conflict: a file has changed while it was written.
        Transient: store, database or disk does not answer.
    """
    packed: list[Packed] = []
    write_bags(to, _bags(values, now, caller, packed), _pages(Package(values, now, settings().holder), packed))
    return PersonPage(items=[each.found for each in packed], next=None, not_indexed=derived.lacking() or 0)


def _bags(values: Sequence[str], now: datetime, caller: Caller, packed: list[Packed]) -> Iterator[Bag]:
    for each in person.everything(person.wanted_of(values), caller).items:
        if each.named_in is NamedIn.ARCHIVE:
            yield from _bag(each, now, caller, packed)
        else:
            packed.append(Packed(each))


def _bag(found: PersonFound, now: datetime, caller: Caller, packed: list[Packed]) -> Iterator[Bag]:
    reference = str(found.reference)
    record(caller, Action.EXPORT_ARCHIVE, reference=reference)
    try:
        made = evidence(reference, found.receipt_id, now, caller, even_damaged=True)
    except (Conflict, Refused):  # the store has lost it, which `verify` reports
        packed.append(Packed(found, is_damaged=True))
        return
    [name] = safe_names([f"{found.received_at:%Y-%m-%d} {len(packed) + 1} {reference}"], [None])
    folder = f"{ARCHIVES}/{name}/"
    files = [each.path for each in made.files if each.path.startswith("files/")]
    yield bag_of(made, folder)
    packed.append(Packed(found, f"{folder}data/", files, is_damaged=bool(made.findings)))
    actions.record([reference], ActionKind.EXPORT, caller.name, now)


def _pages(made: Package, packed: Sequence[Packed]) -> Iterator[BagFile]:
    """Yield the pages, after all archives are written."""
    for language in LANGUAGES:
        yield of_bytes(page_name(language, "index"), person_page(made, packed, language, texts(language)).encode())
    items = [
        each.found.model_dump(mode="json") | {"folder": each.folder, "is_damaged": each.is_damaged} for each in packed
    ]
    yield of_json("index.json", {"values": made.values, "made_at": made.at.isoformat(), "items": items})
