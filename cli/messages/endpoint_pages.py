"""Prints endpoints."""

from collections.abc import Iterator

from cli.results import say
from cli.terminal import console, table_of, time_text
from models.views.messages.endpoints import AddedEndpoint, EndpointList, EndpointTest, EndpointView, KeyView

_LISTED = ("name", "state", "waiting", "events", "signed by", "url")
_LINES_OF_ANSWER = 10


def print_endpoints(found: EndpointList) -> None:
    """Print a table of endpoints."""
    if not found.items:
        say("No endpoint receives messages. `cellar endpoints add URL --name NAME` adds one.")
        return
    console().print(table_of(_LISTED, map(_listed, found.items)))


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
    state = f"{found.state}, declared" if found.declared else found.state
    signed_by = " + ".join(dict.fromkeys(key.signature for key in found.keys)) or found.signature
    return [found.name, state, f"{found.pending:,}", ", ".join(found.events) or "all", signed_by, found.url]


def _state(found: EndpointView) -> str:
    declared = ", declared by CELLAR_NOTIFY_URLS" if found.declared else ""
    why = f" ({found.disabled_why})" if found.state == "disabled" else ""
    return f"{found.state}{why}{declared}"


def _facts(found: EndpointView) -> Iterator[tuple[str, str]]:
    yield "url", found.url
    yield "waiting", f"{found.pending:,} messages"
    for title, members in (("events", found.events), ("sources", found.sources), ("templates", found.templates)):
        if members:
            yield title, ", ".join(members)
    if found.labels:
        yield "labels", ", ".join(f"{key}={value}" for key, value in found.labels.items())
    if found.headers:
        yield "headers", ", ".join(found.headers)
    if found.fields:
        yield "fields", ", ".join(found.fields)
    if found.rate_per_s:
        yield "rate", f"at most {found.rate_per_s:g} messages a second"
    if found.failing_since:
        yield "failing", f"since {time_text(found.failing_since, 'seconds')}"
    if found.paused_until and found.state == "paused":
        yield "paused", f"until {time_text(found.paused_until, 'seconds')}"


def _key(key: KeyView) -> str:
    until = f", signs until {time_text(key.until, 'seconds')}" if key.until else ""
    return f"{key.signature}{f' {key.public_key}' if key.public_key else ''}, since {time_text(key.since)}{until}"
