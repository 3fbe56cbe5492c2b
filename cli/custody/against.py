"""The option `--against` of `cellar verify`: how far the store was held against an anchor."""

from typing import Annotated

import typer

from cli.terminal import time_text
from services.anchors.holding import Held

Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="ROOT",
        help="Hold the store against an anchor too: its root, or the path of its statement as the witness has it.",
    ),
]


def print_held(held: Held) -> None:
    """Print how far an anchor covers the store."""
    if held.at is None:
        typer.echo(f"no anchor has the root {held.root}; compare it with your note, since a digit may be wrong")
        return
    typer.echo(
        f"anchor {held.number} of {time_text(held.at)}: archives and reports covered: {held.covered:,}, "
        f"with newer versions: {held.newer:,}, not covered: {held.uncovered:,}"
    )


def json_of(held: Held | None) -> dict[str, object]:
    """Return what `--json` adds. The findings are among those of the check."""
    if held is None:
        return {}
    at = held.at and held.at.isoformat()
    counts = {"covered": held.covered, "newer": held.newer, "uncovered": held.uncovered}
    return {"against": {"root": held.root, "number": held.number, "at": at, **counts}}
