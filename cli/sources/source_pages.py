"""Prints sources for people."""

from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal import cell, table_of, time_text
from models.views.sources import ListedSource, NewSecret, Sources, SourceView

_HEADS = ("source", "state", "archives", "last delivery", "time zone", "amounts", "purge h", "secrets")


def sources_table(found: Sources) -> Table:
    return table_of(_HEADS, [_row(each) for each in found.items])


def print_warnings(terminal: Console, found: Sources) -> None:
    for each in found.items:
        if each.clock_warning:
            terminal.print(Text(cell(f"warning: {each.clock_warning}")), soft_wrap=True)


def print_source(terminal: Console, found: SourceView) -> None:
    stated = set(found.terms.stated)
    lines = {"source": found.name, "URL": found.url, "state": _state(found), "secrets": _secrets(found)}
    for name, value in found.terms.model_dump(exclude={"stated"}).items():
        lines[name.replace("_", " ")] = f"{value}" if name in stated else f"{value} (of the settings)"
    for name, text in lines.items():
        terminal.print(Text(cell(f"{name:18} {text}")), soft_wrap=True)


def print_new_secret(terminal: Console, made: NewSecret) -> None:
    print_source(terminal, made.source)
    terminal.print(
        Text("\nEnter in Cellosign, as the URL and the secret of the webhook. The secret is shown this once:")
    )
    terminal.print(Text(f"  {cell(made.source.url)}\n  {made.secret}"), soft_wrap=True)


def _row(found: ListedSource) -> list[object]:
    terms = found.terms
    purged = f"{terms.success_purge_h}/{terms.failure_purge_h}"
    counts = [found.archives, _minute(found.last_delivery_at)]
    return [found.name, _state(found), *counts, terms.timezone, terms.amount_unit, purged, _secrets(found)]


def _state(found: SourceView) -> str:
    return f"disabled {_minute(found.disabled_at)} by {found.disabled_by}" if found.disabled_at else "enabled"


def _secrets(found: SourceView) -> str:
    if found.created_at is None:
        return "of the settings"
    ends = [time_text(each.until) for each in found.secrets if each.until]
    return f"{len(found.secrets)}, of which until {', '.join(ends)}" if ends else str(len(found.secrets))


def _minute(moment: datetime | None) -> str:
    return time_text(moment) if moment else "–"
