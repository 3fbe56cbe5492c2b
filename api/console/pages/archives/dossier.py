"""`/console/archives/REFERENCE`: everything about one archive, and what a person may do with it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from adapters.database.listing import id_of_cursor
from adapters.settings.settings import settings
from adapters.tables import conditions
from api.access import CallerOf, acts
from api.console.frame.rendering import archive_url, render, see
from api.console.frame.threads import in_thread
from api.console.frame.visits import Posted
from api.console.pages.archives.files import preview_kind
from api.links import link_of
from api.references import Reference, RouteAsSent
from domain.access import is_allowed
from domain.archive.signed_document import changed_since, signature_outcome, signers, standing
from domain.archive.verdict_text import (
    certificate_texts,
    covered_word_texts,
    document_text,
    field_change_texts,
    headline,
    judged,
    signature_texts,
)
from domain.masking import UNMASKABLE, hidden_values
from domain.words.wording import N_
from models.access import Action, Caller
from models.archive.verdict import Outcome, SignatureVerdict, Verdict
from models.errors import Refused
from models.views.access import AccessQuery
from models.views.archives.archives import ArchiveFilter, ArchiveView, DifferenceView, Unmasked
from models.views.archives.holds import Holding
from models.views.parameters import Text
from models.views.troubles import MissingQuery
from services import holds, templates
from services.receipts import unknown_reference
from services.triggering import reruns
from services.views import access_list, archive_view, link_list, troubles, unmasking
from services.views.differences import version_differences
from services.views.masks import shown_to
from services.views.timeline import timeline_of

FIELDS_AT_ONCE = 500
"""The most fields in a dossier, and the most differences of a page."""
ITEMS_AT_ONCE = 50
"""The most items of each other list in a dossier."""
_ALWAYS = {"conditions", "judgements", "missing"}
"""Lists that decide what the page calls the archive, so it has their first items, whatever its address says."""
_NO_DAY = N_("Expected a day that has not passed, like 2027-12-31.")
_OPENED = 10
"""The most records of the access log in a dossier."""
router = APIRouter(route_class=RouteAsSent)


@router.get("/archives/{reference:path}/timeline", dependencies=[acts(Action.READ_ARCHIVE)])
def show_timeline(request: Request, reference: Reference, caller: CallerOf) -> Response:
    """Show all that happened, newest first; also of a process without an archive."""
    entries = timeline_of(reference, caller)
    if not entries:
        raise unknown_reference(reference)
    return render(request, "timeline.html", reference=reference, entries=entries[::-1])


@router.get("/archives/{reference:path}/differences", dependencies=[acts(Action.READ_ARCHIVE)])
def show_differences(
    request: Request, reference: Reference, caller: CallerOf, before: int, after: int, start: int = 0
) -> Response:
    """Show what differs between two versions, a page at a time."""
    begin, end = max(start, 0), max(start, 0) + FIELDS_AT_ONCE
    differences = version_differences(reference, caller, before, after)
    url = f"{archive_url(reference, 'differences')}?before={before}&after={after}"
    return render(
        request,
        "differences.html",
        reference=reference,
        before=before,
        after=after,
        found=[DifferenceView(**asdict(each)) for each in differences[begin:end]],
        first_url=url if begin else None,
        next_url=f"{url}&start={end}" if end < len(differences) else None,
    )


@router.post("/archives/{reference:path}/rerun", dependencies=[acts(Action.RERUN)])
async def rerun(reference: Reference, caller: CallerOf) -> RedirectResponse:
    [asked] = await reruns.rerun([reference], caller.name)
    return see(f"{archive_url(reference)}?said={'rerun' if asked.flow_run_id else 'rerun_waits'}")


@router.post("/archives/{reference:path}/hold", dependencies=[acts(Action.HOLD)])
async def hold(reference: Reference, form: Posted, caller: CallerOf) -> RedirectResponse:
    """Put the archive on legal hold, until a day or until somebody releases it."""
    try:
        said = Holding.model_validate({"reason": form.reason(), "until": form.text("until") or None})
    except ValidationError as error:
        raise Refused("BAD_PARAMETER", _NO_DAY, where="until") from error
    await in_thread(holds.put, ArchiveFilter(reference=reference), said, caller.name, datetime.now(UTC))
    return see(f"{archive_url(reference)}?said=held#holds")


@router.post("/archives/{reference:path}/release", dependencies=[acts(Action.HOLD)])
async def release(reference: Reference, form: Posted, caller: CallerOf) -> RedirectResponse:
    """Release one legal hold of the archive."""
    chosen, hold_id, why = ArchiveFilter(reference=reference), form.text("hold"), form.text("why") or None
    await in_thread(holds.release, chosen, caller.name, why, datetime.now(UTC), hold_id)
    return see(f"{archive_url(reference)}?said=released_hold#holds")


@router.get("/archives/{reference:path}", dependencies=[acts(Action.READ_ARCHIVE)])
def show(
    request: Request,
    reference: Reference,
    caller: CallerOf,
    name: Annotated[str, Query(alias="list")] = "",
    after: Text = "",
) -> Response:
    """Show the first items of each list, the newest of a history. Of the list `name`, show the items behind `after`."""
    return _dossier(request, reference, caller, name, after)


@router.post("/archives/{reference:path}/unmask", dependencies=[acts(Action.UNMASK)])
async def unmask(request: Request, reference: Reference, form: Posted, caller: CallerOf) -> Response:
    """Show the dossier with one masked value. The value is in no address, and in no page that is asked for again."""
    place, why = form.text("place"), form.reason()
    found = await in_thread(unmasking.unmask, reference, place, why, caller, datetime.now(UTC))
    return await in_thread(_dossier, request, reference, caller, "", "", found)


def _dossier(
    request: Request, reference: str, caller: Caller, name: str, after: str, unmasked: Unmasked | None = None
) -> Response:
    begin = {name: after} if after and name not in _ALWAYS else {}
    more = {"fields": FIELDS_AT_ONCE}
    archive = archive_view.archive(reference, caller, ITEMS_AT_ONCE, begin, newest_first=True, most_of=more)
    if archive is None:
        return _without_archive(request, reference, caller)
    numbered_from_0 = [each for each in UNMASKABLE if each not in begin]
    may_read_access, may_unmask = (is_allowed(caller.role, each) for each in (Action.READ_ACCESS, Action.UNMASK))
    file = archive_view.signed_document(reference, caller) if is_allowed(caller.role, Action.DOWNLOAD_FILE) else None
    newest = archive.judgements[0].verdict if archive.judgements else archive.signed_document_verdict
    return render(
        request,
        "dossier.html",
        archive=archive,
        words=templates.words_of(archive.template_id),
        document=file.sha256 if file and preview_kind(file) == "pdf" else None,
        standing=standing(archive, newest, conditions.of_store()),
        whole_since=conditions.whole_since(reference),
        signed=signers(newest, archive.people) if newest else None,
        verdict=_verdict_texts(newest, archive.people) if newest else None,
        judged_at=archive.judgements[0].at if archive.judgements else None,
        public_link=None if after and name == "versions" else _public_link(archive),
        numbered=list(enumerate(archive.fields, id_of_cursor(after) + 2 if after and name == "fields" else 1)),
        list_behind=name if after else None,
        hidden=list(hidden_values(archive, numbered_from_0)) if caller.is_masked and may_unmask else (),
        unmasked=unmasked,
        opened=access_list.page(AccessQuery(reference=reference, limit=_OPENED)).items if may_read_access else (),
    )


def _without_archive(request: Request, reference: str, caller: Caller) -> Response:
    """Show what is known of a process of which no archive was received."""
    entries = timeline_of(reference, caller)
    if not entries:
        raise unknown_reference(reference)
    missing = shown_to(caller, troubles.missing_page(MissingQuery(reference=reference))).items
    return render(request, "process.html", reference=reference, entries=entries[::-1], missing=missing)


def _verdict_texts(verdict: Verdict, people: Sequence[str | None]) -> dict[str, object]:
    texts = [{**about, **of} for about, of in zip(signature_texts(verdict), certificate_texts(verdict), strict=True)]
    return {
        "headline": headline(verdict),
        "judged": judged(verdict),
        "document": document_text(verdict, people),
        "changes": field_change_texts(verdict),
        "covered": covered_word_texts(verdict),
        "is_changed": changed_since(verdict) is not None,
        "signatures": [
            {"field": each.field, "outcome": _outcome(verdict, each), "texts": its}
            for each, its in zip(verdict.signatures, texts, strict=True)
        ],
    }


def _outcome(verdict: Verdict, signature: SignatureVerdict) -> Outcome | None:
    """Return what one signature shows; None if it is intact, and more is not proved."""
    found = signature_outcome(verdict, signature)
    return None if found is Outcome.SOUND and not signature.trusted else found


def _public_link(archive: ArchiveView) -> str | None:
    if settings().public_link == "none" or not archive.versions:
        return None
    receipt_id = archive.versions[0].receipt_id
    made_at = link_list.made_at(receipt_id)
    return link_of(receipt_id, made_at) if made_at else None
