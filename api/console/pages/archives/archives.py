"""`/console/archives`: searches archives, and hands all that match to a bulk re-run or into a file."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from adapters.lists.csv_rows import line_of_csv
from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import CSRF, Form, Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from api.console.pages.archives import columns, saved_views
from api.console.pages.lists.filters import asked
from api.console.pages.lists.lists import listed
from models.errors import Refused
from models.runs.batch import BatchKind
from models.views.archives.archives import ArchiveFilter, ArchivePage, ArchiveQuery, ArchiveSummary
from services.batches import batches
from services.views import archive_list

PATH = f"{ROOT}/archives"
_MOST_ROWS_AT_ONCE = 500
_COLUMNS = (
    *("reference", "state", "process_number", "template_id", "source", "received_at", "completed_at", "cause"),
    *("files", "warnings", "discrepancies", "conditions"),
)
router = APIRouter()


@router.get("/archives")
def list_archives(request: Request, _person: Person) -> Response:
    """Search archives. A filter that is wrong is marked, and nothing is searched."""
    found = listed(request, PATH, ArchiveQuery, archive_list.page)
    page = found.page or ArchivePage(items=[], next=None)
    linked = [each for each in request.query_params.multi_items() if each[0] == columns.FIELD]
    views, chosen = saved_views.links_of(request), columns.columns_of(request)
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
        column_pairs=columns.pairs_of(chosen),
        all_columns=columns.COLUMNS,
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
async def export(form: Posted, _person: Person) -> StreamingResponse:
    """Return the rows of all archives that match as a CSV file."""
    query = ArchiveQuery(**_filter(form).model_dump(), limit=_MOST_ROWS_AT_ONCE)
    first = await in_thread(archive_list.page, query)
    headers = {"content-disposition": f'attachment; filename="archives-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    return StreamingResponse(_lines(query, first), media_type="text/csv; charset=utf-8", headers=headers)


def _filter(form: Form) -> ArchiveFilter:
    found = asked(ArchiveFilter, [each for each in form.fields if each[0] != CSRF])
    if found.query is None:
        named = ", ".join(each.name for each in found.fields if each.is_wrong)
        raise Refused("BAD_PARAMETER", f"expected valid filters; search first, then act; wrong: {named}", where=named)
    return found.query


def _lines(query: ArchiveQuery, page: ArchivePage) -> Iterator[str]:
    yield "\N{BYTE ORDER MARK}" + line_of_csv(_COLUMNS)  # without it, Excel takes Hebrew for another encoding
    while True:
        yield "".join(line_of_csv(_values(each)) for each in page.items)
        if page.next is None:
            return
        page = archive_list.page(query.model_copy(update={"cursor": page.next}))


def _values(archive: ArchiveSummary) -> list[object]:
    row = archive.model_dump(mode="json") | {"cause": archive.cause.code if archive.cause else None}
    row["conditions"] = " ".join(archive.conditions)
    return [row[name] for name in _COLUMNS]
