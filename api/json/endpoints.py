"""`/api/endpoints`: adds, shows, tests and changes endpoints. `/api/messages`: their messages and the attempts."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.access import CallerOf
from api.errors import FORBIDDEN
from api.json.routes import OF_A_LIST, does
from models.access import Action
from models.views import messages as views
from models.views.parameters import Client, Text
from services.messages import endpoints
from services.views import message_list
from services.views.masks import shown_to

router = APIRouter(prefix="/api/endpoints", tags=["endpoints"])
messages = APIRouter(prefix="/api/messages", tags=["messages"])
_CHANGES, _READS = Action.CHANGE_SETTINGS, Action.READ_SETTINGS
_UNKNOWN = {404: {"UNKNOWN_ENDPOINT": "no endpoint has this name, or it was removed."}}
_DECLARED = {409: {"DECLARED_ENDPOINT": "`CELLAR_NOTIFY_URLS` names it and would make it again; change the setting."}}
_BAD_MEMBERS = {
    "BAD_SECRET": "`secret` is no secret of Standard Webhooks, or not one for `signature`.",
    "BAD_PARAMETER": "a member of the body is unknown, missing or invalid.",
}
_NOT_ADDED = {
    403: FORBIDDEN
    | {"PRIVATE_ENDPOINT": "`url` is on a private address, and `CELLAR_NOTIFY_ALLOW_PRIVATE` is not set."},
    409: {"NAME_TAKEN": "an endpoint has or had this name."},
    422: _BAD_MEMBERS | {"BAD_ENDPOINT": "`url` is no URL."},
}
_SHOWN_ONCE = "The endpoint with its {}secret, which is shown this once."
_NEVER_EXISTED = {404: {"UNKNOWN_ENDPOINT": "no endpoint has this name."}}
_UNKNOWN_MESSAGE = {404: {"UNKNOWN_MESSAGE": "no message has this id."}}


@router.get("", **does(_READS, "The endpoints, by name", "The endpoints, without their secrets."))
def list_endpoints() -> views.EndpointList:
    return endpoints.listed()


@router.post("", **does(_CHANGES, "Add an endpoint", _SHOWN_ONCE.format(""), _NOT_ADDED))
async def add_endpoint(asked: views.NewEndpoint, caller: CallerOf) -> views.AddedEndpoint:
    """`warnings` say what was found at the address: no answer, a wrong certificate. Nothing is sent to it."""
    warnings = await endpoints.warnings_at(asked.url)
    key = await asyncio.to_thread(endpoints.add, asked, caller.name, datetime.now(UTC))
    return await asyncio.to_thread(endpoints.with_secret, asked.name, key, warnings)


@router.get(
    "/{name}", **does(_READS, "An endpoint, a removed one too", "The endpoint, without its secrets.", _NEVER_EXISTED)
)
def read_endpoint(name: Text) -> views.EndpointView:
    return endpoints.view(name)


@router.post("/{name}/test", **does(_CHANGES, "Send a test message now", "What became of the message.", _UNKNOWN))
async def test_endpoint(name: Text) -> views.EndpointTest:
    """A message of type `endpoint.test`, also to a disabled endpoint. It is tried once."""
    return await endpoints.send_test(name)


@router.post("/{name}/disable", **does(_CHANGES, "Send it no more messages", "The disabled endpoint.", _UNKNOWN))
def disable_endpoint(name: Text, caller: CallerOf, _client: Client | None = None) -> views.EndpointView:
    """Messages that wait are skipped, and stay on record."""
    endpoints.disable(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)


@router.post(
    "/{name}/enable",
    **does(_CHANGES, "Send it messages again, from the next event on", "The enabled endpoint.", _UNKNOWN),
)
def enable_endpoint(name: Text, caller: CallerOf, _client: Client | None = None) -> views.EndpointView:
    endpoints.enable(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)


@router.post(
    "/{name}/rotate",
    **does(_CHANGES, "Give it a new signing key", _SHOWN_ONCE.format("new "), _UNKNOWN | {422: _BAD_MEMBERS}),
)
def rotate_endpoint(name: Text, caller: CallerOf, asked: views.Rotation | None = None) -> views.AddedEndpoint:
    """The old key signs too for `overlap_h` hours, so messages have two signatures."""
    rotation = asked or views.Rotation.model_validate({})
    key = endpoints.rotate(name, rotation, caller.name, datetime.now(UTC))
    return endpoints.with_secret(name, key)


@router.post("/{name}/remove", **does(_CHANGES, "Remove it", "The removed endpoint.", _UNKNOWN | _DECLARED))
def remove_endpoint(name: Text, caller: CallerOf, _client: Client | None = None) -> views.EndpointView:
    """Its secrets go. Messages that wait are skipped; its history stays under its name, which is never used again."""
    endpoints.remove(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)


@messages.get("", **does(Action.READ_TROUBLES, "A page of messages, newest first", codes=OF_A_LIST))
def list_messages(query: Annotated[views.MessageQuery, Query()]) -> views.MessagePage:
    """`state` can be repeated: a message in any of these states matches."""
    endpoints.check_filter(query.endpoint)
    return message_list.page(query)


@messages.get(
    "/{message_id}",
    **does(
        Action.READ_TROUBLES,
        "A message with its attempts",
        "The message and its attempts, in their order.",
        _UNKNOWN_MESSAGE,
    ),
)
def read_message(message_id: Text, caller: CallerOf) -> views.MessageRecord:
    """An attempt has a number, its trigger, its time and duration, the status, and the stage at which it failed."""
    return shown_to(caller, message_list.record(message_id))
