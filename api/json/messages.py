"""`/api/messages`: the messages to endpoints, each with its attempts."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf, acts
from api.errors import LISTS_FAILURES, failures
from models.access import Action
from models.views.messages import MessagePage, MessageQuery, MessageRecord
from models.views.parameters import Text
from services.messages.endpoints import check_filter
from services.views import message_list
from services.views.masks import shown_to

router = APIRouter(prefix="/api/messages", tags=["messages"])


@router.get(
    "",
    summary="A page of messages, newest first",
    response_description="The page.",
    responses=LISTS_FAILURES,
    dependencies=[acts(Action.READ_TROUBLES)],
)
def list_messages(query: Annotated[MessageQuery, Query()]) -> MessagePage:
    """`state` can be repeated: a message in any of these states matches."""
    check_filter(query.endpoint)
    return message_list.page(query)


@router.get(
    "/{message_id}",
    summary="A message with its attempts",
    response_description="The message and its attempts, in their order.",
    responses=failures({404: {"UNKNOWN_MESSAGE": "no message has this id."}}),
    dependencies=[acts(Action.READ_TROUBLES)],
)
def read(message_id: Text, caller: CallerOf) -> MessageRecord:
    """An attempt has a number, its trigger, its time and duration, the status, and the stage at which it failed."""
    return shown_to(caller, message_list.record(message_id))
