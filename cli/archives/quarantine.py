"""`cellar quarantine`: shows refused deliveries and the reasons, and releases or dismisses their bodies."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import typer

from adapters.inbox import quarantine
from adapters.tables.runs import refused
from cli.options import NotKept, person
from cli.terminal import Csv, Folds, Json, Wide, cell, console, dismissal, named_options, print_table, time_text
from domain.words.catalogue import MEANINGS
from models.archive.archive import WarningCode
from models.errors import Refused, Transient
from models.runs.receipt import DEFAULT_SOURCE, RefusedDelivery
from models.views.troubles import RefusedQuery
from services.sources import check_filter
from services.triggering.refused import Outcome, dismiss, release_chosen

app = typer.Typer(help="List, show, release and dismiss refused payloads.", no_args_is_help=True)
_SHOWN_OF_ID = 10
_LISTED = ("reference", "receipt", Folds("reason"), "received", "process", "source")
_IN_RECORDS = ("delivery_id", "values")
_Bodies = dict[str, list[RefusedDelivery]]
"""The refused deliveries of each body, newest first, by its receipt id."""


@app.command("list")
def list_quarantined(
    *,
    source: Annotated[str | None, typer.Option(help="Payloads from one source.")] = None,
    wide: Wide = False,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List the payloads in quarantine, the last refused first. --json lists each refused delivery.

    Payloads that are set aside because another source owns their process (SOURCES_DIFFER) come first.
    """
    waiting = [*_set_aside(source), *(each for each in _waiting() if source in (None, each.source))]
    if not waiting:
        check_filter(source)
    if as_json:
        _print_json([asdict(each) for each in waiting])
    elif waiting or as_csv:
        print_table(_LISTED, map(_row, _by_body(waiting).values()), wide=wide, as_csv=as_csv)
    else:
        typer.echo("No refused payload is in quarantine.")


def _row(deliveries: Sequence[RefusedDelivery]) -> list[object]:
    last = deliveries[0]
    times = f"{len(deliveries)} × " if len(deliveries) > 1 else ""
    reason = f"{times}{last.code} at {last.where}" if last.where else times + last.code
    received = time_text(last.received_at)[len("2026-") :]
    source = None if last.source == DEFAULT_SOURCE else last.source
    return [last.reference or "–", last.receipt_id[:_SHOWN_OF_ID], reason, received, last.process_number, source]


@app.command()
def show(receipt_id: str, *, as_json: Json = False) -> None:
    """Show why a payload was refused, what to do, and where its raw bytes are. The beginning of an id is enough."""
    [deliveries] = _named([receipt_id]).values()
    last = deliveries[0]
    body = quarantine.location(last.receipt_id) if quarantine.has_body(last.receipt_id) else None
    record = asdict(last) | {"deliveries": len(deliveries), "body": body}
    headers = quarantine.headers_of(last.delivery_id)
    if as_json:
        _print_json(record | {"headers": headers})
        return
    meaning = MEANINGS.get(last.code)
    shown = {"what": meaning.what, "to do": meaning.to_do} if meaning else {}
    told = {name: each for name, each in record.items() if name not in _IN_RECORDS}
    for name, value in (shown | told | headers).items():
        if value not in (None, ""):
            console().print(f"{name.replace('_', ' '):15} {cell(value)}", soft_wrap=True, highlight=False)


@app.command("release")
def release_bodies(
    receipt_ids: Annotated[list[str] | None, typer.Argument(help="Receipt ids, or their beginnings.")] = None,
    *,
    _by: NotKept = None,
    code: Annotated[str | None, typer.Option(help="All payloads that were refused with this code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All payloads in quarantine.")] = False,
    give: Annotated[bool, typer.Option("--give", help="Give the processes to the sources that sent these.")] = False,
    as_json: Json = False,
) -> None:
    """Check payloads again, for example after an update of cellar, and archive the payloads that are accepted now.

    Checks each payload before it releases the first. Exits with 1 if a payload is still refused. A payload that is set
    aside is accepted too, and may replace the archive; --all skips these payloads. With --give, the source that sent
    the payload gets the process, and what the former owner sent is set aside.
    """
    bodies = _chosen(receipt_ids or [], code, everything=everything)
    if give and (not receipt_ids or any(each[0].code != WarningCode.SOURCES_DIFFER for each in bodies.values())):
        raise typer.BadParameter("expected receipt ids of payloads that are set aside", param_hint="--give")
    outcomes = release_chosen(bodies, person(), gives=give)
    if as_json:
        _print_json([_record(each) for each in outcomes])
    else:
        typer.echo("\n".join(map(_line, outcomes)) or "No payload in quarantine matches.")
    if any(each.fault for each in outcomes):
        raise typer.Exit(1)


@app.command("dismiss")
def dismiss_bodies(
    receipt_ids: Annotated[list[str] | None, typer.Argument(help="Receipt ids, or their beginnings.")] = None,
    *,
    why: Annotated[str, typer.Option(help="Why the payloads need no action.")],
    _by: NotKept = None,
    code: Annotated[str | None, typer.Option(help="All payloads that were refused with this code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All payloads in quarantine.")] = False,
    as_json: Json = False,
) -> None:
    """Record that payloads need no action, for example since they are no archives. They stay in quarantine."""
    said = dismissal(person(), why)
    bodies = _chosen(receipt_ids or [], code, everything=everything)
    dismissed = dismiss(chain.from_iterable(bodies.values()), said, datetime.now(UTC))
    if as_json:
        _print_json([asdict(each) for each in dismissed])
    else:
        lines = [cell(f"{receipt_id}: dismissed by {said.by}: {why}") for receipt_id in _by_body(dismissed)]
        typer.echo("\n".join(lines) or "No payload in quarantine matches.")


def _line(outcome: Outcome) -> str:
    if outcome.fault:
        return f"{outcome.receipt_id}: still refused: {outcome.fault}"
    return f"{outcome.receipt_id}: released; its run starts with the next sweep of the inbox"


def _record(outcome: Outcome) -> dict[str, Any]:
    fault = outcome.fault
    why = {"code": fault.code, "where": fault.where, "detail": fault.detail} if fault else {}
    return {"receipt_id": outcome.receipt_id, "released": fault is None} | why


def _chosen(receipt_ids: Sequence[str], code: str | None, *, everything: bool) -> _Bodies:
    if bool(receipt_ids) + (code is not None) + everything != 1:
        raise typer.BadParameter("expected receipt ids, or --code CODE, or --all")
    if receipt_ids:
        return _named(receipt_ids)
    if code == WarningCode.SOURCES_DIFFER:
        return _by_body(_set_aside())
    with named_options():
        RefusedQuery.model_validate({"code": code})
    bodies = _by_body(_waiting())
    return bodies if everything else {key: found for key, found in bodies.items() if found[0].code == code}


def _named(receipt_ids: Sequence[str]) -> _Bodies:
    """Return the payloads whose receipt ids are given, or begin so. Each must be one payload."""
    known = _by_body(quarantine.refused())
    if not all(any(receipt_id.startswith(wanted) for receipt_id in known) for wanted in receipt_ids):
        known = _by_body(_set_aside()) | known
    named: _Bodies = {}
    for wanted in receipt_ids:
        found = [receipt_id for receipt_id in known if receipt_id.startswith(wanted)]
        if len(found) != 1:
            expected = "expected the id of one receipt of `cellar quarantine list`, or the beginning of one"
            raise Refused("UNKNOWN_RECEIPT", f"{expected}; {len(found)} receipts begin with {wanted[:_SHOWN_OF_ID]!r}")
        named[found[0]] = known[found[0]]
    return named


def _set_aside(source: str | None = None) -> list[RefusedDelivery]:
    """Return what is set aside. Without a database, the quarantine alone is shown and released."""
    try:
        return refused.set_aside(source)
    except Transient as transient:
        typer.echo(f"What is set aside is not shown: {transient}", err=True)
        return []


def _waiting() -> list[RefusedDelivery]:
    """Return the refused deliveries that wait. What is set aside has a record too, if its dismissal was taken back."""
    open_ones = [each for each in quarantine.refused() if each.released_at is None and not each.is_dismissed]
    return [each for each in open_ones if each.code != WarningCode.SOURCES_DIFFER]


def _by_body(deliveries: Sequence[RefusedDelivery]) -> _Bodies:
    bodies: _Bodies = {}
    for each in deliveries:
        bodies.setdefault(each.receipt_id, []).append(each)
    return bodies


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, default=datetime.isoformat))
