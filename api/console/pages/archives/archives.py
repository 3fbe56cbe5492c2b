"""`/console/archives`: searches archives in columns of choice, counts them by facets, and acts on those chosen."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from adapters.lists.list_files import line_of_csv
from adapters.words.languages import texts
from api.access import CallerOf, acts
from api.console.frame import cookies
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import language_of, render, see
from api.console.frame.threads import in_thread, in_thread_of_exports
from api.console.frame.visits import Form, Posted, own_path
from api.console.pages.archives import files, saved_views
from api.console.pages.lists import asked, listed, valid
from api.console.words.telling import value_text
from domain.search import searched_places
from domain.titles import title_text
from domain.words.wording import N_, Language
from models.access import Action, Caller
from models.errors import Refused
from models.runs.batch import BatchKind
from models.views.archives.archives import ArchiveFilter, ArchivePage, ArchiveQuery, ArchiveSummary, ListQuery, Sort
from models.views.archives.payments import Explanation
from models.views.batch import ErasureFilter
from models.views.parameters import Moment
from services.batches import batches
from services.payments import discrepancies
from services.templates import called
from services.views import archive_list

router = APIRouter()


COLUMNS: Mapping[str, str] = {
    "reference": N_("Reference"),
    "state": N_("State"),
    "cause": N_("Cause"),
    "process_number": N_("Process"),
    "template_id": N_("Template"),
    "source": N_("Source"),
    "received_at": N_("Received"),
    "completed_at": N_("Completed"),
    "files": N_("Files"),
    "remarks": N_("Remarks"),
}
"""The heads of the columns of the list. The title is none of these, since it always stays."""
_DEFAULT = {"state", "received_at", "remarks"}


def columns_of(request: Request) -> list[str]:
    """Return the columns of a page: those that its link names, else the person's choice, else the default."""
    linked = request.query_params.getlist(saved_views.COLUMN)
    kept = cookies.COLUMNS.read(request)
    return _known(linked or (kept.split(":") if kept else _DEFAULT))


def _named(columns: Sequence[str]) -> Sequence[str]:
    """Return the names by which a link or a cookie names columns: the title stands for no other column."""
    return columns or ["title"]


@router.post("/columns", dependencies=[acts(Action.ENTER)])
async def choose(request: Request, form: Posted) -> Response:
    """Keep a person's choice of columns in their browser, and show the list again."""
    response = see(own_path(form.text("then")))
    chosen = [] if form.text("default") else _named(_known(form.texts(saved_views.COLUMN)))
    cookies.COLUMNS.keep(request, response, ":".join(chosen))
    return response


def _known(names: Collection[str]) -> list[str]:
    return [each for each in COLUMNS if each in names]


PATH = f"{ROOT}/archives"
_ROWS_AT_ONCE, _ROWS_FOR_FIELDS, _MOST_FIELDS = 500, 1000, 500
_MOST_CHOSEN, _MOST_BAGS, _MOST_EXPLAINED, _MOST_ARRIVED = 500, 100, 500, 100
_OTHER_FIELDS = "other_fields"
_COLUMNS = (
    *("reference", "title", "state", "process_number", "template_id", "template", "source"),
    *("received_at", "completed_at", "cause"),
    *("files", "warnings", "discrepancies", "conditions"),
)
_NOTHING_CHOSEN = N_("Choose archives first, or all that match.")
_TOO_MANY = N_("These are too many archives to do this at once. Choose fewer of them.")


@router.get("/archives", dependencies=[acts(Action.LIST_ARCHIVES)])
def list_archives(request: Request, caller: CallerOf) -> Response:
    """Search archives. A filter that is wrong is marked, and nothing is searched."""
    found = listed(request, PATH, ListQuery, lambda query: archive_list.page(query, caller))
    page, query = found.page or ArchivePage(items=[], next=None), found.asked.query
    linked, is_sorted = _linked(request), query is not None and query.sort is not Sort.ARRIVAL
    template = query.template if query and (page.items or not caller.is_scoped) else None
    # Saved views are of all archives, and people name them as they like.
    views = [] if caller.is_scoped or caller.is_masked else saved_views.links_of(request)
    is_part = request.headers.get("hx-target") == "results"  # which has no filters
    choices = archive_list.choices(caller) if found.page and not is_part else {}
    chosen, explained = columns_of(request), request.query_params.get("explained")
    return render(
        request,
        "archives.html",
        asked=found.asked,
        page=page,
        chosen=choices,
        searched=searched_places(in_public=caller.is_masked),
        matched=archive_list.matched(query.q, page.items, caller) if query else {},
        template_names={each: called(each, caller) for each in (template, *choices.get("template", ())) if each},
        since=page.items[0].received_at if page.items and not (found.is_later or is_sorted) else None,
        is_sorted=is_sorted,
        most_counted=archive_list.MOST_COUNTED,
        next_url=page.next and found.asked.url(PATH, page.next, linked),
        first_url=found.asked.url(PATH, beside=linked) if found.is_later else None,
        wrong=found.wrong,
        linked=linked,
        columns=chosen,
        column_pairs=[(saved_views.COLUMN, each) for each in _named(chosen)],
        heads=COLUMNS,
        here_url=found.asked.url(PATH, beside=linked),
        views=views,
        explained=int(explained) if explained and explained.isdecimal() and len(explained) < 10 else None,
    )


def _linked(request: Request) -> list[tuple[str, str]]:
    """Return the columns that the address of a page names."""
    return [each for each in request.query_params.multi_items() if each[0] == saved_views.COLUMN]


@router.get("/facets", dependencies=[acts(Action.LIST_ARCHIVES)])
def count_facets(request: Request, caller: CallerOf) -> Response:
    """Count the archives that match by the values that they have."""
    found = asked(ListQuery, request.query_params.multi_items())
    counts = archive_list.facets(valid(found), caller)
    return render(request, "facets.html", asked=found, counts=counts, linked=_linked(request))


@router.get("/arrivals", dependencies=[acts(Action.LIST_ARCHIVES)])
def count_arrivals(request: Request, since: Moment, caller: CallerOf) -> Response:
    """Say how many archives that match have arrived since a time. Pages ask for it again and again by themselves."""
    found = asked(ListQuery, request.query_params.multi_items())
    count = archive_list.arrived(valid(found), caller, since, _MOST_ARRIVED)
    shown: dict[str, Any] = {"asked": found, "count": count, "most": _MOST_ARRIVED, "linked": _linked(request)}
    return render(request, "arrivals.html", **shown)


@router.post("/archives/plan", dependencies=[acts(Action.RERUN)])
async def plan(form: Posted, caller: CallerOf) -> RedirectResponse:
    """Plan the re-run of the chosen archives. Nothing runs before the plan is confirmed on its own page."""
    made = await in_thread(batches.plan, BatchKind.RERUN, _chosen(form), caller.name)
    return see(f"{ROOT}/bulk/{made.id}")


@router.post("/archives/erase", dependencies=[acts(Action.ERASE)])
async def erase(form: Posted, caller: CallerOf) -> RedirectResponse:
    """Plan the erasure of the chosen archives. Nothing is erased before another person confirms the plan."""
    chosen = ErasureFilter(**_chosen(form).model_dump(), reason=form.reason("ground"))
    made = await in_thread(batches.plan, BatchKind.ERASE, chosen, caller.name)
    return see(f"{ROOT}/bulk/{made.id}")


@router.post("/archives/export", dependencies=[acts(Action.EXPORT_TABLE)])
async def export(request: Request, form: Posted, caller: CallerOf) -> StreamingResponse:
    """Return the chosen archives as a CSV file, with a column for each form field of the newest of them.

    Titles and names of templates are in the visitor's language.
    """
    query = ArchiveQuery(**_chosen(form).model_dump(), limit=_ROWS_AT_ONCE)
    first = await in_thread(archive_list.page, query, caller)
    names = await in_thread(archive_list.field_names, query, caller, _ROWS_FOR_FIELDS, _MOST_FIELDS)
    headers = {"content-disposition": f'attachment; filename="archives-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    lines = _lines(query, caller, first, names, language_of(request))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/archives/bags", dependencies=[acts(Action.EXPORT_ARCHIVE)])
async def export_bags(form: Posted, caller: CallerOf) -> Response:
    """Return the chosen archives as a zip of bags, each of which proves itself."""
    references = await in_thread(_references, _chosen(form), caller, _MOST_BAGS)
    path = await in_thread_of_exports(files.exported_bags, references, caller)
    return files.handed_out(path, f"archives-{datetime.now(UTC):%Y-%m-%d}.zip")


@router.post("/archives/explain", dependencies=[acts(Action.DECIDE)])
async def explain(form: Posted, caller: CallerOf) -> Response:
    """Record why all discrepancies of the chosen archives are in order."""
    said = Explanation(by=caller.name, why=form.reason())
    references = await in_thread(_references, _chosen(form), caller, _MOST_EXPLAINED)
    number = await in_thread(discrepancies.explain_all, references, said, datetime.now(UTC))
    then = own_path(form.text("then"))
    return see(f"{then}{'&' if '?' in then else '?'}explained={number}")


def _chosen(form: Form) -> ArchiveFilter:
    """Return the filter of what a form acts on: the archives whose boxes are checked, or all that match."""
    if form.text("all"):
        return valid(asked(ArchiveFilter, form.fields))
    if not (chosen := form.texts("chosen")):
        raise Refused("BAD_PARAMETER", _NOTHING_CHOSEN, where="chosen")
    if len(chosen) > _MOST_CHOSEN:
        raise Refused("BAD_PARAMETER", _TOO_MANY, where="chosen")
    return ArchiveFilter(references=chosen)


def _references(chosen: ArchiveFilter, caller: Caller, most: int) -> list[str]:
    page = archive_list.page(ArchiveQuery(**chosen.model_dump(), limit=most), caller)
    if page.next:
        raise Refused("BAD_PARAMETER", _TOO_MANY, where="all")
    return [each.reference for each in page.items]


def _lines(
    query: ArchiveQuery, caller: Caller, page: ArchivePage, names: Sequence[str], language: Language
) -> Iterator[str]:
    fields = [f"field {each}" for each in names]
    yield "\N{BYTE ORDER MARK}" + line_of_csv([*_COLUMNS, *fields, _OTHER_FIELDS])  # else Excel misreads Hebrew
    while True:
        values = archive_list.field_values([each.reference for each in page.items], caller)
        rows = ([*_values(each, language), *_fields(values[each.reference], names)] for each in page.items)
        yield "".join(map(line_of_csv, rows))
        if page.next is None:
            return
        page = archive_list.page(query.model_copy(update={"cursor": page.next}), caller)


def _values(archive: ArchiveSummary, language: Language) -> list[object]:
    row = archive.model_dump(mode="json") | {"cause": archive.cause.code if archive.cause else None}
    row["conditions"] = " ".join(archive.conditions)
    row["title"] = title_text(archive.title, language, texts(language))
    row["template"] = archive.title.template.worded(language)
    return [row[name] for name in _COLUMNS]


def _fields(found: dict[str, list[Any]], names: Sequence[str]) -> list[str | None]:
    fields = {name: "\n".join(map(value_text, values)) for name, values in found.items()}
    others = {name: value for name, value in fields.items() if name not in names}
    return [*(fields.get(name) for name in names), value_text(others or None)]
