"""`cellar tokens`: adds, lists and revokes the tokens of machines."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from adapters.settings.settings import settings
from cli.person import person
from cli.results import print_found, say
from cli.terminal import Csv, Folds, Json, Wide, print_table, time_text
from models.access import NewToken, Role, Tokens, TokenView
from models.errors import Refused
from models.views.parameters import read_moment
from services import sources
from services.access import tokens

app = typer.Typer(help="Add, list and revoke tokens of machines, each with a role.", no_args_is_help=True)
_LISTED = ("token", "role", "scope", Folds("state"), "last use", "created", "by")

Name = Annotated[str, typer.Argument(help="The name of the token, which records show: letters, digits, . _ and -.")]

OfSource = Annotated[str | None, typer.Option("--source", help="A clerk sees the archives of this source alone.")]
OfFacet = Annotated[
    str | None, typer.Option("--facet", help="A clerk sees the archives with this value alone, like branch=Haifa.")
]


def given_scope(source: str | None, facet: str | None) -> str | None:
    """Return the scope that `--source` or `--facet` names."""
    if source and facet:
        raise typer.BadParameter("expected --source or --facet, not both")
    if source:
        sources.check_known(source)
    return f"source={source}" if source else facet


@app.command()
def add(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What the machine may do; docs/access.md has the rules.")],
    source: OfSource = None,
    facet: OfFacet = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it lasts: 12h, 30d or 52w. Default: until it is revoked.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a token, and print it. It is not shown again, and works at once."""
    now = datetime.now(UTC)
    made = tokens.add(name, role, given_scope(source, facet), _end(expires, now), person(), now)
    print_found(made, _show, as_json=as_json)


@app.command("list")
def list_tokens(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the tokens, without the tokens themselves."""
    now = datetime.now(UTC)

    def _print(found: Tokens) -> None:
        print_table(_LISTED, [_row(each, now) for each in found.items], wide=wide, as_csv=as_csv)

    print_found(tokens.listed(), _print, as_json=as_json)


@app.command()
def revoke(name: Name, *, as_json: Json = False) -> None:
    """Let a token open nothing from now on. Its name is never used again."""
    now = datetime.now(UTC)
    revoked = tokens.revoke(name, person(), now)
    print_found(revoked, lambda found: say(f"{found.name} is {_state(found, now)}"), as_json=as_json)


def _show(made: NewToken) -> None:
    say(f"The token {made.name}, which is shown this once:")
    say(f"  {made.token}")


def _row(found: TokenView, now: datetime) -> tuple[object, ...]:
    used = time_text(found.last_used_at) if found.last_used_at else "–"
    return found.name, found.role, found.scope, _state(found, now), used, time_text(found.created_at), found.created_by


def _state(found: TokenView, now: datetime) -> str:
    if found.revoked_at:
        return f"revoked {time_text(found.revoked_at)} by {found.revoked_by}"
    until = f" {time_text(found.expires_at)}" if found.expires_at else ""
    return f"{'open until' if until else 'open'}{until}" if found.is_open(now) else f"expired{until}"


def _end(expires: str | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    if not re.fullmatch("[0-9]{1,4}[hdw]", expires):
        raise Refused("BAD_PARAMETER", "expected how long it lasts, like 12h, 30d or 52w", where="expires")
    return now + (now - read_moment(expires, settings().zone, now))
