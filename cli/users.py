"""`cellar users`: adds, lists and changes local users. `cellar tokens`: those of machines.

`cellar access`: shows who saw, searched, took and changed what.
"""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from adapters.settings.settings import settings
from cli.options import filters, person
from cli.results import print_found, print_list, say
from cli.terminal import Csv, Folds, Json, Wide, time_text
from models.access import GIVEN_ROLES, NewToken, Role, TokenView, UserView
from models.errors import Refused
from models.views.access import AccessQuery, AccessView
from models.views.parameters import read_moment
from services import sources
from services.access import tokens, users
from services.access.scope import sees_none
from services.views import access_list

app = typer.Typer(help="Add, list and change people who sign in by a password.", no_args_is_help=True)
tokens_app = typer.Typer(help="Add, list and revoke tokens of machines, each with a role.", no_args_is_help=True)
_LISTED = ("user", "role", "scope", Folds("state"), "created", "by")
_TOKENS = ("token", "role", "scope", Folds("state"), "last use", "created", "by")
_RECORDS = ("time", "person", "role", "action", "outcome", "reference", "address", Folds("detail"))

OfSource = Annotated[str | None, typer.Option("--source", help="A clerk sees the archives of this source alone.")]
OfFacet = Annotated[
    str | None, typer.Option("--facet", help="A clerk sees the archives with this value alone, like branch=Haifa.")
]


def _given_role(text: str) -> Role:
    if text not in GIVEN_ROLES:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(GIVEN_ROLES)}.")
    return Role(text)


_ROLE: dict[str, Any] = {"parser": _given_role, "metavar": f"<{'|'.join(GIVEN_ROLES)}>"}
Name = Annotated[str, typer.Argument(help="The name of the user: small letters, digits, . _ and -.")]
OfRole = Annotated[Role, typer.Option("--role", help="What the user may do; docs/access.md has the rules.", **_ROLE)]
TokenName = Annotated[
    str, typer.Argument(help="The name of the token, which records show: letters, digits, . _ and -.")
]


@app.command()
def add(
    name: Name,
    *,
    role: OfRole,
    source: OfSource = None,
    facet: OfFacet = None,
    break_glass: Annotated[
        bool, typer.Option(help="May sign in although a provider is set, which is an alert.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a user, and print the link by which they set their password, once within a day."""
    scope = _given_scope(source, facet)
    made = users.add(name, role, person(), datetime.now(UTC), scope=scope, is_break_glass=break_glass)
    print_found(made, _print_user, as_json=as_json)
    _warn_of_none(made.scope)


@app.command("list")
def list_users(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the users."""
    print_list(users.listed(), _LISTED, _row, wide=wide, as_csv=as_csv, as_json=as_json)


@app.command("set")
def set_role(
    name: Name, *, role: OfRole, source: OfSource = None, facet: OfFacet = None, as_json: Json = False
) -> None:
    """Give a user another role. Their logins end."""
    changed = users.set_role(name, role, _given_scope(source, facet), datetime.now(UTC))
    print_found(changed, _print_user, as_json=as_json)
    _warn_of_none(changed.scope)


@app.command()
def disable(name: Name, *, as_json: Json = False) -> None:
    """End the logins of a user, and let them sign in no more."""
    print_found(users.disable(name, person(), datetime.now(UTC)), _print_user, as_json=as_json)


@app.command()
def enable(name: Name, *, as_json: Json = False) -> None:
    """Let a disabled user sign in again."""
    print_found(users.enable(name, datetime.now(UTC)), _print_user, as_json=as_json)


@app.command()
def reset(name: Name, *, as_json: Json = False) -> None:
    """Take password and one-time codes away from a user, and print a link for a new password. Their logins end."""
    print_found(users.reset(name, datetime.now(UTC)), _print_user, as_json=as_json)


@filters(AccessQuery)
def access(
    query: AccessQuery,
    *,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all records, a line of JSON each.")] = False,
) -> None:
    """Show who saw, searched, took and changed what, newest first. `cellar verify` checks that nothing was altered."""
    if as_json:
        for each in access_list.every(query):
            typer.echo(each.model_dump_json())
        return
    page, nothing = access_list.page(query), "No record matches."
    print_list(page, _RECORDS, _record, nothing=nothing, wide=wide, as_csv=as_csv, as_json=False)


def _row(found: UserView) -> tuple[object, ...]:
    return found.name, found.role, found.scope, _state(found), time_text(found.created_at), found.created_by


def _state(found: UserView) -> str:
    if found.disabled_at:
        return f"disabled {time_text(found.disabled_at)} by {found.disabled_by}"
    signs_in = "password and codes" if found.has_code else "password" if found.has_password else "no password yet"
    return f"{signs_in}, break-glass" if found.is_break_glass else signs_in


def _record(found: AccessView) -> tuple[object, ...]:
    detail = ", ".join(
        f"{name} {' '.join(value) if isinstance(value, dict) else value}" for name, value in found.detail.items()
    )
    about = (found.person, found.role, found.action, found.outcome, found.reference or found.reference_digest)
    return time_text(found.at, "seconds"), *about, found.address, detail


def _print_user(found: UserView) -> None:
    say(f"{found.name}: {found.role}{f' of {found.scope}' if found.scope else ''}, {_state(found)}")
    if found.link:
        say("Give them this link. It sets the password once, within a day, and is not shown again:")
        say(f"  {found.link}")


@tokens_app.command("add")
def add_token(
    name: TokenName,
    *,
    role: Annotated[Role, typer.Option(help="What the machine may do; docs/access.md has the rules.", **_ROLE)],
    source: OfSource = None,
    facet: OfFacet = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it lasts: 12h, 30d or 52w. Default: until it is revoked.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a token, and print it. It is not shown again, and works at once."""
    now = datetime.now(UTC)
    made = tokens.add(name, role, _given_scope(source, facet), _end(expires, now), person(), now)
    print_found(made, _print_token, as_json=as_json)
    _warn_of_none(next(each.scope for each in tokens.listed().items if each.name == name))


@tokens_app.command("list")
def list_tokens(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the tokens, without the tokens themselves."""
    row = partial(_token, datetime.now(UTC))
    print_list(tokens.listed(), _TOKENS, row, wide=wide, as_csv=as_csv, as_json=as_json)


@tokens_app.command()
def revoke(name: TokenName, *, as_json: Json = False) -> None:
    """Let a token open nothing from now on. Its name is never used again."""
    now = datetime.now(UTC)
    revoked = tokens.revoke(name, person(), now)
    print_found(revoked, lambda found: say(f"{found.name} is {_token_state(found, now)}"), as_json=as_json)


def _print_token(made: NewToken) -> None:
    say(f"The token {made.name}, which is shown this once:")
    say(f"  {made.token}")


def _token(now: datetime, found: TokenView) -> tuple[object, ...]:
    about = (found.name, found.role, found.scope, _token_state(found, now))
    return *about, time_text(found.last_used_at), time_text(found.created_at), found.created_by


def _token_state(found: TokenView, now: datetime) -> str:
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


def _warn_of_none(scope: str | None) -> None:
    if sees_none(scope):
        typer.echo(f"Warning: no archive has {scope} yet. Until one has, lists with this scope are empty.", err=True)


def _given_scope(source: str | None, facet: str | None) -> str | None:
    """Return the scope that `--source` or `--facet` names."""
    if source and facet:
        raise typer.BadParameter("expected --source or --facet, not both")
    if source:
        sources.check_known(source)
    return f"source={source}" if source else facet
