"""`cellar list`: lists archives. It imports the least that a list needs, since people call it often."""

from datetime import datetime
from typing import Annotated

import typer

from cli.person import shell
from cli.results import print_list
from cli.terminal import Csv, Folds, Json, Wide, named_options, time_option, time_text
from domain.titles import title_text
from models.runs.receipt import DEFAULT_SOURCE
from models.views.archives.archives import ArchiveQuery, ArchiveSummary
from services.views import archive_list

LISTED = (
    "reference",
    "state",
    Folds("cause"),
    Folds("title"),
    "received",
    "process",
    "source",
    "template",
    "files",
    "warnings",
    "discrepancies",
)


def row(found: ArchiveSummary) -> tuple[object, ...]:
    """Return an archive as a row of `LISTED`."""
    cause = [f"{found.cause.code} {found.cause.task or ''}".rstrip()] if found.cause else []
    source = None if found.source == DEFAULT_SOURCE else found.source
    head = (found.reference, found.state, ", ".join([*cause, *found.conditions]), title_text(found.title))
    counts = (found.files, found.warnings, found.discrepancies)
    return *head, time_text(found.received_at), found.process_number, source, found.template_id, *counts


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
    wide: Wide = False,
    as_csv: Csv = False,
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
    page, nothing = archive_list.page(query, shell()), "No archive matches."
    print_list(page, LISTED, row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)
