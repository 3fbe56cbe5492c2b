"""The columns of the list of archives: which there are, and which a person or a link chooses."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from api.console.frame import cookies
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.visits import Person, own_path
from domain.words.wording import N_

FIELD = "column"
"""The name of a column's field in forms and links."""
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list. The reference has none of these, since it always stays."""

    name: str
    title: str


COLUMNS = (
    Column("state", N_("State")),
    Column("cause", N_("Cause")),
    Column("process_number", N_("Process")),
    Column("template_id", N_("Template")),
    Column("source", N_("Source")),
    Column("received_at", N_("Received")),
    Column("completed_at", N_("Completed")),
    Column("files", N_("Files")),
    Column("remarks", N_("Remarks")),
)
_DEFAULT = {"state", "process_number", "template_id", "received_at", "files", "remarks"}


def columns_of(request: Request) -> tuple[Column, ...]:
    """Return the columns of a page: those that its link names, else the person's choice, else the default."""
    linked = request.query_params.getlist(FIELD)
    chosen = linked or cookies.columns_choice(request)
    return _known(_DEFAULT if chosen is None else chosen)


def pairs_of(columns: Iterable[Column]) -> list[tuple[str, str]]:
    """Return the fields by which a link names columns: the reference stands for no other column."""
    return [(FIELD, each.name) for each in columns] or [(FIELD, "reference")]


@router.post("/columns")
async def choose(request: Request, form: Posted, _person: Person) -> Response:
    """Keep a person's choice of columns in their browser, and show the list again."""
    response = see(own_path(form.text("then")))
    if form.text("default"):
        cookies.forget_columns(request, response)
    else:
        cookies.keep_columns(request, response, [each.name for each in _known(form.texts(FIELD))])
    return response


def _known(names: Iterable[str]) -> tuple[Column, ...]:
    wanted = set(names)
    return tuple(each for each in COLUMNS if each.name in wanted)
