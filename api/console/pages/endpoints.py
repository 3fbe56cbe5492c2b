"""`/console/endpoints`, `/console/messages/ID`, `/console/redeliveries`: pages of endpoints, messages, redeliveries."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from adapters.tables.open_conditions import open_numbers
from api.access import CallerOf, acts
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Posted
from api.console.pages.lists import REASONS, grouped
from models.access import Action
from models.errors import Refused
from models.messages.notification import EventType, NotificationState
from models.runs.batch import BatchKind
from models.store.condition import DerivedCode
from models.views.batch import RedeliveryFilter
from models.views.messages import MessageQuery, NewEndpoint, Rotation
from services.batches import batches
from services.messages import deliveries, endpoints
from services.triage import Trouble
from services.views import archive_list, message_list
from services.views.masks import shown_to

PATH = f"{ROOT}/endpoints"
_SHOWN = 50
router = APIRouter()


@router.get("/endpoints", dependencies=[acts(Action.READ_SETTINGS)])
def list_endpoints(request: Request) -> Response:
    return render(
        request, "endpoints/list.html", endpoints=endpoints.listed().items, dead=open_numbers(DerivedCode.MESSAGES_DEAD)
    )


@router.get("/endpoints/new", dependencies=[acts(Action.CHANGE_SETTINGS, of_nobody=True)])
def new(request: Request) -> Response:
    return render(request, "endpoints/new.html", events=tuple(EventType), given={}, wrong={})


@router.post("/endpoints/new", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def add(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Add an endpoint, and show its secret this once. A wrong field is marked, and nothing is added."""
    given: dict[str, Any] = {name: form.text(name) for name in ("name", "url")}
    given |= {"events": form.texts("events")}
    try:
        asked = NewEndpoint.model_validate({name: value for name, value in given.items() if value not in ("", [])})
        warnings = await endpoints.warnings_at(asked.url)
        key = await in_thread(endpoints.add, asked, caller.name, datetime.now(UTC))
    except ValidationError as error:
        wrong = {str(each["loc"][0]): each["msg"].removeprefix("Value error, ") for each in error.errors()}
    except Refused as refused:
        wrong = {"name" if refused.where == "name" else "url": refused.detail}
    else:
        added = await in_thread(endpoints.with_secret, asked.name, key, warnings)
        return render(request, "endpoints/secret.html", added=added)
    return render(request, "endpoints/new.html", 422, events=tuple(EventType), given=given, wrong=wrong)


@router.get("/endpoints/{name}", dependencies=[acts(Action.READ_SETTINGS)])
def read(request: Request, name: str, caller: CallerOf) -> Response:
    """Show an endpoint with its newest messages in the state that is asked for. Without one, the first of these that is
    not empty: not delivered, delivered, skipped.
    """
    asked = request.query_params.get("state")
    known = [each.value for each in NotificationState]
    dead = open_numbers(DerivedCode.MESSAGES_DEAD).get(name, 0)
    for chosen in (
        [asked] if asked in known else ["", NotificationState.DELIVERED.value, NotificationState.SKIPPED.value]
    ):
        states = [NotificationState(chosen)] if chosen else [NotificationState.DEAD, NotificationState.PENDING]
        messages = message_list.page(MessageQuery(endpoint=name, state=states, limit=_SHOWN))
        if messages.items:
            break
    return render(
        request,
        "endpoints/endpoint.html",
        found=endpoints.view(name),
        dead=dead,
        states=known,
        chosen=chosen if messages.items or asked in known else "",
        is_asked=asked in known,
        messages=messages,
        titles=archive_list.titles((each.reference for each in messages.items), caller),
        groups=grouped(Trouble.MESSAGES, messages.items, {name: dead}) if asked == NotificationState.DEAD else [],
        trouble=Trouble.MESSAGES,
        is_open=True,
        reasons=REASONS[Trouble.MESSAGES],
    )


@router.post("/endpoints/{name}/test", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def send_test(request: Request, name: str) -> Response:
    return render(request, "endpoints/test.html", tested=await endpoints.send_test(name), found=None)


@router.post("/endpoints/{name}/rotate", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def rotate(request: Request, name: str, form: Posted, caller: CallerOf) -> Response:
    """Give an endpoint a new signing key, and show its secret this once."""
    rotation = Rotation(overlap_h=form.hours("overlap_h"))
    key = await in_thread(endpoints.rotate, name, rotation, caller.name, datetime.now(UTC))
    return render(request, "endpoints/secret.html", added=await in_thread(endpoints.with_secret, name, key, None))


@router.post("/endpoints/{name}/{change}", dependencies=[acts(Action.CHANGE_SETTINGS)])
async def change(name: str, change: Literal["disable", "enable", "remove"], form: Posted, caller: CallerOf) -> Response:
    now = datetime.now(UTC)
    if change == "disable":
        await in_thread(endpoints.disable, name, caller.name, now, form.text("why") or None)
    else:
        await in_thread(endpoints.enable if change == "enable" else endpoints.remove, name, caller.name, now)
    return see(PATH if change == "remove" else f"{PATH}/{name}")


@router.get("/messages/{message_id}", dependencies=[acts(Action.READ_TROUBLES)])
def read_message(request: Request, message_id: str, caller: CallerOf) -> Response:
    found = shown_to(caller, message_list.record(message_id))
    return render(request, "endpoints/message.html", found=found, titles=archive_list.titles([found.reference], caller))


@router.post("/messages/{message_id}/send", dependencies=[acts(Action.REDELIVER)])
async def send_again(request: Request, message_id: str, form: Posted, caller: CallerOf) -> Response:
    """Send a message now, and show the answer. One that was confirmed is sent only from a page that showed that."""
    found = await in_thread(message_list.record, message_id)
    tested = await deliveries.send_for(caller.name, message_id, is_forced=bool(form.text("force")))
    return render(request, "endpoints/test.html", tested=tested, found=found)


@router.post("/redeliveries", dependencies=[acts(Action.REDELIVER)])
async def plan(form: Posted, caller: CallerOf) -> Response:
    """Plan to send the messages of an endpoint again that are in some states. Nothing is sent before a confirmation."""
    try:
        states = [NotificationState(each) for each in form.texts("state")]
    except ValueError as error:
        raise Refused("BAD_PARAMETER", "expected states of messages", where="state") from error
    chosen = RedeliveryFilter(endpoint=form.text("endpoint") or None, state=states)
    made = await in_thread(batches.plan, BatchKind.REDELIVER, chosen, caller.name)
    return see(f"{ROOT}/bulk/{made.id}")
