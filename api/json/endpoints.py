"""`/api/endpoints`: lists, shows, adds, tests, disables, enables, rotates and removes endpoints."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter

from api.access import CallerOf, acts
from api.errors import FORBIDDEN, failures
from models.access import Action
from models.views.messages import (
    AddedEndpoint,
    EndpointList,
    EndpointTest,
    EndpointView,
    NewEndpoint,
    Rotation,
)
from models.views.parameters import Client, Text
from services.messages import endpoints

router = APIRouter(prefix="/api/endpoints", tags=["endpoints"])
_UNKNOWN = {404: {"UNKNOWN_ENDPOINT": "no endpoint has this name, or it was removed."}}
_DECLARED = {409: {"DECLARED_ENDPOINT": "`CELLAR_NOTIFY_URLS` declares the endpoint; change the settings."}}
_BAD_MEMBERS = {
    "BAD_SECRET": "`secret` is no secret of Standard Webhooks, or not one for `signature`.",
    "BAD_PARAMETER": "a member of the body is unknown, missing or invalid.",
}
_BAD_ADDRESS = {
    "BAD_ENDPOINT": "`url` is no URL.",
}
_PRIVATE = {
    403: FORBIDDEN
    | {"PRIVATE_ENDPOINT": "`url` is on a private address, and `CELLAR_NOTIFY_ALLOW_PRIVATE` is not set."},
}


@router.get(
    "",
    summary="The endpoints, by name",
    response_description="The endpoints, without their secrets.",
    dependencies=[acts(Action.READ_SETTINGS)],
)
def list_endpoints() -> EndpointList:
    return endpoints.listed()


@router.post(
    "",
    summary="Add an endpoint",
    response_description="The endpoint with its secret, which is shown this once.",
    responses=failures(
        {409: {"NAME_TAKEN": "an endpoint has or had this name."}, 422: _BAD_MEMBERS | _BAD_ADDRESS} | _PRIVATE
    ),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
async def add(asked: NewEndpoint, caller: CallerOf) -> AddedEndpoint:
    """`warnings` say what was found at the address: no answer, a wrong certificate. Nothing is sent to it."""
    warnings = await endpoints.warnings_at(asked.url)
    key = await asyncio.to_thread(endpoints.add, asked, caller.name, datetime.now(UTC))
    return await asyncio.to_thread(endpoints.with_secret, asked.name, key, warnings)


@router.get(
    "/{name}",
    summary="An endpoint, a removed one too",
    response_description="The endpoint, without its secrets.",
    responses=failures({404: {"UNKNOWN_ENDPOINT": "no endpoint has this name."}}),
    dependencies=[acts(Action.READ_SETTINGS)],
)
def read(name: Text) -> EndpointView:
    return endpoints.view(name)


@router.post(
    "/{name}/test",
    summary="Send a test message now",
    response_description="What became of the message.",
    responses=failures(_UNKNOWN),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
async def send_test(name: Text) -> EndpointTest:
    """A message of type `endpoint.test`, also to a disabled endpoint. It is tried once."""
    return await endpoints.send_test(name)


@router.post(
    "/{name}/disable",
    summary="Send it no more messages",
    response_description="The disabled endpoint.",
    responses=failures(_UNKNOWN),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
def disable(name: Text, caller: CallerOf, _client: Client | None = None) -> EndpointView:
    """Messages that wait are skipped, and stay on record."""
    endpoints.disable(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)


@router.post(
    "/{name}/enable",
    summary="Send it messages again, from the next event on",
    response_description="The enabled endpoint.",
    responses=failures(_UNKNOWN),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
def enable(name: Text, caller: CallerOf, _client: Client | None = None) -> EndpointView:
    endpoints.enable(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)


@router.post(
    "/{name}/rotate",
    summary="Give it a new signing key",
    response_description="The endpoint with its new secret, which is shown this once.",
    responses=failures(_UNKNOWN | _DECLARED | {422: _BAD_MEMBERS}),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
def rotate(name: Text, caller: CallerOf, asked: Rotation | None = None) -> AddedEndpoint:
    """The old key signs too for `overlap_h` hours, so messages have two signatures."""
    rotation = asked or Rotation.model_validate({})
    key = endpoints.rotate(name, rotation, caller.name, datetime.now(UTC))
    return endpoints.with_secret(name, key)


@router.post(
    "/{name}/remove",
    summary="Remove it",
    response_description="The removed endpoint.",
    responses=failures(_UNKNOWN | _DECLARED),
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
def remove(name: Text, caller: CallerOf, _client: Client | None = None) -> EndpointView:
    """Its secrets go. Messages that wait are skipped; its history stays under its name, which is never used again."""
    endpoints.remove(name, caller.name, datetime.now(UTC))
    return endpoints.view(name)
