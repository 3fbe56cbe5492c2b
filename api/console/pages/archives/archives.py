"""`/console/archives`: searches archives in columns of choice; hands all that match to a bulk re-run or into a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from adapters.lists.list_files import line_of_csv
from adapters.words.languages import texts
from api.console.frame import cookies
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import CSRF, Form, Posted
from api.console.frame.rendering import language_of, render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, own_path, recorded
from api.console.pages.archives import saved_views
from api.console.pages.lists import asked, listed
from domain.titles import title_text
from domain.words.wording import N_, Language
from models.errors import Refused
from models.runs.batch import BatchKind
from models.views.archives.archives import ArchiveFilter, ArchivePage, ArchiveQuery, ArchiveSummary
from services.batches import batches
from services.views import archive_list

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


PATH = f"{ROOT}/archives"
_MOST_ROWS_AT_ONCE = 500
_COLUMNS = (
    *("reference", "title", "state", "process_number", "template_id", "template", "source"),
    *("received_at", "completed_at", "cause"),
    *("files", "warnings", "discrepancies", "conditions"),
)


@router.get("/archives")
def list_archives(request: Request, _person: Person) -> Response:
    """Search archives. A filter that is wrong is marked, and nothing is searched."""
    found = listed(request, PATH, ArchiveQuery, archive_list.page)
    page = found.page or ArchivePage(items=[], next=None)
    linked = [each for each in request.query_params.multi_items() if each[0] == FIELD]
    views, chosen = saved_views.links_of(request), columns_of(request)
    return render(
        request,
        "archives.html",
        asked=found.asked,
        page=page,
        next_url=page.next and found.asked.url(PATH, page.next, linked),
        first_url=found.asked.url(PATH, beside=linked) if found.is_later else None,
        wrong=found.wrong,
        linked=linked,
        columns=chosen,
        column_pairs=pairs_of(chosen),
        all_columns=COLUMNS,
        here_url=found.asked.url(PATH),
        views=views,
        taken=saved_views.taken_name(request, views),
    )


@router.post("/archives/plan")
async def plan(form: Posted, person: Person) -> RedirectResponse:
    """Plan the re-run of all archives that match. Nothing runs before the plan is confirmed on its own page."""
    made = await in_thread(batches.plan, BatchKind.RERUN, _filter(form), recorded(person))
    return see(f"{ROOT}/bulk/{made.id}")


@router.post("/archives/export")
async def export(request: Request, form: Posted, _person: Person) -> StreamingResponse:
    """Return the rows of all archives that match as a CSV file, with titles and names in the visitor's language."""
    query = ArchiveQuery(**_filter(form).model_dump(), limit=_MOST_ROWS_AT_ONCE)
    first = await in_thread(archive_list.page, query)
    headers = {"content-disposition": f'attachment; filename="archives-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    lines = _lines(query, first, language_of(request))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _filter(form: Form) -> ArchiveFilter:
    found = asked(ArchiveFilter, [each for each in form.fields if each[0] != CSRF])
    if found.query is None:
        named = ", ".join(each.name for each in found.fields if each.is_wrong)
        raise Refused("BAD_PARAMETER", f"expected valid filters; search first, then act; wrong: {named}", where=named)
    return found.query


def _lines(query: ArchiveQuery, page: ArchivePage, language: Language) -> Iterator[str]:
    yield "\N{BYTE ORDER MARK}" + line_of_csv(_COLUMNS)  # without it, Excel takes Hebrew for another encoding
    while True:
        yield "".join(line_of_csv(_values(each, language)) for each in page.items)
        if page.next is None:
            return
        page = archive_list.page(query.model_copy(update={"cursor": page.next}))


def _values(archive: ArchiveSummary, language: Language) -> list[object]:
    row = archive.model_dump(mode="json") | {"cause": archive.cause.code if archive.cause else None}
    row["conditions"] = " ".join(archive.conditions)
    row["title"] = title_text(archive.title, language, texts(language))
    row["template"] = archive.title.template.worded(language)
    return [row[name] for name in _COLUMNS]
