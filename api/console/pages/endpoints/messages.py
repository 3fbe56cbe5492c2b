"""`/console/messages/ID` and `/console/redeliveries`: a message with its attempts, and plans to send messages again."""

from fastapi import APIRouter, Request, Response

from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from models.errors import Refused
from models.messages.notification import NotificationState
from models.views.messages.messages import MessageFilter
from services.redelivery import confirming, planning, records
from services.views import message_list

router = APIRouter()


@router.get("/messages/{message_id}")
def read_message(request: Request, message_id: str, _person: Person) -> Response:
    return render(request, "endpoints/message.html", found=message_list.record(message_id))


@router.post("/redeliveries")
async def plan(form: Posted, person: Person) -> Response:
    """Plan to send the messages of an endpoint again that are in some states. Nothing is sent before a confirmation."""
    try:
        states = [NotificationState(each) for each in form.texts("state")]
    except ValueError as error:
        raise Refused("BAD_PARAMETER", "expected states of messages", where="state") from error
    chosen = MessageFilter(endpoint=form.text("endpoint") or None, state=states)
    made = await in_thread(planning.plan, chosen, recorded(person))
    return see(f"{ROOT}/redeliveries/{made.id}")


@router.get("/redeliveries/{redelivery_id}")
def read_redelivery(request: Request, redelivery_id: str, _person: Person) -> Response:
    return render(request, "endpoints/redelivery.html", found=records.view(redelivery_id))


@router.post("/redeliveries/{redelivery_id}/confirm")
async def confirm(redelivery_id: str, _form: Posted, person: Person) -> Response:
    await in_thread(confirming.confirm, redelivery_id, recorded(person))
    return see(f"{ROOT}/redeliveries/{redelivery_id}")
