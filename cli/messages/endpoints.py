"""`cellar endpoints`: adds, lists, shows, tests, disables, enables, rotates and removes endpoints."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.messages.messages import list_messages, redeliver
from cli.options import person
from cli.results import print_found, print_list, say
from cli.terminal import Csv, Folds, Json, Wide, named_options, time_text
from models.errors import Refused, WrongUse
from models.messages.notification import Signature
from models.views.messages import AddedEndpoint, EndpointTest, EndpointView, KeyView, NewEndpoint, Rotation
from services.messages import endpoints

app = typer.Typer(help="Add, show, test and change the endpoints that receive messages.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name of an endpoint, as `cellar endpoints list` shows it.")]
SecretFile = Annotated[
    typer.FileText | None,
    typer.Option("--secret-file", help="File with your own secret, `-` for standard input. Default: generated."),
]
Scheme = Annotated[
    Signature | None, typer.Option("--signature", help="How messages are signed. Default: hmac, or as before.")
]
_WRONG_USE = {"BAD_ENDPOINT", "BAD_SECRET"}


@app.command()
def add(  # noqa: PLR0913 -- an option for each member
    url: Annotated[str, typer.Argument(help="Where messages are sent: http://… or https://….")],
    *,
    name: Annotated[str, typer.Option(help="Lower-case letters, digits and hyphens. A name cannot be reused later.")],
    event: Annotated[list[str] | None, typer.Option(help="Only events of this type. Repeatable.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only events of this source. Repeatable.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of each message, 'Name: value'. Repeatable.")
    ] = None,
    signature: Scheme = None,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Add an endpoint, and print its secret. The secret is not shown again.

    Its address is checked; a private address is refused unless CELLAR_NOTIFY_ALLOW_PRIVATE is true.
    """
    members: dict[str, Any] = {"url": url, "name": name, "events": event or [], "sources": source or []}
    with named_options():
        asked = NewEndpoint(**members, headers=_headers(header), signature=signature, secret=_secret(secret_file))
    try:
        warnings = asyncio.run(endpoints.warnings_at(asked.url))
        key = endpoints.add(asked, person(), datetime.now(UTC))
    except Refused as refused:
        raise _as_wrong_use(refused) from refused
    added = endpoints.with_secret(name, key, warnings)
    print_found(added, print_secret, as_json=as_json)


@app.command("list")
def list_endpoints(*, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the endpoints. Tokens in their URLs are masked."""
    nothing = "No endpoint receives messages. `cellar endpoints add URL --name NAME` adds one."
    print_list(endpoints.listed(), _LISTED, _listed, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)


@app.command()
def show(name: Name, *, as_json: Json = False) -> None:
    """Show an endpoint, or a removed one: its filter, its keys, and who changed what."""
    _show(name, as_json=as_json)


@app.command("test")
def send_test(name: Name, *, as_json: Json = False) -> None:
    """Send an endpoint a message of type endpoint.test now, and print the result. Exits with 1 on failure."""
    made = asyncio.run(endpoints.send_test(name))
    print_found(made, print_test, as_json=as_json)
    if not made.delivered:
        raise typer.Exit(1)


@app.command()
def disable(name: Name, *, as_json: Json = False) -> None:
    """Stop sending messages to an endpoint. Skips its waiting messages, which stay on record."""
    endpoints.disable(name, person(), datetime.now(UTC))
    _show(name, as_json=as_json)


@app.command()
def enable(name: Name, *, as_json: Json = False) -> None:
    """Resume sending messages to an endpoint, from the next event on."""
    endpoints.enable(name, person(), datetime.now(UTC))
    _show(name, as_json=as_json)


@app.command()
def rotate(
    name: Name,
    *,
    overlap_h: Annotated[float, typer.Option(help="Hours for which the old key signs too.")] = 24,
    signature: Scheme = None,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Give an endpoint a new signing key, and print it. Until the old key expires, messages have two signatures."""
    with named_options():
        asked = Rotation(overlap_h=overlap_h, signature=signature, secret=_secret(secret_file))
    try:
        key = endpoints.rotate(name, asked, person(), datetime.now(UTC))
    except Refused as refused:
        raise _as_wrong_use(refused) from refused
    rotated = endpoints.with_secret(name, key)
    print_found(rotated, print_secret, as_json=as_json)


@app.command()
def remove(name: Name, *, as_json: Json = False) -> None:
    """Remove an endpoint and its secrets. Skips its waiting messages; its history stays under its name."""
    endpoints.remove(name, person(), datetime.now(UTC))
    if as_json:
        _show(name, as_json=True)
    else:
        say(f"{name} is removed. `cellar endpoints show {name}` still shows what was done.")


def _show(name: str, *, as_json: bool) -> None:
    print_found(endpoints.view(name), print_endpoint, as_json=as_json)


def _headers(texts: Sequence[str] | None) -> dict[str, str]:
    """Return the options of the form `Name: value`. A message repeats no value: it may be a token."""
    headers: dict[str, str] = {}
    for text in texts or ():
        name, found, value = text.partition(":")
        if not found or name.strip() in headers:
            raise typer.BadParameter("--header: expected a name, ':' and a value, each name once")
        headers[name.strip()] = value.strip()
    return headers


def _secret(file: Any) -> str | None:
    return file.read().strip() if file else None


def _as_wrong_use(refused: Refused) -> Exception:
    return WrongUse(refused.detail) if refused.code in _WRONG_USE else refused


app.command("messages")(list_messages)
app.command()(redeliver)

_LISTED = ("name", "state", "waiting", Folds("url"), Folds("events"), "signed by")
_LINES_OF_ANSWER = 10


def print_endpoint(found: EndpointView) -> None:
    """Print all of an endpoint except its secrets."""
    say(f"{found.name}: {_state(found)}")
    for title, value in _facts(found):
        say(f"  {title:<10} {value}")
    for key in found.keys:
        say(f"  {'key':<10} {_key(key)}")
    for each in found.actions:
        say(f"  {time_text(each.at, 'seconds')}  {each.what} by {each.by}")


def print_secret(found: AddedEndpoint) -> None:
    """Print an endpoint's new secret, which is shown this once."""
    for warning in found.warnings:
        say(f"Warning: {warning}.")
    print_endpoint(found)
    say("")
    say(f"Secret      {found.secret}")
    if found.keys[0].public_key:
        say(f"Public key  {found.keys[0].public_key}")
        say("The endpoint verifies with the public key. The secret is not shown again.")
    else:
        say("The endpoint verifies with the secret. It is not shown again.")


def print_test(made: EndpointTest) -> None:
    """Print what became of a test message."""
    failed_at = f" at the stage {made.stage}" if made.stage else ""
    outcome = "confirmed" if made.delivered else f"not confirmed{failed_at}"
    say(f"{made.endpoint}: {outcome} after {made.duration_s or 0:.3f} s")
    if made.status_code is not None:
        say(f"Status {made.status_code}")
    if made.why:
        say(made.why)
    for line in (made.answer or "").splitlines()[:_LINES_OF_ANSWER]:
        say(f"  {line}")


def _listed(found: EndpointView) -> list[object]:
    signed_by = " + ".join(dict.fromkeys(key.signature for key in found.keys)) or found.signature
    return [found.name, found.state, f"{found.pending:,}", found.url, ", ".join(found.events) or "all", signed_by]


def _state(found: EndpointView) -> str:
    why = f" ({found.disabled_why})" if found.state == "disabled" else ""
    return f"{found.state}{why}"


def _facts(found: EndpointView) -> Iterator[tuple[str, str]]:
    yield "url", found.url
    yield "waiting", f"{found.pending:,} messages"
    for title, members in {"events": found.events, "sources": found.sources, "headers": found.headers}.items():
        if members:
            yield title, ", ".join(members)
    if found.failing_since:
        yield "failing", f"since {time_text(found.failing_since, 'seconds')}"
    if found.paused_until and found.state == "paused":
        yield "paused", f"until {time_text(found.paused_until, 'seconds')}"


def _key(key: KeyView) -> str:
    until = f", signs until {time_text(key.until, 'seconds')}" if key.until else ""
    return f"{key.signature}{f' {key.public_key}' if key.public_key else ''}, since {time_text(key.since)}{until}"
