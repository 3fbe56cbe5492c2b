"""`/console/messages/ID`: a message with its attempts; and planning to send the messages of an endpoint again."""

from fastapi import APIRouter, Request, Response

from api.console.frame.cookies import ROOT
from api.console.frame.entrance import see
from api.console.frame.forms import Posted
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import Person, recorded
from models.errors import Refused
from models.messages.notification import NotificationState
from models.runs.batch import BatchKind
from models.views.batch import RedeliveryFilter
from services.batches import batches
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
    chosen = RedeliveryFilter(endpoint=form.text("endpoint") or None, state=states)
    made = await in_thread(batches.plan, BatchKind.REDELIVER, chosen, recorded(person))
    return see(f"{ROOT}/bulk/{made.id}")
