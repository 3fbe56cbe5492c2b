"""`cellar show`, `cellar open`: shows an archive as a person reads it on a terminal, or where the console shows it.

Ids that people copy, and URLs, are whole. Texts fold between words. A long section shows its first rows, and how many
rows are left.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from adapters.settings.settings import settings
from adapters.words.languages import worded
from cli.options import shell
from cli.results import print_found
from cli.terminal import Folds, Json, cell, console, paragraph, print_discrepancy, print_fitted, time_text
from domain.archive.signed_document import described
from domain.archive.verdict_text import (
    Judgements,
    certificate_texts,
    covered_word_texts,
    document_text,
    field_change_texts,
    signature_texts,
)
from domain.completeness.missing import missing_text
from domain.payments.amounts import amount_text, exponent_of
from domain.runs import age_text, heals_by_rerun
from domain.titles import title_text
from domain.words.catalogue import word
from domain.words.causes import CAUSES
from domain.words.wording import ENGLISH
from models.archive.archive import State
from models.archive.verdict import Verdict
from models.retention import DueAction
from models.runs.receipt import DEFAULT_SOURCE
from models.said import said_of
from models.views.archives import archives as views
from models.views.archives.payments import PaymentView
from models.views.troubles import MissingQuery, MissingView, RefusedView
from services.receipts import latest_receipt_id, unknown_reference
from services.views import archive_view, troubles
from services.views.differences import version_differences
from services.views.timeline import timeline_of

Found = TypeVar("Found")
_MOST_SHOWN = 50
_SHOWN_OF_RECEIPT = 12  # enough for `cellar quarantine show`
_SHOWN_OF_DIGEST = 12
_DUE = {DueAction.REVIEW: "a review", DueAction.ERASE: "its erasure"}


def open_archive(reference: Annotated[str, typer.Argument(help="A process reference.")]) -> None:
    """Print the address of an archive in the console."""
    latest_receipt_id(reference)
    typer.echo(settings().dossier_url(reference))


def show(
    reference: Annotated[str, typer.Argument(help="A process reference.")],
    *,
    diff: Annotated[
        tuple[int, int] | None, typer.Option(help="Show only the differences between two versions.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a whole archive, or the differences between two of its versions.

    Of a process without an archive, show its session events; the exit status is 1.
    """
    if diff:
        _show_differences(reference, *diff, as_json=as_json)
        return
    archive = archive_view.archive(reference, shell(), archive_view.WHOLE)
    if archive is None:
        _show_without_archive(reference, as_json=as_json)
        raise typer.Exit(1)
    print_found(archive, lambda each: print_archive(console(), each, datetime.now(UTC)), as_json=as_json)


def _show_without_archive(reference: str, *, as_json: bool) -> None:
    """Show the timeline of a process of which only session events came. Raises Refused if none came: the error names
    refused deliveries.
    """
    found, missing = timeline_of(reference, shell()), troubles.missing_page(MissingQuery(reference=reference)).items
    if all(each.kind is views.TimelineKind.DELIVERY for each in found):
        raise unknown_reference(reference)
    if as_json:
        findings = [each.model_dump(mode="json") for each in missing]
        timeline = [each.model_dump(mode="json") for each in found]
        typer.echo(json.dumps({"reference": reference, "state": None, "missing": findings, "timeline": timeline}))
        return
    print_process_without_archive(console(), reference, missing, found, datetime.now(UTC))


def _show_differences(reference: str, before: int, after: int, *, as_json: bool) -> None:
    found = version_differences(reference, shell(), before, after, most_values=None)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found]))
        return
    if not found:
        console().print("Nothing differs between the two versions.")
        return
    rows = []
    for each in found:
        what = (each.kind, each.key, each.change)
        rows += [(*what, member, values.before, values.after) for member, values in each.members.items()]
        rows += [(*what, member, "(not shown)", "(not shown)") for member in each.withheld]
    heads = ("kind", Folds("key"), "change", "member", Folds(f"version {before}"), Folds(f"version {after}"))
    print_fitted(console(), heads, rows)


def print_archive(terminal: Console, archive: views.ArchiveView, now: datetime) -> None:
    if title := title_text(archive.title):
        terminal.print(Text(cell(title), style="bold"), soft_wrap=True)
    terminal.print(Text(cell(archive.reference), style="" if title else "bold"), soft_wrap=True)
    terminal.print(Text(_head(archive)))
    terminal.print(Text(_times(archive)))
    if archive.cause:
        _print_cause(terminal, archive, archive.cause, now)
    for each in archive.conditions:
        _print_title(terminal, f"{each.code} since {_moment(each.since)}, last found {_moment(each.found_at)}")
        values = each.values
        failed = f"{values['cause']}: {worded(said_of(values['sentence']))}" if "cause" in values else ""
        terminal.print(paragraph("\n".join(values.get("files", [])) or failed))
        terminal.print(paragraph(f"What is wrong and what to do: cellar verify {shlex.quote(archive.reference)}"))
    if archive.due_action and archive.due_at:
        terminal.print(Text(f"due for {_DUE[archive.due_action]} from {_moment(archive.due_at)}"))
    for hold in (each for each in archive.holds if each.in_force):
        _print_title(terminal, f"On legal hold{f' until {hold.until}' if hold.until else ''}, by {hold.by}")
        terminal.print(paragraph(hold.reason))
    _print_missing(terminal, "A later submission is missing", archive.missing, now)
    _print_deliveries(terminal, archive)
    _print_refused(terminal, archive.refused)
    _print_files(terminal, archive.files)
    if archive.signed_document_verdict:
        _print_verdict(terminal, archive.signed_document_verdict, archive)
        _print_judgements(terminal, archive.signed_document_verdict, archive.judgements)
    _print_payments(terminal, archive.payments)
    _print_each(terminal, "discrepancies", archive.discrepancies, partial(print_discrepancy, terminal))
    _print_each(terminal, "closed discrepancies", archive.closed_discrepancies, partial(print_discrepancy, terminal))
    warnings = [f"{each.code} at {each.where}: {each.detail}" for each in archive.warnings]
    _print_each(terminal, "warnings", warnings, lambda text: terminal.print(paragraph(text)))
    rows = [(each.state, each.event, each.attempts, each.endpoint) for each in archive.notifications]
    _print_table(terminal, "notifications", ("state", "event", "attempts", Folds("endpoint")), rows)
    _print_timeline(terminal, archive.timeline)
    # The last run first, since the last attempt says how the archive is.
    _print_each(terminal, "runs", archive.runs[::-1], partial(_print_run, terminal))


def print_process_without_archive(
    terminal: Console,
    reference: str,
    missing: Sequence[MissingView],
    timeline: Sequence[views.TimelineEntry],
    now: datetime,
) -> None:
    terminal.print(Text(cell(reference), style="bold"), soft_wrap=True)
    terminal.print(paragraph("No archive of this process was received. This is what is known of it:"))
    _print_missing(terminal, "The process is missing", missing, now)
    _print_timeline(terminal, timeline)


def _print_missing(terminal: Console, title: str, missing: Sequence[MissingView], now: datetime) -> None:
    for each in missing:
        _print_title(terminal, title)
        terminal.print(paragraph(missing_text(each.why, each.since, each.deadline_at, now)))


def _head(archive: views.ArchiveView) -> str:
    called = f" ({name})" if (name := archive.title.template.worded("en")) else ""
    described = f"process {archive.process_number or '–'}, template {archive.template_id or '–'}{called}"
    source = "" if archive.source == DEFAULT_SOURCE else f", source {archive.source}"
    wrong = f" ({', '.join(each.code for each in archive.conditions)})" if archive.conditions else ""
    return cell(f"{archive.state}{wrong}, {described}{source}")


def _times(archive: views.ArchiveView) -> str:
    completed = f"completed {_moment(archive.completed_at)}" if archive.completed_at else "not completed"
    checked = f", checked {_moment(archive.checked_at)}" if archive.checked_at else ""
    anchored = f", anchored {_moment(archive.anchored_at)}" if archive.anchored_at else ""
    return f"received {_moment(archive.received_at)}, {completed}{checked}{anchored} (times are in {settings().zone})"


def _print_cause(terminal: Console, archive: views.ArchiveView, cause: views.CauseView, now: datetime) -> None:
    title, then = "Waits since", "Then it goes on by itself, and no re-run is needed."
    if archive.state == State.FAILED:
        again = f"Then run it again: cellar rerun {shlex.quote(archive.reference)}"
        title, then = "Failed", again if heals_by_rerun(cause.code) else CAUSES[cause.code].to_do
    where = f" in {cause.task}" if cause.task else ""
    at = f"{_moment(cause.since)} ({age_text(now - cause.since)} ago)"
    _print_title(terminal, f"{title} {at}: {cause.code}{where}, attempt {cause.attempt}")
    terminal.print(paragraph(cause.sentence))
    terminal.print(paragraph(then))


def _print_deliveries(terminal: Console, archive: views.ArchiveView) -> None:
    """Print each delivery with its receipt, and the version that it made, else its outcome."""
    made = {each.receipt_id: each.version for each in archive.versions}

    def version_or_outcome(each: views.DeliveryView) -> object:
        return made.pop(each.receipt_id, each.outcome)

    rows = [(each.receipt_id, version_or_outcome(each), _moment(each.received_at)) for each in archive.deliveries]
    _print_table(terminal, "deliveries", ("receipt", "version", "received"), rows)


def _print_refused(terminal: Console, refused: Sequence[RefusedView]) -> None:
    rows = [
        (
            each.code,
            each.receipt_id[:_SHOWN_OF_RECEIPT],
            each.where or "–",
            "released" if each.released_at else "dismissed" if each.dismissed_at else "refused",
            _moment(each.received_at),
        )
        for each in refused
    ]
    _print_table(terminal, "refused deliveries", ("code", "receipt", Folds("where"), "state", "received"), rows)


def _print_files(terminal: Console, files: Sequence[views.FileView]) -> None:
    rows = [
        (
            each.role,
            each.filename or "–",
            decimal(each.size_bytes),
            each.infection,
            each.media_type or each.looks_like or "–",
        )
        for each in files
    ]
    _print_table(terminal, "files", ("role", Folds("name"), "size", Folds("infection"), Folds("type")), rows)


def _print_verdict(terminal: Console, verdict: Verdict, archive: views.ArchiveView) -> None:
    _print_title(
        terminal, "signed document, as it was: the archive is damaged now" if archive.is_damaged else "signed document"
    )
    outcome, *others = _in_english(document_text(verdict, archive.people)).items()
    terminal.print(paragraph(outcome[1] or ""))
    terminal.print(paragraph("; ".join(f"{label}: {answer}" for label, answer in others if answer)))
    changes = [tuple(each.values()) for each in field_change_texts(verdict)]
    heads = ("field", Folds("before"), Folds("after"), Folds("not seen by"))
    _print_table(terminal, "fields changed after signing", heads, changes)
    words = [tuple(each.values()) for each in covered_word_texts(verdict)]
    heads = ("page", Folds("words"), Folds("below the stamp of"), Folds("seen uncovered by"))
    _print_table(terminal, "words below stamps of later signatures", heads, words)
    texts = [
        _in_english({**about, **certificate})
        for about, certificate in zip(signature_texts(verdict), certificate_texts(verdict), strict=True)
    ]

    def _print_signature(of: dict[str, str | None]) -> None:
        kind, signer, organization = of.pop("kind"), of.pop("signer"), of.pop("organization")
        who = ", ".join(filter(None, (signer, organization))) or "nobody named"
        said = "; ".join(f"{label}: {answer or 'unknown'}" for label, answer in of.items())
        terminal.print(paragraph(f"{kind} of {who}; {said}"))

    _print_each(terminal, "digital signatures", texts, _print_signature)


def _in_english(judgements: Judgements) -> dict[str, str | None]:
    return {label: word(each) if each else None for label, each in judgements.items()}


def _print_judgements(terminal: Console, arrival: Verdict, judgements: Sequence[views.JudgementView]) -> None:
    rows = [
        (_moment(each.at), described(each.verdict), each.cellar, each.pyhanko, each.roots[:_SHOWN_OF_DIGEST])
        for each in judgements
    ]
    heads = ("judged", Folds("verdict"), "cellar", "pyHanko", "trust roots")
    _print_table(terminal, "judged again", heads, rows, are_last=True)
    said = described(judgements[-1].verdict if judgements else arrival)
    if said != described(arrival):
        text = f"Judged differently since its arrival: “{described(arrival)}” became “{said}”."
        terminal.print(paragraph(f"{text} Warnings follow the last judgement."))


def _print_payments(terminal: Console, payments: Sequence[PaymentView]) -> None:
    rows = [
        (
            each.transaction_id or "–",
            each.standing,
            amount_text(each.amount_minor, each.currency, exponent_of(each.currency), ENGLISH),
            each.status or "–",
            each.type or "–",
            each.card_last4 or "–",
        )
        for each in payments
    ]
    heads = ("transaction", "standing", "amount", "status", "type", "card")
    _print_table(terminal, "payments", heads, rows)


def _print_timeline(terminal: Console, timeline: Sequence[views.TimelineEntry]) -> None:
    """Print the last entries: what happened last says how the process is."""
    rows = [(_moment(each.at), each.kind, each.what, each.by or "") for each in timeline]
    _print_table(terminal, "timeline", ("time", "kind", Folds("what"), "by"), rows, are_last=True)


def _print_run(terminal: Console, run: views.RunView) -> None:
    terminal.print(paragraph(" ".join(_about(run))))
    # Not folded: a terminal copies a line that it breaks by itself as one line.
    terminal.print(Text(f"    {run.url or 'Prefect no longer keeps this run'}"), soft_wrap=True)


def _about(run: views.RunView) -> Iterator[str]:
    yield f"{run.state}, {run.trigger}, attempt {run.attempt}, {_moment(run.started_at)}"
    if run.ended_at:
        took = run.ended_at - run.started_at
        yield f"for {took.total_seconds():.1f} s" if took < timedelta(minutes=2) else f"for {age_text(took)}"
    if run.cause:
        yield f"– {run.cause.code}"
    if run.failed_task:
        yield f"in {run.failed_task}"


def _print_table(
    terminal: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], *, are_last: bool = False
) -> None:
    """Print the first rows of a section, or the last."""
    if rows:
        _print_title(terminal, title)
        print_fitted(terminal, heads, rows[-_MOST_SHOWN:] if are_last else rows[:_MOST_SHOWN])
        _print_left(terminal, len(rows))


def _print_each(terminal: Console, title: str, found: Sequence[Found], show: Callable[[Found], None]) -> None:
    """Print a section by what `show` prints of each of the first."""
    if found:
        _print_title(terminal, title)
    for each in found[:_MOST_SHOWN]:
        show(each)
    _print_left(terminal, len(found))


def _print_title(terminal: Console, title: str) -> None:
    terminal.print()
    terminal.print(Text(title, style="bold"))


def _print_left(terminal: Console, count: int) -> None:
    if count > _MOST_SHOWN:
        terminal.print(paragraph(f"and {count - _MOST_SHOWN:,} more; --json shows all"))


def _moment(moment: datetime) -> str:
    return time_text(moment, "seconds")
