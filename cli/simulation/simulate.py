"""`cellar simulate`: sends realistic archives to a receiver and compares the outcome with the expectation."""

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import Progress

from adapters.settings.checks import is_http_url
from adapters.settings.settings import settings
from cli.simulation.payloads.forms import TEMPLATE_IDS
from cli.simulation.payloads.scenarios import Outcome, Values, simulated_archives
from cli.simulation.payloads.session_events import events_before
from cli.simulation.receiver import Comparison, NoComparison, Receiver, Sent, wait_for_all
from cli.terminal import Folds, console, print_fitted
from models.errors import WrongUse
from models.runs.receipt import DEFAULT_SOURCE

_HELLO = "hello-cellar"  # the reference of docs/hello.json
_TIMEOUT = httpx.Timeout(60, connect=5)


def compare(  # noqa: PLR0913 -- what a person chose
    receiver: Receiver, made: Comparison, count: int, wait_s: float, progress: Progress, *, events: bool, leave_out: int
) -> None:
    """Send `count` archives, but the last `leave_out` of them, and note their outcomes, and what became of events.

    With `events`, each process sends its session events first.

    Raises NoComparison if nothing can be compared.
    """
    sent = list[Sent]()
    archives = simulated_archives(count, seed=made.seed, now=datetime.now(UTC))
    for number, one in enumerate(progress.track(archives, total=count, description="Sending")):
        left_out = number - (count - leave_out)
        if events:
            its = events_before(one.body, left_out=left_out if left_out >= 0 else None)
            made.events += len(its)
            made.acknowledged += sum(receiver.send(each).status == "0" for each in its)
        if left_out < 0:
            sent.append(Sent(one.scenario, one.reference, one.expectation, receiver.send(one.body)))
        else:
            made.left_out.append(one.reference)
    made.sent = wait_for_all(receiver, sent, wait_s, progress) if made.waited else sent


def simulate(  # noqa: PLR0913 - the options of a command
    *,
    count: Annotated[int, typer.Option(min=1, help="Number of archives. 6 or more cover all scenarios.")] = 20,
    url: Annotated[str, typer.Option(help="The receiver's URL.", show_default="this installation's")] = "",
    source: Annotated[str, typer.Option(help="The source to send to, with its secret in --secret.")] = "",
    secret: Annotated[str, typer.Option(help="A webhook secret.", show_default="this installation's")] = "",
    api_token: Annotated[str, typer.Option(help="A token of the JSON API.", show_default="this installation's")] = "",
    seed: Annotated[
        int | None, typer.Option(help="The same seed sends the same archives. Default: a new seed.")
    ] = None,
    wait_s: Annotated[float, typer.Option(min=0, help="Longest time to wait for the archives.")] = 300,
    wait: Annotated[bool, typer.Option(help="Wait for the archives. Otherwise compare only the answers.")] = True,
    events: Annotated[bool, typer.Option("--events", help="Send the session events of each process first.")] = False,
    leave_out: Annotated[
        int, typer.Option(min=0, help="Do not send this many of the archives, as if they were lost: the last ones.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Send even to a receiver that holds real archives.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send realistic archives to a receiver, some of them faulty, and compare the results with what is expected.

    Their label SIMULATION is the seed: `cellar list` and `cellar erase` take `--label SIMULATION=SEED`.

    The exit status is 0 if every outcome is as expected, 1 if not, and 2 for wrong use.
    """
    url = url or settings().receiver_url
    if not is_http_url(url):
        raise WrongUse(f"--url: expected the URL of a receiver, like http://127.0.0.1:8000, got {url!r}")
    if source not in ("", DEFAULT_SOURCE) and not secret:
        made = f"`cellar sources add {source}` or `cellar sources rotate {source}`"
        raise WrongUse(f"--secret: expected the secret of the source {source}, which {made} shows once")
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    bars = Console(stderr=True)
    comparison = Comparison(url, seed, wait)
    with httpx.Client(timeout=_TIMEOUT) as client, Progress(console=bars, disable=not bars.is_terminal) as progress:
        secret = secret or settings().active_webhook_secrets()[0]
        api_token = api_token or settings().active_api_tokens()[0]
        receiver = Receiver(client, url, secret, api_token, source)
        try:
            if not yes:
                _ask_before_mixing(receiver, url, progress)
            compare(receiver, comparison, count, wait_s, progress, events=events, leave_out=leave_out)
        except NoComparison as error:
            comparison = Comparison(url, seed, wait, str(error))
    _print_json(comparison) if json_output else _print_table(comparison)
    if not comparison.is_good:
        raise typer.Exit(1)


def _ask_before_mixing(receiver: Receiver, url: str, progress: Progress) -> None:
    """Ask a person before simulated archives come between real archives, which nothing removes later.

    Raises:
        WrongUse: nobody can be asked.
        Abort: the person says no.
    """
    is_safe = receiver.holds_only(TEMPLATE_IDS, _HELLO)
    if is_safe:
        return
    found = "may hold" if is_safe is None else "holds"
    if not sys.stdin.isatty():
        raise WrongUse(
            f"the receiver at {url} {found} real archives; give --yes to send simulated archives all the same"
        )
    progress.stop()
    typer.confirm(f"The receiver at {url} {found} real archives. Send simulated archives too?", abort=True)
    progress.start()


def _print_json(comparison: Comparison) -> None:
    archives = [
        {
            "scenario": one.scenario,
            "reference": one.reference,
            "expected": one.expectation.comparable(waited=comparison.waited),
            "found": asdict(one.found),
            "differences": comparison.differences(one),
        }
        for one in comparison.sent
    ]
    document = {
        "url": comparison.url,
        "seed": comparison.seed,
        "waited": comparison.waited,
        "ok": comparison.is_good,
        "error": comparison.error,
        "events": {"sent": comparison.events, "acknowledged": comparison.acknowledged},
        "left_out": comparison.left_out,
        "archives": archives,
    }
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_table(comparison: Comparison) -> None:
    if comparison.error:
        typer.echo(comparison.error, err=True)
        return
    heads = ("scenario", "ok", Folds("found"), Folds("expected"), "reference")
    print_fitted(console(), heads, [_row(comparison, one) for one in comparison.sent])
    typer.echo(f"{len(comparison.sent)} sent, {comparison.as_expected} as expected, seed {comparison.seed}")
    if comparison.events:
        typer.echo(f"{comparison.events} session events sent, {comparison.acknowledged} acknowledged")
    for reference in comparison.left_out:
        typer.echo(f"left out: {reference}")


def _row(comparison: Comparison, one: Sent) -> tuple[str, ...]:
    wrong = comparison.differences(one)
    told = one.expectation.comparable(waited=comparison.waited)
    expected = _in_words({name: value for name, value in told.items() if value not in (None, 0, ())})
    return one.scenario, "no" if wrong else "yes", _found_in_words(one.found, wrong), expected, one.reference


def _found_in_words(found: Outcome, wrong: Sequence[str]) -> str:
    if not wrong:
        return "the same"
    reason = f" ({found.errordesc})" if "status" in wrong and found.errordesc else ""
    return _in_words({name: getattr(found, name) for name in wrong}) + reason


def _in_words(told: Values) -> str:
    """Return the values in a line, such as `0, completed, 1 file, AMOUNT_MISMATCH, charged`."""
    return ", ".join(_word(name, value) for name, value in told.items())


def _word(name: str, value: str | int | tuple[str, ...] | None) -> str:
    match value:
        case None:
            return f"no {name}"
        case int():
            return f"{value} {name.removesuffix('s') if value == 1 else name}"
        case str():
            return value
        case _:
            return ", ".join(value) or f"no {name}"
