"""The table of `cellar list`, which fits in 100 columns: a reference is whole, a template may end in an ellipsis."""

from collections.abc import Sequence

from rich.table import Table

from cli.terminal import table_of, time_text
from models.runs.receipt import DEFAULT_SOURCE
from models.views.archives.archives import ArchiveSummary

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
