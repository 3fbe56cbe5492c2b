"""`/console/person`: finds a person by what they are asked for, and exports all that is kept of them.

What is searched is posted, so that it is in no address.
"""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.access import CallerOf, acts
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread, in_thread_of_exports
from api.console.frame.visits import Form, Posted
from api.console.pages.archives import files
from models.access import Action, Caller
from models.errors import Refused
from services.evidence.package import write_package
from services.views import person

_FINDS = acts(Action.FIND_PERSON)
router = APIRouter()


@router.get("/person", dependencies=[acts(Action.FIND_PERSON, of_nobody=True)])
def ask(request: Request) -> Response:
    return render(request, "person.html", values=[], found=None, wrong=None)


@router.post("/person", dependencies=[_FINDS])
async def find(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Show a page of what names the person."""
    values = _values(form)
    try:
        found = await in_thread(person.page, person.wanted_of(values), caller, form.text("cursor") or None)
    except Refused as refused:
        return render(request, "person.html", 422, values=values, found=None, wrong=refused.detail)
    return render(request, "person.html", values=values, found=found, wrong=None)


@router.post("/person/export", dependencies=[_FINDS])
async def export(form: Posted, caller: CallerOf) -> Response:
    """Return all that is kept of the person as a zip. Its name says nothing of them."""
    path = await in_thread_of_exports(_exported, _values(form), caller)
    return files.handed_out(path, f"person-{datetime.now(UTC):%Y-%m-%d}.zip")


def _values(form: Form) -> list[str]:
    return [each.strip() for each in form.texts("value") if each.strip()]


def _exported(values: list[str], caller: Caller) -> Path:
    with files.new_export("person.zip") as path:
        write_package(values, path, datetime.now(UTC), caller)
    return path
