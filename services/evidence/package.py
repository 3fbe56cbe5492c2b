"""Writes all that is kept of a person as one package: pages that say what stands where, and a bag for each archive."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from adapters.files.bag import Bag, BagFile, write_bags
from adapters.settings.settings import settings
from adapters.words.languages import texts
from domain.archive.file_names import safe_names
from domain.summary_page import page_name, person_page
from domain.words.wording import LANGUAGES
from models.access import Action, Caller
from models.errors import Conflict, Refused
from models.people import ActionKind
from models.views.person import NamedIn, PersonPackage
from services.access.log import record
from services.evidence.bag import bag_of, evidence, of_bytes
from services.people import actions
from services.views import person


def write_package(values: Sequence[str], to: Path, now: datetime, caller: Caller) -> PersonPackage:
    """Write the package of the person with these values into a new folder or zip, and return all that is in it.

    Each archive is proved. One that does not prove is there as far as it is found, and the pages say so. The others'
    data in the same archive are there too: whoever hands the package out judges that.

    Raises:
        Refused: a value is none; or as `write_bags`.
        Conflict: a file has changed while it was written.
        Transient: store, database or disk does not answer.
    """
    found = person.everything(person.wanted_of(values), caller)
    made = PersonPackage(**dict(found), values=list(values), holder=settings().holder, made_at=now)
    write_bags(to, _bags(made, caller), _pages(made))
    return made


def _bags(made: PersonPackage, caller: Caller) -> Iterator[Bag]:
    """Yield the bag of each archive, and note in `made` where it is."""
    for number, each in enumerate(made.items, 1):
        if each.named_in is not NamedIn.ARCHIVE:
            continue
        reference = str(each.reference)
        record(caller, Action.EXPORT_ARCHIVE, reference=reference)
        try:
            its = evidence(reference, each.receipt_id, made.made_at, caller, even_damaged=True)
        except (Conflict, Refused):  # the store has lost it, which `verify` reports
            each.is_damaged = True
            continue
        [name] = safe_names([f"{each.received_at:%Y-%m-%d} {number} {reference}"], [None])
        each.folder, each.is_damaged = f"archives/{name}/data/", bool(its.findings)
        each.files = [file.path for file in its.files if file.path.startswith("files/")]
        yield bag_of(its, f"archives/{name}/")
        actions.record([reference], ActionKind.EXPORT, caller.name, made.made_at)


def _pages(made: PersonPackage) -> Iterator[BagFile]:
    """Yield the pages, after all archives are written."""
    for language in LANGUAGES:
        yield of_bytes(page_name(language, "index"), person_page(made, language, texts(language)).encode())
    yield of_bytes("index.json", made.model_dump_json(indent=1, exclude={"next"}).encode())
