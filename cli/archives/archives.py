"""`cellar list`, `cellar show`: lists and shows archives."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from cli.archives.archive_page import print_archive, print_process_without_archive
from cli.results import print_page
from cli.terminal import Json, console, named_options, print_json, table_of, time_option, time_text
from models.runs.receipt import DEFAULT_SOURCE
from models.views.archives.archives import ArchiveQuery, ArchiveSummary, TimelineKind
from models.views.troubles import MissingQuery
from services.receipts import unknown_reference
from services.views import archive_list, archive_view, troubles
from services.views.differences import version_differences
from services.views.timeline import timeline_of

_ALWAYS = ("reference", "state", "process", "received")
_CONTENT = ("template", "files", "warn.", "disc.")
_NARROWED = ("source", "template", "cause")
_WIDE = 90  # narrower terminals fold or cut more columns


def archive_table(archives: Sequence[ArchiveSummary], width: int) -> Table:
    """Return a table of archives. If an archive failed, waits or has a condition, causes take the place of templates
    and counts. The source has a column where an archive has a source of its own.
    """
    has_causes = any(each.cause or each.conditions for each in archives)
    has_sources = any(each.source != DEFAULT_SOURCE for each in archives)
    heads = [*(["source"] if has_sources else []), *(["cause"] if has_causes else _CONTENT)]
    rows = [
        (
            *_identity(each),
            *([each.source] if has_sources else []),
            *([_cause(each)] if has_causes else _content(each)),
        )
        for each in archives
    ]
    table = table_of((*_ALWAYS, *heads), rows)
    table.padding, table.show_edge = (0, 0, 0, 0), False
    if width >= _WIDE:
        for column in table.columns:
            column.no_wrap = column.header not in _NARROWED
    return table


def _identity(found: ArchiveSummary) -> list[object]:
    received = time_text(found.received_at)
    return [found.reference, found.state, found.process_number, received]


def _content(found: ArchiveSummary) -> list[object]:
    return [found.template_id, found.files, found.warnings, found.discrepancies]


def _cause(found: ArchiveSummary) -> str | None:
    cause = [f"{found.cause.code} {found.cause.task or ''}".rstrip()] if found.cause else []
    return ", ".join([*cause, *found.conditions]) or None


def list_archives(  # noqa: PLR0913 -- an option per filter
    *,
    reference: Annotated[str | None, typer.Option(help="A full process reference.")] = None,
    process_number: Annotated[int | None, typer.Option(help="A process number.")] = None,
    transaction_number: Annotated[int | None, typer.Option(help="A transaction number.")] = None,
    session: Annotated[str | None, typer.Option(help="A session id.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label, as KEY=VALUE. Repeat for more labels.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="A form field, as FIELD=VALUE. Repeat for more.")] = None,
    template: Annotated[str | None, typer.Option(help="A template id.")] = None,
    source: Annotated[str | None, typer.Option(help="The name of a source, or default.")] = None,
    state: Annotated[str | None, typer.Option(help="received, processing, completed or failed.")] = None,
    cause: Annotated[str | None, typer.Option(help="Why archives failed or wait: a code, like STORE_AWAY.")] = None,
    attention: Annotated[
        bool | None,
        typer.Option(help="Archives with a failure, condition, warning, refused delivery or unexplained discrepancy."),
    ] = None,
    condition: Annotated[str | None, typer.Option(help="A current condition: a code, like RUN_FAILED.")] = None,
    discrepancy: Annotated[str | None, typer.Option(help="A code, like AMOUNT_MISMATCH.")] = None,
    standing: Annotated[
        str | None, typer.Option(help="A payment's standing: verified, held, charged, settled, failed or unknown.")
    ] = None,
    filename: Annotated[str | None, typer.Option(help="The full name of a file.")] = None,
    signer: Annotated[str | None, typer.Option(help="The full name of a signer or a recipient.")] = None,
    warning: Annotated[str | None, typer.Option(help="A code, like SIGNER_UNKNOWN.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Verdict on the document: sound, changed, broken, …")] = None,
    received_after: Annotated[datetime | None, time_option("Arrived after a time")] = None,
    received_before: Annotated[datetime | None, time_option("Arrived before a time")] = None,
    q: Annotated[str | None, typer.Option(help="Words to find in references, names, labels and file names.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the previous page.")] = None,
    limit: Annotated[int, typer.Option(help="Archives per page, at most 500.")] = 50,
    as_json: Json = False,
) -> None:
    """List archives, newest first."""
    with named_options():
        query = ArchiveQuery(
            reference=reference, process_number=process_number, transaction_number=transaction_number,
            session=session, label=label or [], field=field or [], template=template, source=source, state=state,
            cause=cause, attention=attention, condition=condition, discrepancy=discrepancy,
            standing=standing, filename=filename, signer=signer, warning=warning, verdict=verdict,
            received_after=received_after, received_before=received_before, q=q, cursor=cursor, limit=limit,
        )  # fmt: skip
    print_page(archive_list.page(query), _print_list, nothing="No archive matches.", as_json=as_json)


def _print_list(found: Sequence[ArchiveSummary]) -> None:
    terminal = console()
    terminal.print(archive_table(found, terminal.width))


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
    archive = archive_view.archive(reference, archive_view.WHOLE)
    if archive is None:
        _show_without_archive(reference, as_json=as_json)
        raise typer.Exit(1)
    if as_json:
        print_json(archive)
        return
    print_archive(console(), archive, datetime.now(UTC))


def _show_without_archive(reference: str, *, as_json: bool) -> None:
    """Show the timeline of a process of which only session events came.

    Raises:
        Refused: nothing of the process came; or only refused deliveries, which the error names.
    """
    found, missing = timeline_of(reference), troubles.missing_page(MissingQuery(reference=reference)).items
    if all(each.kind is TimelineKind.DELIVERY for each in found):
        raise unknown_reference(reference)
    if as_json:
        findings = [each.model_dump(mode="json") for each in missing]
        timeline = [each.model_dump(mode="json") for each in found]
        typer.echo(json.dumps({"reference": reference, "state": None, "missing": findings, "timeline": timeline}))
        return
    print_process_without_archive(console(), reference, missing, found, datetime.now(UTC))


def _show_differences(reference: str, before: int, after: int, *, as_json: bool) -> None:
    found = version_differences(reference, before, after, most_values=None)
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
    console().print(table_of(("kind", "key", "change", "member", f"version {before}", f"version {after}"), rows))
