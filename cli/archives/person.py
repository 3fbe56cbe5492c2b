"""`cellar person`: finds all that is kept of a person, and writes it as one package."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapters.files.private import persons_files
from cli.options import shell
from cli.results import print_list, say
from cli.terminal import Json, time_text
from domain.titles import title_text
from domain.words.catalogue import word
from models.said import Said
from models.views.person import PersonFound, PersonPage
from services.evidence.package import write_package
from services.views import person as found_person

_HEADS = ("in", "reference", "received", "title", "stands")


def person(
    value: Annotated[list[str], typer.Argument(help="A mail address, phone or identity number of one person.")],
    *,
    to: Annotated[Path | None, typer.Option(help="Also write all of it as one package: a new folder or zip.")] = None,
    as_json: Json = False,
) -> None:
    """Find a person by mail, phone or identity number, in any spelling, and say where each stands.

    With --to, write the archives with their documents and proofs, and a page that people read without cellar.
    """
    page: PersonPage
    if to:
        with persons_files():
            page = write_package(value, to, datetime.now(UTC), shell())
        typer.echo(f"exported to {to}", err=as_json)
    else:
        page = found_person.everything(found_person.wanted_of(value), shell())
    print_list(page, _HEADS, _row, nothing="Nothing names this person.", as_csv=False, as_json=as_json)
    if page.not_indexed and not as_json:
        say(f"Archives that the search may miss until they are indexed: {page.not_indexed}")


def _row(found: PersonFound) -> tuple[object, ...]:
    stands = (" ".join([word(Said(f"stands_{each.stands}")), each.name]).rstrip() for each in found.places)
    title = title_text(found.archive.title) if found.archive else None
    kind = word(Said(f"named_in_{found.named_in}"))
    return kind, found.reference, time_text(found.received_at), title, ", ".join(dict.fromkeys(stands))
