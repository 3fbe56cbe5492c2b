"""`cellar users`: adds, lists and changes local users, and ends logins to the console."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.person import person
from cli.results import print_found, say
from cli.terminal import Csv, Folds, Json, Wide, print_table, time_text
from cli.tokens import OfFacet, OfSource, given_scope
from models.access import Role, Users, UserView
from models.people import Login, Logins
from services.access import logins, users

app = typer.Typer(
    help="Add, list and change people who sign in by a password; list and end logins.", no_args_is_help=True
)
_LISTED = ("user", "role", "scope", Folds("state"), "created", "by")
_SESSIONS = ("person", "role", "scope", "by", "address", "since", "last page")

Name = Annotated[str, typer.Argument(help="The name of the user: small letters, digits, . _ and -.")]
OfRole = Annotated[Role, typer.Option("--role", help="What the user may do; docs/access.md has the rules.")]


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
    scope = given_scope(source, facet)
    made = users.add(name, role, person(), _now(), scope=scope, is_break_glass=break_glass)
    print_found(made, _print_user, as_json=as_json)


@app.command("list")
def list_users(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the users."""

    def _print(found: Users) -> None:
        print_table(_LISTED, map(_row, found.items), wide=wide, as_csv=as_csv)

    print_found(users.listed(), _print, as_json=as_json)


@app.command("set")
def set_role(
    name: Name, *, role: OfRole, source: OfSource = None, facet: OfFacet = None, as_json: Json = False
) -> None:
    """Give a user another role. Their logins end."""
    print_found(users.set_role(name, role, given_scope(source, facet), _now()), _print_user, as_json=as_json)


@app.command()
def disable(name: Name, *, as_json: Json = False) -> None:
    """End the logins of a user, and let them sign in no more."""
    print_found(users.disable(name, person(), _now()), _print_user, as_json=as_json)


@app.command()
def enable(name: Name, *, as_json: Json = False) -> None:
    """Let a disabled user sign in again."""
    print_found(users.enable(name, _now()), _print_user, as_json=as_json)


@app.command()
def reset(name: Name, *, as_json: Json = False) -> None:
    """Take password and one-time codes away from a user, and print a link for a new password. Their logins end."""
    print_found(users.reset(name, _now()), _print_user, as_json=as_json)


@app.command()
def sessions(
    name: Annotated[str | None, typer.Argument(help="The name of a person. Default: all.")] = None,
    *,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List who is signed in to the console, the newest login first."""
    found = Logins(items=[Login.model_validate(each, from_attributes=True) for each in logins.listed(_now(), name)])

    def _print(found: Logins) -> None:
        rows = [_login(each) for each in found.items]
        print_table(_SESSIONS, rows, wide=wide, as_csv=as_csv)

    print_found(found, _print, as_json=as_json)


@app.command("sign-out")
def sign_out(
    name: Annotated[str, typer.Argument(help="The name of a person, as `cellar users sessions` has it.")],
) -> None:
    """End all logins of a person. They may sign in again."""
    say(f"ended {logins.end_all(name, _now())} logins of {name}")


def _row(found: UserView) -> tuple[object, ...]:
    return found.name, found.role, found.scope, _state(found), time_text(found.created_at), found.created_by


def _state(found: UserView) -> str:
    if found.disabled_at:
        return f"disabled {time_text(found.disabled_at)} by {found.disabled_by}"
    signs_in = "password and codes" if found.has_code else "password" if found.has_password else "no password yet"
    return f"{signs_in}, break-glass" if found.is_break_glass else signs_in


def _login(found: Login) -> tuple[object, ...]:
    how, times = found.signed_in_by.replace("_", "-"), (time_text(found.began_at), time_text(found.seen_at))
    return found.person, found.role, found.scope, how, found.address, *times


def _print_user(found: UserView) -> None:
    say(f"{found.name}: {found.role}{f' of {found.scope}' if found.scope else ''}, {_state(found)}")
    if found.link:
        say("Give them this link. It sets the password once, within a day, and is not shown again:")
        say(f"  {found.link}")


def _now() -> datetime:
    return datetime.now(UTC)
