"""`cellar erase`: plans the erasure of archives, which another person confirms."""

from typing import Annotated

import typer

from adapters.settings.settings import settings
from cli.batches.batches import DryRun, Yes, follow_to_end, propose
from cli.options import filters
from cli.terminal import Json
from models.runs.batch import BatchKind
from models.views.batch import ErasureFilter, ErasurePlan


@filters(ErasureFilter, "reference", "references")
def erase(
    chosen: ErasureFilter,
    references: Annotated[list[str] | None, typer.Argument(help="Process references.")] = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Erase archives for good: each REFERENCE, or all that match the filters. Nothing brings them back.

    Shows a plan: what is removed, what a hold forbids, and what stays until when. Another person confirms it with
    `cellar bulk confirm ID`; with CELLAR_ERASE_APPROVERS=1 you confirm it yourself. --reason stays in the tombstones.
    Exits with 1 if a REFERENCE is not in the plan, or a hold forbids all that matches.
    """
    needs_another = settings().erase_approvers > 1
    chosen = chosen.model_copy(update={"references": references or []})
    plans_only = dry_run or needs_another
    plan, batch_id = propose(BatchKind.ERASE, chosen, dry_run=plans_only, yes=yes, as_json=as_json)
    if batch_id:
        follow_to_end(batch_id, as_json=as_json)
    elif plan.planned and needs_another and not dry_run and not as_json:
        typer.echo(
            "Nothing is erased yet. Another person runs `cellar bulk confirm ID`, or confirms it in the console."
        )
    left_out = len(set(chosen.references)) - plan.planned
    if left_out > 0:
        typer.echo(f"{left_out} of the archives that you name are not in the plan.", err=True)
    is_forbidden = not plan.planned and isinstance(plan.plan, ErasurePlan) and plan.plan.held > 0
    if left_out > 0 or is_forbidden:
        raise typer.Exit(1)
