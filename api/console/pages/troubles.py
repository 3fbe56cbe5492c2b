"""What needs a person, a page for each kind: failed, refused and missing archives, and discrepancies.

Lists of what is alike, with one reason for many, are decided by the same two routes; endpoints' messages too.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from adapters.inbox import quarantine
from adapters.tables.open_conditions import NOT_KEPT, newest_of, open_conditions, open_numbers
from api.access import SEES_ALL, CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Form, Posted, own_path
from api.console.pages.lists import REASONS, asked, grouped, listed
from domain.words.wording import N_
from models.access import Action, Caller
from models.archive.archive import State, WarningCode
from models.discrepancies import DiscrepancyState
from models.errors import Refused
from models.messages.notification import NotificationState
from models.people import ActionKind
from models.runs.batch import BatchKind
from models.runs.receipt import RefusedDelivery
from models.store.condition import ConditionCode, DerivedCode
from models.views.archives.archives import ArchiveFilter, ArchiveQuery, ArchiveSummary
from models.views.archives.payments import DiscrepancyQuery
from models.views.batch import RedeliveryFilter
from models.views.messages import MessageQuery
from models.views.parameters import Dismissal, PageQuery
from models.views.troubles import FailureGroup, FindingState, MissingQuery, RefusedQuery
from services import triage
from services.batches import batches
from services.people import actions
from services.triage import KINDS, Trouble
from services.triggering.refused import Outcome, body_chunks, release_chosen
from services.views import archive_list, troubles
from services.views.masks import shown_to

_OUTCOME = {"undo", "number", "left", "more", "said", "still", "where"}
_NOTHING_CHOSEN = N_("Choose at least one row, or all of a kind.")
_MOST_NAMED, _LEAST_NAMED = 20, 3
"""How many failed archives their page names, of all causes alike, and at least of each."""
router = APIRouter()


class _OpenDiscrepancies(DiscrepancyQuery):
    state: DiscrepancyState = DiscrepancyState.OPEN


class _OpenRefused(RefusedQuery):
    state: FindingState = FindingState.OPEN


class _Dead(MessageQuery):
    state: list[NotificationState] = Field([NotificationState.DEAD])


_QUERIES: Mapping[Trouble, type[PageQuery]] = {
    Trouble.REFUSED: _OpenRefused,
    Trouble.DISCREPANCIES: _OpenDiscrepancies,
    Trouble.MISSING: MissingQuery,
    Trouble.MESSAGES: _Dead,
}


@router.get("/discrepancies", dependencies=[acts(Action.READ_TROUBLES)])
def list_discrepancies(request: Request, caller: CallerOf) -> Response:
    return _list(request, caller, Trouble.DISCREPANCIES, open_numbers(DerivedCode.DISCREPANCY_OPEN))


@router.get("/missing", dependencies=[acts(Action.READ_TROUBLES)])
def list_missing(request: Request, caller: CallerOf) -> Response:
    numbers = dict[str, int]()
    for each in open_conditions((DerivedCode.PROCESS_MISSING,)):
        numbers[each.values["why"]] = numbers.get(each.values["why"], 0) + each.subjects
    return _list(request, caller, Trouble.MISSING, numbers)


@router.get("/refused", dependencies=[acts(Action.READ_TROUBLES)])
def list_refused(request: Request, caller: CallerOf) -> Response:
    return _list(request, caller, Trouble.REFUSED, open_numbers(DerivedCode.DELIVERY_REFUSED))


def _list(request: Request, caller: Caller, trouble: Trouble, numbers: Mapping[str, int]) -> Response:
    path, query, page = f"{ROOT}/{trouble}", _QUERIES[trouble], KINDS[trouble].page
    found = listed(request, path, query, lambda query: shown_to(caller, page(query)))
    is_open = any(each.name == "state" and FindingState.OPEN in each.values for each in found.asked.fields)
    is_counted = is_open and {name for name, _ in found.asked.pairs} <= {"state", KINDS[trouble].alike}
    items = found.page.items if found.page else []
    shown: dict[str, Any] = {
        "list": found,
        "groups": grouped(trouble, items, numbers if is_counted else {}),
        "titles": archive_list.titles((each.reference for each in items), caller),
        "is_open": is_open,
        "reasons": REASONS[trouble],
    }
    return render(request, f"troubles/{trouble}.html", trouble=trouble, **shown)


@router.get("/failed", dependencies=[acts(Action.READ_TROUBLES)])
def list_failed(request: Request, caller: CallerOf) -> Response:
    causes = troubles.failures().items
    groups = [(each, _newest(each, caller, max(_LEAST_NAMED, _MOST_NAMED // len(causes)))) for each in causes]
    waits = open_conditions((DerivedCode.SYSTEM_AWAY,))
    return render(request, "troubles/failed.html", groups=groups, waits=waits, unkept=NOT_KEPT)


def _newest(group: FailureGroup, caller: Caller, most: int) -> list[ArchiveSummary]:
    """Return the newest archives of a cause."""
    query = ArchiveQuery(state=State.FAILED, cause=group.code, limit=most)
    if group.condition or group.code == NOT_KEPT:  # no filter finds them
        found = newest_of(group.condition or DerivedCode.ARCHIVE_FAILED, group.code, most)
        query = ArchiveQuery(references=found or ["-"], limit=most)
    return archive_list.page(query, caller).items


@router.post("/failed/plan", dependencies=[acts(Action.RERUN)])
async def plan(form: Posted, caller: CallerOf) -> Response:
    """Plan to run all failed archives again, of a cause or of every cause; or complete archives whose last run failed.
    Nothing runs before a confirmation.
    """
    chosen = ArchiveFilter(state=State.FAILED, cause=form.text("cause") or None)
    if form.text("condition"):
        chosen = ArchiveFilter(condition=ConditionCode.RUN_FAILED)
    made = await in_thread(batches.plan, BatchKind.RERUN, chosen, caller.name)
    return see(f"{ROOT}/bulk/{made.id}")


@router.get("/refused/{receipt_id}", dependencies=[SEES_ALL, acts(Action.DOWNLOAD_FILE)])
def download_refused(receipt_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]) -> StreamingResponse:
    """Return a refused body as a download, to those who see files of every archive: it may name anybody."""
    if not quarantine.has_body(receipt_id):
        raise Refused("UNKNOWN_RECEIPT", "the body is not in quarantine", where="receipt_id", status=404)
    headers = {"content-disposition": f'attachment; filename="{receipt_id}.body"', "cache-control": "private, no-store"}
    return StreamingResponse(body_chunks(receipt_id), media_type="application/octet-stream", headers=headers)


@router.post("/refused/release", dependencies=[acts(Action.RELEASE)])
async def release(form: Posted, caller: CallerOf) -> Response:
    """Check refused bodies again and archive those that pass now. Accept what is set aside, or give it away."""
    (marks, _), gives = await _marks(Trouble.REFUSED, form), bool(form.text("gives"))
    outcomes = await in_thread(_release, marks, caller.name, gives)
    faults = [each.fault for each in outcomes if each.fault]
    still = [("still", faults[0].code), ("where", faults[0].where)] if faults else []
    said = "given" if gives else "released"
    return _back(form, [("said", said), ("number", str(len(outcomes) - len(faults))), *still])


def _release(receipt_ids: Collection[str], by: str, gives: bool) -> list[Outcome]:
    bodies = dict[str, list[RefusedDelivery]]()
    for each in triage.found_bodies(receipt_ids):
        bodies.setdefault(each.receipt_id, []).append(each)
    outcomes = release_chosen(bodies, by, gives=gives)
    released = [each for outcome in outcomes if outcome.fault is None for each in bodies[outcome.receipt_id]]
    named = {each.reference for each in released if each.reference and each.code != WarningCode.SOURCES_DIFFER}
    actions.record(named, ActionKind.RELEASE, by, datetime.now(UTC))
    return outcomes


@router.post("/messages/redeliver", dependencies=[acts(Action.REDELIVER)])
async def redeliver(form: Posted, caller: CallerOf) -> Response:
    """Send messages that were given up again, at once: the person has chosen them."""
    marks, _ = await _marks(Trouble.MESSAGES, form)
    if not marks:  # all are decided meanwhile; a filter without ids would match every message
        return _back(form, [])
    chosen = RedeliveryFilter(state=[NotificationState.DEAD], message_id=marks[: triage.MOST_AT_ONCE])
    made = await in_thread(batches.plan, BatchKind.REDELIVER, chosen, caller.name)
    await batches.confirm(made.id, caller.name)
    return see(f"{ROOT}/bulk/{made.id}")


@router.post("/{trouble}/decide", dependencies=[acts(Action.DECIDE)])
async def decide(trouble: Trouble, form: Posted, caller: CallerOf) -> Response:
    """Dismiss or explain all that is chosen, for one reason, and show what is next."""
    now, said = datetime.now(UTC), Dismissal(by=caller.name, why=form.reason())
    marks, is_more = await _marks(trouble, form)
    number = await in_thread(KINDS[trouble].decide, marks, said, now)
    told = [("undo", now.isoformat()), ("number", str(number)), ("left", str(len(marks) - number))]
    return _back(form, [*told, *([("more", "true")] if is_more else [])])


@router.post("/{trouble}/withdraw", dependencies=[acts(Action.DECIDE)])
async def withdraw(trouble: Trouble, form: Posted, caller: CallerOf) -> Response:
    """Take back what the same person decided at a moment."""
    number = await in_thread(KINDS[trouble].withdraw, caller.name, form.moment("at"), datetime.now(UTC))
    return _back(form, [("said", "withdrawn"), ("number", str(number))])


async def _marks(trouble: Trouble, form: Form) -> tuple[list[str], bool]:
    """Return the marks of all that is chosen, and whether there is more, by the filters of the form's page."""
    filters = asked(_QUERIES[trouble], parse_qsl(form.text("then").partition("?")[2])).query or _QUERIES[trouble]()
    chosen = form.texts("item"), form.texts("group"), form.moment("until")
    if not any(chosen[:2]):
        raise Refused("BAD_PARAMETER", _NOTHING_CHOSEN, where="item")
    return await in_thread(triage.marks_of, trouble, *chosen, filters)


def _back(form: Form, outcome: list[tuple[str, str]]) -> Response:
    path, _, query = own_path(form.text("then")).partition("?")
    return see(f"{path}?{urlencode([*(each for each in parse_qsl(query) if each[0] not in _OUTCOME), *outcome])}")
