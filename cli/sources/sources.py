"""`cellar sources`: adds, lists, changes, rotates and disables sources."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from cli.person import person
from cli.results import print_found
from cli.sources.source_pages import print_new_secret, print_source, print_sources
from cli.terminal import Json, named_options
from models.errors import Refused
from models.sources.source import Source, StatedTerms
from models.views.sources import NewSecret
from services.sources import registry
from services.sources.registry import WithSecret
from services.views import source_list

app = typer.Typer(
    help="Add, list and change the projects of Cellosign that send to URLs of their own.", no_args_is_help=True
)
R = TypeVar("R")
_UNSET = "settings"

Name = Annotated[str, typer.Argument(help="The name of the source: small letters, digits, hyphens.")]
Zone = Annotated[str | None, typer.Option(help="Time zone of its timestamps, like Asia/Jerusalem.")]
Unit = Annotated[str | None, typer.Option(help="Unit of its amounts: minor (agorot) or major (shekels).")]
SuccessPurge = Annotated[
    str | None, typer.Option("--success-purge-h", help="Hours until Cellosign deletes a process that succeeded.")
]
FailurePurge = Annotated[
    str | None, typer.Option("--failure-purge-h", help="Hours until Cellosign deletes a process that failed.")
]
Within = Annotated[
    str | None, typer.Option("--archived-within-s", help="Seconds after which a submitted process is missing.")
]
Overlap = Annotated[float, typer.Option("--overlap-h", min=0, help="Hours that the secrets before it stay valid.")]
Unknown = Annotated[str | None, typer.Option(help="What becomes of events of an unknown type: keep or refuse.")]


@app.command()
def add(  # noqa: PLR0913 -- an option per term
    name: Name,
    *,
    timezone: Zone = None,
    amount_unit: Unit = None,
    success_purge: SuccessPurge = None,
    failure_purge: FailurePurge = None,
    archived_within: Within = None,
    unknown_events: Unknown = None,
    as_json: Json = False,
) -> None:
    """Add a source. Prints its URL, and its secret this once. The receiver accepts it at once.

    A term that is left out is that of the settings.
    """
    given = _given(timezone, amount_unit, success_purge, failure_purge, archived_within, unknown_events)
    _show_secret(_used(lambda: registry.add(name, _terms(given), person(), _now())), as_json=as_json)


@app.command("list")
def list_sources(*, as_json: Json = False) -> None:
    """List the sources with their terms."""
    print_found(source_list.all_sources(), print_sources, as_json=as_json)


@app.command("set")
def set_terms(  # noqa: PLR0913 -- an option per term
    name: Name,
    *,
    timezone: Zone = None,
    amount_unit: Unit = None,
    success_purge: SuccessPurge = None,
    failure_purge: FailurePurge = None,
    archived_within: Within = None,
    unknown_events: Unknown = None,
    as_json: Json = False,
) -> None:
    """Change terms of a source. The value `settings` makes a term that of the settings again.

    Archives keep the times and amounts that they were read with until they are run again.
    """
    given = _given(timezone, amount_unit, success_purge, failure_purge, archived_within, unknown_events)
    if not given:
        raise typer.BadParameter("expected at least one term to change, like --timezone Asia/Jerusalem")
    _terms(given)
    changed = _used(lambda: registry.set_terms(name, given))
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
    overlap: Overlap = 72,
    as_json: Json = False,
) -> None:
    """Make a new secret, and print it this once. The secrets before it stay valid for a while."""
    made = _used(lambda: registry.rotate(name, timedelta(hours=overlap), _now()))
    _show_secret(made, as_json=as_json)


@app.command()
def disable(name: Name, *, as_json: Json = False) -> None:
    """Refuse deliveries of a source with 401, within seconds. Its archives stay."""
    _show(_used(lambda: registry.disable(name, person(), _now())), as_json=as_json)


@app.command()
def enable(name: Name, *, as_json: Json = False) -> None:
    """Accept deliveries of a disabled source again."""
    _show(_used(lambda: registry.enable(name)), as_json=as_json)


def _given(*values: str | None) -> dict[str, str | None]:
    """Return the terms that were given, by name. None: that of the settings."""
    named = zip(StatedTerms.model_fields, values, strict=True)
    return {name: None if value == _UNSET else value for name, value in named if value is not None}


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
    shown = NewSecret(source=source_list.view_of(made.source), secret=made.secret)
    print_found(shown, print_new_secret, as_json=as_json)


def _now() -> datetime:
    return datetime.now(UTC)
