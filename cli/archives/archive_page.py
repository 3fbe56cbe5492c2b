"""The page of `cellar show`: an archive as a person reads it in 100 columns.

Ids that people copy, and URLs, are whole. Texts fold between words. A long section shows its first rows, and how many
rows are left.
"""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table
from rich.text import Text

from adapters.settings.settings import settings
from adapters.words.languages import worded
from cli.terminal import cell, paragraph, print_discrepancy, time_text
from domain.archive.signed_document import described
from domain.archive.verdict_text import (
    Judgements,
    certificate_texts,
    document_text,
    field_change_texts,
    signature_texts,
)
from domain.completeness.missing import missing_text
from domain.payments.amounts import amount_text, exponent_of
from domain.runs import age_text, heals_by_rerun
from domain.words.catalogue import word
from domain.words.causes import CAUSES
from models.archive.archive import State
from models.archive.verdict import Verdict
from models.runs.receipt import DEFAULT_SOURCE
from models.said import said_of
from models.views.archives.archives import (
    ArchiveView,
    CauseView,
    DeliveryView,
    FileView,
    JudgementView,
    RunView,
    TimelineEntry,
)
from models.views.archives.payments import PaymentView
from models.views.troubles import MissingView, RefusedView

_MOST_SHOWN = 50
_SHOWN_OF_RECEIPT = 12  # enough for `cellar quarantine show`
_SHOWN_OF_DIGEST = 12


def print_archive(terminal: Console, archive: ArchiveView, now: datetime) -> None:
    terminal.print(Text(cell(archive.reference), style="bold"), soft_wrap=True)
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
    _print_missing(terminal, "A later submission is missing", archive.missing, now)
    _print_deliveries(terminal, archive)
    _print_refused(terminal, archive.refused)
    _print_files(terminal, archive.files)
    if archive.signed_document_verdict:
        _print_verdict(terminal, archive.signed_document_verdict, is_damaged=archive.is_damaged)
        _print_judgements(terminal, archive.signed_document_verdict, archive.judgements)
    _print_payments(terminal, archive.payments)
    _print_discrepancies(terminal, archive)
    _print_remarks(terminal, archive)
    _print_timeline(terminal, archive.timeline)
    _print_runs(terminal, archive.runs)


def print_process_without_archive(
    terminal: Console, reference: str, missing: Sequence[MissingView], timeline: Sequence[TimelineEntry], now: datetime
) -> None:
    terminal.print(Text(cell(reference), style="bold"), soft_wrap=True)
    terminal.print(paragraph("No archive of this process was received. This is what is known of it:"))
    _print_missing(terminal, "The process is missing", missing, now)
    _print_timeline(terminal, timeline)


def _print_missing(terminal: Console, title: str, missing: Sequence[MissingView], now: datetime) -> None:
    for each in missing:
        _print_title(terminal, title)
        terminal.print(paragraph(missing_text(each.why, each.since, each.deadline_at, now)))


def _head(archive: ArchiveView) -> str:
    described = f"process {archive.process_number or '–'}, template {archive.template_id or '–'}"
    source = "" if archive.source == DEFAULT_SOURCE else f", source {archive.source}"
    wrong = f" ({', '.join(each.code for each in archive.conditions)})" if archive.conditions else ""
    return cell(f"{archive.state}{wrong}, {described}{source}")


def _times(archive: ArchiveView) -> str:
    completed = f"completed {_moment(archive.completed_at)}" if archive.completed_at else "not completed"
    checked = f", checked {_moment(archive.checked_at)}" if archive.checked_at else ""
    anchored = f", anchored {_moment(archive.anchored_at)}" if archive.anchored_at else ""
    return f"received {_moment(archive.received_at)}, {completed}{checked}{anchored} (times are in {settings().zone})"


def _print_cause(terminal: Console, archive: ArchiveView, cause: CauseView, now: datetime) -> None:
    title, then = "Waits since", "Then it goes on by itself, and no re-run is needed."
    if archive.state == State.FAILED:
        again = f"Then run it again: cellar rerun {shlex.quote(archive.reference)}"
        title, then = "Failed", again if heals_by_rerun(cause.code) else CAUSES[cause.code].to_do
    where = f" in {cause.task}" if cause.task else ""
    at = f"{_moment(cause.since)} ({age_text(now - cause.since)} ago)"
    _print_title(terminal, f"{title} {at}: {cause.code}{where}, attempt {cause.attempt}")
    terminal.print(paragraph(cause.sentence))
    terminal.print(paragraph(then))


def _print_deliveries(terminal: Console, archive: ArchiveView) -> None:
    """Print each delivery with its receipt, and the version that it made, else its outcome."""
    made = {each.receipt_id: each.version for each in archive.versions}

    def version_or_outcome(each: DeliveryView) -> object:
        return made.pop(each.receipt_id, each.outcome)

    rows = [(version_or_outcome(each), _moment(each.received_at), each.receipt_id) for each in archive.deliveries]
    _print_table(terminal, "deliveries", ["version", "received", Column("receipt", no_wrap=True)], rows)


def _print_refused(terminal: Console, refused: Sequence[RefusedView]) -> None:
    rows = [
        (
            each.code,
            each.where or "–",
            "released" if each.released_at else "dismissed" if each.dismissed_at else "refused",
            _moment(each.received_at),
            each.receipt_id[:_SHOWN_OF_RECEIPT],
        )
        for each in refused
    ]
    _print_table(terminal, "refused deliveries", ["code", "where", "state", "received", "receipt"], rows)


def _print_files(terminal: Console, files: Sequence[FileView]) -> None:
    infected = any(each.infection for each in files)
    columns: list[str | Column] = [
        Column("role", no_wrap=True),
        Column("name", overflow="fold"),
        Column("size", justify="right", no_wrap=True),
        Column("type", overflow="ellipsis"),
    ]
    rows = [
        (each.role, each.filename or "–", decimal(each.size_bytes), each.media_type or each.looks_like or "–")
        + ((each.infection,) if infected else ())
        for each in files
    ]
    _print_table(terminal, "files", [*columns, *(["infection"] if infected else [])], rows)


def _print_verdict(terminal: Console, verdict: Verdict, *, is_damaged: bool) -> None:
    _print_title(
        terminal, "signed document, as it was: the archive is damaged now" if is_damaged else "signed document"
    )
    outcome, *others = _in_english(document_text(verdict)).items()
    terminal.print(paragraph(outcome[1] or ""))
    terminal.print(paragraph("; ".join(f"{label}: {answer}" for label, answer in others)))
    changes = [tuple(each.values()) for each in field_change_texts(verdict)]
    columns: list[str | Column] = [
        Column(name, overflow="fold") for name in ("field", "before", "after", "not seen by")
    ]
    _print_table(terminal, "fields changed after signing", columns, changes)
    texts = [
        _in_english({**about, **certificate})
        for about, certificate in zip(signature_texts(verdict), certificate_texts(verdict), strict=True)
    ]
    if texts:
        _print_title(terminal, "digital signatures")
    for each in texts[:_MOST_SHOWN]:
        kind, signer, organization = each.pop("kind"), each.pop("signer"), each.pop("organization")
        who = ", ".join(filter(None, (signer, organization))) or "nobody named"
        said = "; ".join(f"{label}: {answer or 'unknown'}" for label, answer in each.items())
        terminal.print(paragraph(f"{kind} of {who}; {said}"))
    _print_left(terminal, len(texts))


def _in_english(judgements: Judgements) -> dict[str, str | None]:
    return {label: word(each) if each else None for label, each in judgements.items()}


def _print_judgements(terminal: Console, arrival: Verdict, judgements: Sequence[JudgementView]) -> None:
    if not judgements:
        return
    _print_title(terminal, "judged again")
    rows = [
        (_moment(each.at), described(each.verdict), each.cellar, each.pyhanko, each.roots[:_SHOWN_OF_DIGEST])
        for each in judgements
    ]
    _print_rows(terminal, ["judged", "verdict", "cellar", "pyHanko", "trust roots"], rows[-_MOST_SHOWN:])
    _print_left(terminal, len(rows))
    said = described(judgements[-1].verdict)
    if said != described(arrival):
        text = f"Judged differently since its arrival: “{described(arrival)}” became “{said}”."
        terminal.print(paragraph(f"{text} Warnings follow the last judgement."))


def _print_payments(terminal: Console, payments: Sequence[PaymentView]) -> None:
    rows = [
        (
            each.transaction_id or "–",
            each.standing,
            amount_text(each.amount_minor, each.currency, exponent_of(each.currency)),
            each.status or "–",
            each.type or "–",
            each.card_last4 or "–",
        )
        for each in payments
    ]
    columns: list[str | Column] = [
        Column("transaction", overflow="fold", min_width=min(36, max((len(row[0]) for row in rows), default=0))),
        Column("standing", no_wrap=True),
        Column("amount", justify="right", overflow="fold"),
        "status",
        Column("type", no_wrap=True),
        "card",
    ]
    _print_table(terminal, "payments", columns, rows)


def _print_discrepancies(terminal: Console, archive: ArchiveView) -> None:
    for title, found in (
        ("discrepancies", archive.discrepancies),
        ("closed discrepancies", archive.closed_discrepancies),
    ):
        if found:
            _print_title(terminal, title)
        for each in found[:_MOST_SHOWN]:
            print_discrepancy(terminal, each)
        _print_left(terminal, len(found))


def _print_remarks(terminal: Console, archive: ArchiveView) -> None:
    if archive.warnings:
        _print_title(terminal, "warnings")
    for each in archive.warnings[:_MOST_SHOWN]:
        terminal.print(paragraph(f"{each.code} at {each.where}: {each.detail}"))
    _print_left(terminal, len(archive.warnings))
    rows = [(each.state, each.event, each.attempts, each.endpoint) for each in archive.notifications]
    columns: list[str | Column] = ["state", "event", "attempts", Column("endpoint", overflow="fold")]
    _print_table(terminal, "notifications", columns, rows)


def _print_timeline(terminal: Console, timeline: Sequence[TimelineEntry]) -> None:
    """Print the last entries: what happened last says how the process is."""
    rows = [(_moment(each.at), each.kind, each.what, each.by or "") for each in timeline]
    if rows:
        _print_title(terminal, "timeline")
        _print_rows(terminal, ["time", "kind", Column("what", overflow="fold"), "by"], rows[-_MOST_SHOWN:])
        _print_left(terminal, len(rows))


def _print_runs(terminal: Console, runs: Sequence[RunView]) -> None:
    """Print the runs, the last first, since the last attempt says how the archive is."""
    if runs:
        _print_title(terminal, "runs")
    for each in reversed(runs[-_MOST_SHOWN:]):
        terminal.print(paragraph(" ".join(_about(each))))
        # Not folded: a terminal copies a line that it breaks by itself as one line.
        terminal.print(Text(f"    {each.url or 'Prefect no longer keeps this run'}"), soft_wrap=True)
    _print_left(terminal, len(runs))


def _about(run: RunView) -> Iterator[str]:
    yield f"{run.state}, {run.trigger}, attempt {run.attempt}, {_moment(run.started_at)}"
    if run.ended_at:
        yield f"for {_duration(run.ended_at - run.started_at)}"
    if run.cause:
        yield f"– {run.cause.code}"
    if run.failed_task:
        yield f"in {run.failed_task}"


def _duration(took: timedelta) -> str:
    return f"{took.total_seconds():.1f} s" if took < timedelta(minutes=2) else age_text(took)


def _print_table(
    terminal: Console, title: str, columns: Sequence[str | Column], rows: Sequence[Sequence[object]]
) -> None:
    if not rows:
        return
    _print_title(terminal, title)
    _print_rows(terminal, columns, rows[:_MOST_SHOWN])
    _print_left(terminal, len(rows))


def _print_rows(terminal: Console, columns: Sequence[str | Column], rows: Sequence[Sequence[object]]) -> None:
    table = Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    terminal.print(table)


def _print_title(terminal: Console, title: str) -> None:
    terminal.print()
    terminal.print(Text(title, style="bold"))


def _print_left(terminal: Console, count: int) -> None:
    if count > _MOST_SHOWN:
        terminal.print(paragraph(f"and {count - _MOST_SHOWN:,} more; --json shows all"))


def _moment(moment: datetime) -> str:
    return time_text(moment, "seconds")
