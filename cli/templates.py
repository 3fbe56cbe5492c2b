"""`cellar templates`: lists, shows and names templates, and carries their names to another installation."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from adapters.search.templates import every as every_template
from cli.options import person
from cli.results import print_found, print_list, say
from cli.terminal import Csv, Folds, Json, Wide, console, print_fitted, time_text
from models.access import CELLAR
from models.templates import TemplateWords
from models.views.templates import TemplateExport, TemplateSummary, TemplateView
from services import templates

app = typer.Typer(help="List, show and name templates: the forms of Cellosign.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="TEMPLATE", help="The id of the template.")]


def print_template(found: TemplateView) -> None:
    given = "" if found.is_named or not found.name.worded("en") else " (learned from signed documents)"
    say(f"{found.name.worded('en') or '–'}{given}")
    say(f"  template   {found.id}")
    say(f"  archives   {found.archives}")
    if found.first_at and found.last_at:
        say(f"  arrived    {time_text(found.first_at)} to {time_text(found.last_at)}")
    say(f"  title      {', '.join(found.words.title)}")
    say(f"  facets     {', '.join(found.words.facets) or '–'}")
    say(f"  retention  {found.words.retention or 'as its source says'}")
    if found.parts:
        rows = [
            (each.part, each.name.worded("en"), each.type, f"{each.filled:.0%}", "yes" if each.personal else "")
            for each in found.parts
        ]
        print_fitted(console(), ("part", Folds("name"), "type", "filled", "personal"), rows)
        say(f"Parts are learned from its newest archives ({found.learned_from}).")


@app.command("list")
def list_templates(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the templates with the most archives, and all that people have named."""
    heads = ("template", Folds("name"), "archives", "last")
    print_list(templates.listed(CELLAR), heads, _row, wide=wide, as_csv=as_csv, as_json=as_json)


def _row(found: TemplateSummary) -> tuple[object, ...]:
    return found.id, found.name.worded("en"), found.archives, time_text(found.last_at)


@app.command()
def show(template: Id, *, as_json: Json = False) -> None:
    """Show what was learned of a template, and what people say about it."""
    print_found(templates.view(template, CELLAR), print_template, as_json=as_json)


@app.command()
def name(
    template: Id,
    *,
    en: Annotated[str | None, typer.Option("--en", help="The name in English.")] = None,
    he: Annotated[str | None, typer.Option("--he", help="The name in Hebrew.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Name a part of it instead: field:ID or label:KEY.", show_default=False)
    ] = None,
    retention: Annotated[
        str | None,
        typer.Option(help="How long its archives are kept, like `erase after 7 years`; see docs/erasure.md."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Name a template, a field or a label, or say how long archives are kept.

    A language that is left out keeps its name; an empty name, or an empty rule, is removed.
    """
    if en is None and he is None and retention is None:
        raise typer.BadParameter("expected --en or --he, with a name, or --retention")
    words = templates.words_of(template).model_dump()
    words["retention"] = words["retention"] if retention is None else retention or None
    named = words if part is None else words["parts"].setdefault(part, {})
    given = {language: text or None for language, text in (("en", en), ("he", he)) if text is not None}
    named["name"] = named.get("name", {}) | given
    _name({template: words})
    print_found(templates.view(template, CELLAR), print_template, as_json=as_json)


@app.command()
def export(to: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None) -> None:
    """Export what people say about all templates as JSON, for `cellar templates import` elsewhere."""
    words = {id_: each.words for id_, each in every_template().items()}
    text = TemplateExport(templates=words).model_dump_json(indent=1, exclude_defaults=True)
    if to:
        to.write_text(text + "\n", encoding="utf-8")
    else:
        typer.echo(text)


@app.command("import")
def import_templates(file: Annotated[Path, typer.Argument(help="A file of `cellar templates export`.")]) -> None:
    """Import what people say about templates. Templates that the file does not name keep their words."""
    try:
        found = TemplateExport.model_validate_json(file.read_bytes(), extra="forbid")
    except ValidationError as error:  # its own text would repeat what is in the file
        wrong = "; ".join(": ".join([*map(str, each["loc"]), each["msg"]]) for each in error.errors())
        raise typer.BadParameter(f"{file}: expected a file of `cellar templates export`; {wrong}") from error
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error
    _name(found.templates)
    typer.echo(f"{len(found.templates)} templates are named")


def _name(given: Mapping[str, object]) -> None:
    try:
        words = {id_: TemplateWords.model_validate(each) for id_, each in given.items()}
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    templates.name(words, person(), datetime.now(UTC))
