"""The option `--against` of `cellar verify`: how far the store was held against an anchor."""

from typing import Annotated

import typer

from services.anchors.holding import Held

Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="ROOT",
        help="Hold the store against an anchor too: its root, or the path of its statement as the witness has it.",
    ),
]


def print_held(held: Held, *, as_json: bool) -> None:
    """Print how far an anchor covers the store; as a note on standard error beside JSON, which has the findings."""
    if held.at is None:
        typer.echo(f"no anchor has the root {held.root}", err=as_json)
        return
    newer = f", {held.newer:,} of them with newer versions" if held.newer else ""
    typer.echo(
        f"anchor {held.number} of {held.at:%Y-%m-%d %H:%M} UTC covers {held.covered:,} archives and reports{newer}; "
        f"{held.uncovered:,} archives are not covered by it",
        err=as_json,
    )
