"""`cellar list`: lists archives. It imports the least that a list needs, since people call it often."""

from cli.options import filters, shell
from cli.results import print_list
from cli.terminal import Csv, Folds, Json, Wide, time_text
from domain.titles import title_text
from models.runs.receipt import DEFAULT_SOURCE
from models.views.archives.archives import ArchiveQuery, ArchiveSummary
from services.views import archive_list

LISTED = (
    *("reference", "state", Folds("cause"), Folds("title"), "received", "process", "source", "template"),
    *("files", "warnings", "discrepancies"),
)


def row(found: ArchiveSummary) -> tuple[object, ...]:
    """Return an archive as a row of `LISTED`."""
    cause = [f"{found.cause.code} {found.cause.task or ''}".rstrip()] if found.cause else []
    source = None if found.source == DEFAULT_SOURCE else found.source
    about = [*cause, *found.conditions, *(["on legal hold"] if found.held else [])]
    head = (found.reference, found.state, ", ".join(about), title_text(found.title))
    counts = (found.files, found.warnings, found.discrepancies)
    return *head, time_text(found.received_at), found.process_number, source, found.template_id, *counts


@filters(ArchiveQuery, "references")
def list_archives(query: ArchiveQuery, *, wide: Wide = False, as_csv: Csv = False, as_json: Json = False) -> None:
    """List archives, newest first."""
    page, nothing = archive_list.page(query, shell()), "No archive matches."
    print_list(page, LISTED, row, nothing=nothing, wide=wide, as_csv=as_csv, as_json=as_json)
