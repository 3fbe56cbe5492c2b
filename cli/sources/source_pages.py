"""Prints sources for people."""

from datetime import datetime

from rich.text import Text

from cli.results import say
from cli.terminal import console, table_of, time_text
from models.views.sources import ListedSource, NewSecret, Sources, SourceView

_HEADS = ("source", "state", "archives", "last delivery", "time zone", "amounts", "purge h", "secrets")


def print_sources(found: Sources) -> None:
    console().print(table_of(_HEADS, map(_row, found.items)))
    for each in found.items:
        if each.clock_warning:
            say(f"warning: {each.clock_warning}")


def print_source(found: SourceView) -> None:
    stated = set(found.terms.stated)
    lines = {"source": found.name, "URL": found.url, "state": _state(found), "secrets": _secrets(found)}
    for name, value in found.terms.model_dump(exclude={"stated"}).items():
        lines[name.replace("_", " ")] = f"{value}" if name in stated else f"{value} (of the settings)"
    for name, text in lines.items():
        say(f"{name:18} {text}")


def print_new_secret(made: NewSecret) -> None:
    print_source(made.source)
    what_to_do = "Enter in Cellosign, as the URL and the secret of the webhook. The secret is shown this once:"
    console().print(Text(f"\n{what_to_do}"))
    say(f"  {made.source.url}")
    say(f"  {made.secret}")


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
