"""`/d/{token}`: the public link, which is signed and expires. Its page shows an archive's state and nothing personal.

The link ends up in the sender's logs. `api/links.py` makes it.
"""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from itsdangerous import BadSignature, SignatureExpired

from adapters.settings.settings import settings
from adapters.store.revoked_links import is_revoked
from adapters.store.tombstones import is_receipt_of_erased
from api.access import open_to_anybody
from api.authorization import address_of
from api.errors import UNEXPECTED, Responses
from api.links import signer
from models.errors import Transient
from services.access import uses
from services.health.probes import found_root
from services.views import archive_view

router = APIRouter(tags=["public link"])
_PAGE = {"content": {"text/html": {"schema": {"type": "string"}}}}
_PAGES: Responses = {
    202: {**_PAGE, "description": "The archive was received and is still processing."},
    404: {**_PAGE, "description": "The link is not valid."},
    410: {**_PAGE, "description": "The link has expired or was revoked, or its archive was erased."},
    429: {**_PAGE, "description": "Too many links of the network are not valid; try again in a minute."},
    503: {**_PAGE, "description": "The database does not answer; try again later."},
    "default": {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
        "description": f"- `INTERNAL`: {UNEXPECTED['default']['INTERNAL']}",
    },
}
_templates = Jinja2Templates(Path(__file__).parent / "templates")


@router.get(
    "/d/{token}",
    response_class=HTMLResponse,
    summary="The state of an archive",
    response_description="The archive is completed or has failed.",
    responses=_PAGES,
)
@open_to_anybody("the signed link opens it")
def public_page(request: Request, token: str) -> HTMLResponse:
    """Show a page that tells the state, versions and digests of one archive and nothing personal.

    The webhook answers with a link to it. The token in the link is all that is needed.
    """
    unauthorized, address = request.app.state.unauthorized, address_of(request)
    if not unauthorized.may_try(address, token):
        return _page(request, "Too many links of your network are not valid. Try again in a minute.", status=429)
    try:
        name = signer().opened(token, timedelta(days=settings().public_link_days))
    except SignatureExpired:
        unauthorized.keep_right(address, token)
        return _page(request, "This link has expired.", status=410)
    except BadSignature:
        return _page(request, "This link is not valid.", status=404)
    unauthorized.keep_right(address, token)
    receipt_id = base64.urlsafe_b64decode(name + b"=").hex()
    try:
        found_root()  # without its disk, the store has no revoked link
        if (revoked := is_revoked(receipt_id)) or is_receipt_of_erased(receipt_id):
            return _page(request, f"This {'link was revoked' if revoked else 'archive was erased'}.", status=410)
        shown = archive_view.public_state(receipt_id)
    except Transient:
        return _page(request, "The archive's state cannot be read right now.", status=503)
    uses.used("link", receipt_id, datetime.now(UTC))
    message, status = "The archive was received and is still processing.", 202
    if shown and shown.state not in {"received", "processing"}:
        message, status = f"The archive is {shown.state}.", 200
    return _page(request, message, status=status, shown=shown)


def _page(
    request: Request, message: str, *, status: int, shown: archive_view.PublicState | None = None
) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    context = {"message": message, "shown": shown, "nonce": nonce}
    headers = {
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
        "referrer-policy": "no-referrer",
        # The page needs its own style and nothing else. `default-src` does not cover the last three directives.
        "content-security-policy": f"default-src 'none'; style-src 'nonce-{nonce}';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    }
    return _templates.TemplateResponse(request, "public.html", context, status_code=status, headers=headers)
