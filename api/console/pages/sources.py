"""`/console/sources`: the sources, whether each still delivers, and the change of their secrets."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Posted
from models.access import Action
from models.sources import StatedTerms
from services import sources
from services.sources import WithSecret
from services.views import source_list

PATH = f"{ROOT}/sources"
router = APIRouter()


@router.get("/sources", dependencies=[acts(Action.READ_SETTINGS)])
def list_sources(request: Request) -> Response:
    return render(request, "sources/list.html", sources=source_list.all_sources().items)


@router.post("/sources", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def add(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Add a source with the terms of the settings, and show its secret this once."""
    made = await in_thread(sources.add, form.text("name"), StatedTerms(), caller.name, datetime.now(UTC))
    return await in_thread(_shown, request, made.source.name, made)


@router.get("/sources/{name}", dependencies=[acts(Action.READ_SETTINGS)])
def read(request: Request, name: str) -> Response:
    return _shown(request, name)


def _shown(request: Request, name: str, made: WithSecret | None = None) -> Response:
    """Show a source. `made`: with its new secret, which is shown this once."""
    found = source_list.one_source(name)
    hours, refused = source_list.week_of(name, datetime.now(UTC))
    key = sources.signing_key_of(made.source.secrets[0].sha256) if made and found.terms.signature else None
    return render(request, "sources/source.html", found=found, hours=hours, refused=refused, made=made, signing_key=key)


@router.post("/sources/{name}/rotate", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def rotate(request: Request, name: str, form: Posted) -> Response:
    """Give a source a new secret, and show it this once. The secrets before it open for some hours more."""
    made = await in_thread(sources.rotate, name, timedelta(hours=form.hours("overlap_h")), datetime.now(UTC))
    return await in_thread(_shown, request, name, made)


@router.post("/sources/{name}/{change}", dependencies=[acts(Action.CHANGE_SETTINGS)])
def change(name: str, change: Literal["disable", "enable"], caller: CallerOf) -> Response:
    if change == "disable":
        sources.disable(name, caller.name, datetime.now(UTC))
    else:
        sources.enable(name)
    return see(f"{PATH}/{name}")
