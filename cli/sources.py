"""`cellar sources`: adds, lists, changes, rotates and disables sources."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from cli.options import person, text_option, with_options
from cli.results import print_found, say
from cli.terminal import Csv, Folds, Json, Wide, cell, console, named_options, print_table, time_text
from models.errors import Refused
from models.sources import Source, StatedTerms
from models.views.sources import ListedSource, NewSecret, SecretView, Sources, SourceView
from services import sources
from services.sources import WithSecret
from services.views import source_list

_LISTED = ("source", Folds("state"), "archives", "last delivery", "time zone", "amounts", "purge h", "secrets")


def print_source(found: SourceView) -> None:
    stated = set(found.terms.stated)
    secrets = f"{_secrets(found)}{'' if found.created_at else ' (of the settings)'}"
    lines = {"source": found.name, "URL": found.url, "state": _state(found), "secrets": secrets}
    for name, value in found.terms.model_dump(exclude={"stated"}).items():
        text = ", ".join(value) if isinstance(value, list) else value
        lines[name.replace("_", " ")] = f"{text or '–'}{'' if name in stated else ' (default)'}"
    for name, text in lines.items():
        say(f"{name:18} {text}")


def print_new_secret(made: NewSecret) -> None:
    print_source(made.source)
    what_to_do = "Enter in Cellosign, as the URL and the secret of the webhook. The secret is shown this once:"
    console().print(Text(f"\n{what_to_do}"))
    say(f"  {made.source.url}")
    say(f"  {made.secret}")
    if made.source.terms.signature:
        console().print(Text(f"\nThe key that signs its bodies, in the header {made.source.terms.signature}:"))
        say(f"  {made.signing_key}")


def _row(found: ListedSource) -> list[object]:
    terms = found.terms
    purged = f"{terms.success_purge_h}/{terms.failure_purge_h}"
    counts = [found.archives, time_text(found.last_delivery_at)]
    return [found.name, _state(found), *counts, terms.timezone, terms.amount_unit, purged, _secrets(found)]


def _state(found: SourceView) -> str:
    return f"disabled {time_text(found.disabled_at)} by {found.disabled_by}" if found.disabled_at else "enabled"


def _secrets(found: SourceView) -> str:
    return "; ".join(map(_secret, found.secrets))


def _secret(secret: SecretView) -> str:
    used = f"used {time_text(secret.last_used_at)}" if secret.last_used_at else "unused"
    return f"{used}, until {time_text(secret.until)}" if secret.until else used


app = typer.Typer(
    help="Add, list and change sources: projects of Cellosign that send to URLs of their own.", no_args_is_help=True
)
R = TypeVar("R")
_UNSET = "settings"

Name = Annotated[str, typer.Argument(help="The name of the source: lower-case letters, digits and hyphens.")]


def _given(named: dict[str, str]) -> dict[str, str | None]:
    """Return the terms that were given. None: the default."""
    return {name: None if value == _UNSET else value for name, value in named.items()}


_with_terms = with_options([text_option(*each) for each in StatedTerms.model_fields.items()], _given)


@app.command()
@_with_terms
def add(given: Mapping[str, str | None], name: Name, *, as_json: Json = False) -> None:
    """Add a source. Prints its URL and its secret, which is not shown again. The receiver accepts it at once.

    A term that is left out is that of the settings, or the default.
    """
    _show_secret(_used(lambda: sources.add(name, _terms(given), person(), datetime.now(UTC))), as_json=as_json)


@app.command("list")
def list_sources(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the sources with their terms."""

    def _print(found: Sources) -> None:
        print_table(_LISTED, map(_row, found.items), wide=wide, as_csv=as_csv)
        for each in found.items:
            if each.clock_warning:
                typer.echo(cell(f"warning: {each.clock_warning}"), err=as_csv)

    print_found(source_list.all_sources(), _print, as_json=as_json)


@app.command()
def show(
    name: Name,
    *,
    signing_keys: Annotated[bool, typer.Option("--signing-keys", help="Print the keys that sign its bodies.")] = False,
    as_json: Json = False,
) -> None:
    """Show a source: its terms, and when each of its secrets was used last."""
    if signing_keys:
        for key in _used(lambda: sources.signing_keys(name)):
            say(key)
    else:
        print_found(_used(lambda: source_list.one_source(name)), print_source, as_json=as_json)


@app.command("set")
@_with_terms
def set_terms(given: Mapping[str, str | None], name: Name, *, as_json: Json = False) -> None:
    """Change terms of a source. The value `settings` returns a term to that of the settings, or to the default.

    Existing archives keep their times and amounts until they are run again.
    """
    if not given:
        raise typer.BadParameter("expected at least one term to change, like --timezone Asia/Jerusalem")
    _terms(given)
    changed = _used(lambda: sources.set_terms(name, given))
    _show(changed, as_json=as_json)
    if not as_json and given.keys() & {"timezone", "amount_unit"}:
        typer.echo(
            "Archives of this source were read with the terms before: `cellar verify` reports them until they are run "
            f"again. Plan it with the deployment rerun-archives, state completed and source {name}."
        )


@app.command()
def rotate(
    name: Name,
    *,
    overlap_h: Annotated[float, typer.Option(min=0, help="Hours for which earlier secrets stay valid.")] = 72,
    as_json: Json = False,
) -> None:
    """Create a new secret, and print it. It is not shown again. Earlier secrets stay valid for a while."""
    made = _used(lambda: sources.rotate(name, timedelta(hours=overlap_h), datetime.now(UTC)))
    _show_secret(made, as_json=as_json)


@app.command()
def disable(name: Name, *, as_json: Json = False) -> None:
    """Refuse deliveries of a source with 401, within seconds. Its archives stay."""
    _show(_used(lambda: sources.disable(name, person(), datetime.now(UTC))), as_json=as_json)


@app.command()
def enable(name: Name, *, as_json: Json = False) -> None:
    """Accept deliveries of a disabled source again."""
    _show(_used(lambda: sources.enable(name)), as_json=as_json)


def _terms(given: Mapping[str, str | None]) -> StatedTerms:
    with named_options():
        return StatedTerms.model_validate(given)


def _used(change: Callable[[], R]) -> R:
    """Make a change. A name that is wrong, taken or unknown is wrong use."""
    try:
        return change()
    except Refused as refused:
        raise typer.BadParameter(refused.detail) from refused


def _show(source: Source, *, as_json: bool) -> None:
    print_found(source_list.view_of(source), print_source, as_json=as_json)


def _show_secret(made: WithSecret, *, as_json: bool) -> None:
    key = sources.signing_key_of(made.source.secrets[0].sha256)
    shown = NewSecret(source=source_list.view_of(made.source), secret=made.secret, signing_key=key)
    print_found(shown, print_new_secret, as_json=as_json)
