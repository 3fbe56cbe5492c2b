"""`/console/tables`: the tables for data teams, each as a file."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread, in_thread_of_exports
from domain.tables.names import form_table
from models.access import Action
from models.tables import NO_NAMES
from services import table_process, tables

PATH = f"{ROOT}/tables"
FORM = "form"
"""In place of the name of a table: the form table of the template."""
_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
_MOST_SHOWN = 200
router = APIRouter()


@router.get("/tables", dependencies=[acts(Action.EXPORT_TABLE, of_nobody=True)])
def list_tables(request: Request, caller: CallerOf) -> Response:
    return render(request, "tables.html", tables=tables.listed(caller), path=PATH, form=FORM, endings=_TYPES)


@router.get("/tables/{name}.{ending}", dependencies=[acts(Action.EXPORT_TABLE)])
async def export(
    name: str, ending: Literal["parquet", "csv"], caller: CallerOf, template: str | None = None
) -> StreamingResponse:
    """Return a table as a file, as the caller's role gets it."""
    known = None if name == FORM else name
    named, pieces = await in_thread_of_exports(table_process.exported, known, template, caller, ending)
    headers = {"content-disposition": f'attachment; filename="{named}-{datetime.now(UTC):%Y-%m-%d}.{ending}"'}
    return StreamingResponse((piece for _, piece in pieces), media_type=_TYPES[ending], headers=headers)


@router.get("/tables/{name}", dependencies=[acts(Action.EXPORT_TABLE, of_nobody=True)])
async def describe(request: Request, name: str, caller: CallerOf, template: str | None = None) -> Response:
    """Show the columns of a table, as the caller's role gets them."""
    its = await in_thread_of_exports(tables.described, None if name == FORM else name, template, caller)
    shown = form_table(template or "") if name == FORM else name
    more = max(0, len(its) - _MOST_SHOWN)
    named_first = sorted(its, key=lambda each: (each.column.names == NO_NAMES, -(each.filled or 0)))
    found = named_first[:_MOST_SHOWN] if more else its
    return await in_thread(render, request, "columns.html", name=shown, columns=found, more=more)
